"""What each stage leaves for the next, as the architecture promises it."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from fashion_mnist.params.training import DEFAULTS
from fashion_mnist.sources.idx import decode_idx
from pipeline.bytes.formats import read_arrays
from tests.dvc_yaml import dvc_stages, paths
from tests.stages.conftest import Reproduced

# What matters to a folder of images alone; tests/stages/test_own_images.py is about that.
OF_A_FOLDER = {"download.folder", "download.name", "normalize.size", "normalize.test_share", "normalize.duplicates"}


def test_download_writes_the_four_published_names(reproduced: Reproduced) -> None:
    assert sorted(path.name for path in (reproduced.folder / "data/raw").iterdir()) == [
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
    ]


@pytest.mark.parametrize(("split", "images"), [("train", 160), ("validation", 40), ("test", 50)])
def test_normalized_split_holds_scaled_images_and_balanced_labels(
    reproduced: Reproduced, split: str, images: int
) -> None:
    folder = reproduced.folder / "data/normalized" / split
    pixels, labels = np.load(folder / "images.npy", mmap_mode="r"), np.load(folder / "labels.npy")
    assert (pixels.dtype, pixels.shape) == (np.float32, (images, 28, 28, 1))
    assert (labels.dtype, labels.shape) == (np.uint8, (images,))
    assert pixels.min() == 0
    assert 0.5 < pixels.max() <= 1
    assert set(np.bincount(labels)) == {images // 10}


def test_test_split_keeps_the_published_order(reproduced: Reproduced) -> None:
    published = decode_idx(
        (reproduced.folder / "data/raw/t10k-labels-idx1-ubyte.gz").read_bytes(), dimensions=1, name="labels"
    )
    assert np.array_equal(np.load(reproduced.folder / "data/normalized/test/labels.npy"), published)
    for model in ("dense", "cnn"):
        table = pd.read_csv(reproduced.folder / f"reports/predictions/{model}.csv")
        assert list(table) == ["label", "prediction", "confidence"]
        assert np.array_equal(table["label"], published)


@pytest.mark.parametrize(("model", "epochs"), [("dense", 2), ("cnn", 1)])
def test_history_has_a_row_per_epoch(reproduced: Reproduced, model: str, epochs: int) -> None:
    history = pd.read_csv(reproduced.folder / f"reports/history/{model}.csv")
    assert list(history) == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]
    assert list(history["epoch"]) == list(range(1, epochs + 1))


def test_metrics_are_flat_numbers_that_follow_from_the_predictions(reproduced: Reproduced) -> None:
    for model, parameters in {"dense": 101_770, "cnn": 421_642}.items():
        metrics = json.loads((reproduced.folder / f"reports/metrics/{model}.json").read_text())
        table = pd.read_csv(reproduced.folder / f"reports/predictions/{model}.csv")
        assert all(isinstance(value, int | float) for value in metrics.values())
        assert metrics["accuracy"] == pytest.approx((table["label"] == table["prediction"]).mean())
        assert metrics["accuracy_low"] < metrics["accuracy"] < metrics["accuracy_high"]
        assert metrics["train_validation_gap"] == pytest.approx(
            metrics["train_accuracy"] - metrics["validation_accuracy"], abs=1e-6
        )
        assert metrics["parameters"] == parameters


@pytest.mark.parametrize("model", ["dense", "cnn"])
def test_curves_begin_with_what_the_model_predicts_unchanged(reproduced: Reproduced, model: str) -> None:
    table = pd.read_csv(reproduced.folder / f"reports/predictions/{model}.csv").head(20)
    for change in ("position", "rotation", "noise"):
        curve = pd.read_csv(reproduced.folder / f"reports/{change}/{model}.csv")
        assert curve["accuracy"][0] == pytest.approx((table["label"] == table["prediction"]).mean())
        assert list(curve)[1:4] == ["accuracy", "low", "high"]
    position = pd.read_csv(reproduced.folder / f"reports/position/{model}.csv")
    assert list(position["pixels"]) == [0, 1, 2]
    assert position.iloc[:, 4:].mean(axis=1).tolist() == pytest.approx(position["accuracy"].tolist(), abs=1e-6)


def test_arrays_hold_every_misjudged_image_and_the_example(reproduced: Reproduced) -> None:
    arrays = read_arrays(reproduced.folder / "reports/arrays.npz")
    tables = [pd.read_csv(reproduced.folder / f"reports/predictions/{model}.csv") for model in ("dense", "cnn")]
    wrong = np.any([table["label"] != table["prediction"] for table in tables], axis=0)
    assert arrays["misjudged"].tolist() == np.flatnonzero(wrong).tolist()
    published = decode_idx(
        (reproduced.folder / "data/raw/t10k-images-idx3-ubyte.gz").read_bytes(), dimensions=3, name="images"
    )
    assert np.array_equal(arrays["misjudged_images"][..., 0], published[wrong])
    assert np.array_equal(arrays["example_image"][..., 0], published[0])
    assert arrays["cnn/maps/pooling_2"].shape == (7, 7, 64)


def test_comparison_follows_from_the_predictions(reproduced: Reproduced) -> None:
    comparison = json.loads((reproduced.folder / "reports/comparison.json").read_text())
    right = {
        model: (table := pd.read_csv(reproduced.folder / f"reports/predictions/{model}.csv"))["label"]
        == table["prediction"]
        for model in ("dense", "cnn")
    }
    assert comparison["difference"] == pytest.approx(right["cnn"].mean() - right["dense"].mean())
    assert comparison["only_candidate_right"] == (right["cnn"] & ~right["dense"]).sum()


def test_report_shows_the_figures_beside_it_and_says_that_it_is_synthetic(reproduced: Reproduced) -> None:
    page = (reproduced.folder / "reports/report.md").read_text()
    assert "**Synthetic data.**" in page
    figures = sorted(path.name for path in (reproduced.folder / "reports/figures").iterdir())
    assert sorted(re.findall(r"\(figures/([\w.]+)\)", page)) == figures
    assert {"answer.svg", "position.svg", "learning_curves_cnn.svg", "confusion_dense.svg"} <= set(figures)


def test_numbers_on_the_page_are_those_of_the_json_files(reproduced: Reproduced) -> None:
    page = (reproduced.folder / "reports/report.md").read_text().replace("\u00a0", " ")
    html = (reproduced.folder / "reports/report.html").read_text().replace("\u00a0", " ")
    metrics = [
        json.loads((reproduced.folder / f"reports/metrics/{model}.json").read_text()) for model in ("dense", "cnn")
    ]
    rows = {
        "**test accuracy**": "accuracy",
        "validation accuracy": "validation_accuracy",
        "train accuracy": "train_accuracy",
    }
    for label, key in rows.items():
        assert f"| {label} | {' | '.join(f'{100 * scores[key]:.2f} %' for scores in metrics)} |" in page
    assert f"| test loss, nats | {' | '.join('{:.4f}'.format(scores['loss']) for scores in metrics)} |" in page
    comparison = json.loads((reproduced.folder / "reports/comparison.json").read_text())
    for key in ("difference_low", "difference_high"):
        shown = f"{100 * comparison[key]:+.2f}".replace("-", "−")
        assert shown in page
        assert shown in html
    counts = [f"{comparison[key]:,}" for key in ("both_right", "only_baseline_right")]
    assert f"| dense network right | {' | '.join(counts)} |" in page


def test_nothing_temporary_is_left_behind(reproduced: Reproduced) -> None:
    assert list(reproduced.folder.rglob(".*")) == []


def test_outputs_are_those_that_dvc_yaml_declares(reproduced: Reproduced) -> None:
    ran = [stage for name, stage in dvc_stages().items() if name != "track"]
    declared = set().union(*(paths(stage, "outs", "metrics", "plots") for stage in ran))
    written = {path.relative_to(reproduced.folder) for path in reproduced.folder.rglob("*") if path.is_file()}
    given = {"params.yaml", "requirements/compute.txt", "requirements/run.txt", "reports/study.json"}
    outputs = written - set(map(Path, given))
    assert [path for path in declared if not (reproduced.folder / path).exists()] == []
    assert [path for path in outputs if not declared & {str(path), *map(str, path.parents)}] == []


def test_each_stage_reads_exactly_the_params_that_dvc_yaml_declares(reproduced: Reproduced) -> None:
    stages = dvc_stages()
    document = YAML(typ="safe").load(reproduced.folder / "params.yaml")
    for name, read in reproduced.reads.items():
        declared = {leaf for key in stages[name]["params"] for leaf in leaves(document, key)}
        if name == "evaluate":  # which reads only the names of the models
            declared = {leaf for leaf in declared if not leaf.startswith("train")}
            read -= {"train"}
        # Defaults are in params/training.py, which dvc.yaml names; not every training needs each.
        optional = {f"{name.replace('@', '.')}.{key}" for key in DEFAULTS} if name.startswith("train@") else set()
        assert declared - OF_A_FOLDER <= read <= declared | optional, name
        assert read - optional == declared - OF_A_FOLDER - optional, name


def leaves(document: dict[str, object], key: str) -> set[str]:
    """List the parameters under a dotted key; mappings by model count as one parameter."""
    value: object = document
    for part in key.split("."):
        value = value[part]  # type: ignore[index]
    if not isinstance(value, dict) or key == "report.article":
        return {key}
    return {leaf for part in value for leaf in leaves(document, f"{key}.{part}")}
