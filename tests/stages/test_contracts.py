"""What each stage leaves for the next, as the architecture promises it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from fashion_mnist.idx import decode_idx
from pipeline.demo import PROJECT
from tests.stages.conftest import Reproduced


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
    history = pd.read_csv(reproduced.folder / f"models/{model}/history.csv")
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
    for figure in ("learning_curves", "confusion"):
        assert f"(figures/{figure}.svg)" in page
        assert (reproduced.folder / f"reports/figures/{figure}.svg").read_bytes().startswith(b"<?xml")


def test_nothing_temporary_is_left_behind(reproduced: Reproduced) -> None:
    assert list(reproduced.folder.rglob(".*")) == []


def test_outputs_are_those_that_dvc_yaml_declares(reproduced: Reproduced) -> None:
    declared = set()
    for stage in YAML(typ="safe").load(PROJECT / "dvc.yaml")["stages"].values():
        for kind in ("outs", "metrics", "plots"):
            for entry in stage.get(kind, []):
                path = entry if isinstance(entry, str) else next(iter(entry))
                declared |= {path.replace("${item.model}", model) for model in ("dense", "cnn")}
    written = [path.relative_to(reproduced.folder) for path in reproduced.folder.rglob("*") if path.is_file()]
    strangers = [
        path for path in written if path != Path("params.yaml") and not declared & {str(path), *map(str, path.parents)}
    ]
    assert strangers == []


def test_each_stage_reads_exactly_the_params_that_dvc_yaml_declares(reproduced: Reproduced) -> None:
    stages = YAML(typ="safe").load(PROJECT / "dvc.yaml")["stages"]
    document = YAML(typ="safe").load(reproduced.folder / "params.yaml")
    for name, read in reproduced.reads.items():
        stage, _, model = name.partition("@")
        declared = {
            leaf for key in stages[stage]["params"] for leaf in leaves(document, key.replace("${item.model}", model))
        }
        assert read == declared, name


def leaves(document: dict[str, object], key: str) -> set[str]:
    """List the parameters under a dotted key; the article's accuracies count as one, for models come and go there."""
    value: object = document
    for part in key.split("."):
        value = value[part]  # type: ignore[index]
    if not isinstance(value, dict) or key == "report.article":
        return {key}
    return {leaf for part in value for leaf in leaves(document, f"{key}.{part}")}
