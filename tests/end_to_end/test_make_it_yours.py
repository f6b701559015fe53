"""docs/make-it-yours.md, followed in two workspaces: digits of 8x8 pixels, and three unbalanced classes of 40x32."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import requests
from PIL import Image
from ruamel.yaml import YAML

from fashion_mnist.data.images import decode_image
from pipeline.tools.demo import PROJECT, make_workspace, run_dvc
from tests.end_to_end.conftest import MlflowClient, environment_of, free_port, run_module, running, stages_in
from tests.end_to_end.own_images import write_digits, write_shapes

PAGE = PROJECT / "docs/make-it-yours.md"
# Mappings by a name of the user's: what the page shows is all of them.
WHOLE = ("models", "train", "article", "floors", "replicates", "sweep")


class Example(NamedTuple):
    """A folder of images: how it is written, what differs from the page's parameters, and what must come out."""

    write: Callable[[Path], None]
    changes: dict[str, Any]
    name: str
    classes: list[str]
    shape: tuple[int, int, int]
    least_accuracy: float


EXAMPLES = {
    "digits": Example(write_digits, {}, "digits", [str(number) for number in range(10)], (8, 8, 1), 0.97),
    "shapes": Example(
        write_shapes,
        {
            "download": {"name": "Three shapes"},
            "normalize": {"validation_images": 40},
            "train": {"large": {"epochs": 6}, "small": {"epochs": 6}},
            "gate": {"margin": 0.2, "floors": {"large": {"accuracy": 0.6, "recall": 0.3}}},
        },
        "three-shapes",
        ["Kreuz groß", "bar", "round disc"],
        (40, 32, 3),
        0.8,
    ),
}


def pages_params(changes: dict[str, Any]) -> dict[str, Any]:
    """Return the project's parameters with those of the page's steps, and with some of an example's own."""
    params: dict[str, Any] = YAML(typ="safe").load((PROJECT / "params.yaml").read_bytes())
    for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL):
        merge(params, YAML(typ="safe").load(block), whole=WHOLE)
    merge(params, changes, whole=())
    return params


def merge(target: dict[str, Any], changes: dict[str, Any], *, whole: tuple[str, ...]) -> None:
    """Change nested mappings in place; those named `whole` are replaced."""
    for key, value in changes.items():
        if isinstance(value, dict) and key not in whole:
            merge(target[key], value, whole=whole)
        else:
            target[key] = value


def follow(folder: Path, example: Example) -> str:
    """Follow the page's steps; returns what DVC said."""
    make_workspace(folder, {}, params=PROJECT / "params.yaml")
    example.write(folder / "images")
    YAML().dump(pages_params(example.changes), folder / "params.yaml")
    done = run_dvc("repro", workspace=folder, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for arguments in (
        ("init", "--quiet"),
        ("add", "reports", "params.yaml", "dvc.lock"),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "First results"),
    ):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    return done.stdout


class Followed(NamedTuple):
    """A workspace in which the page was followed, what DVC said, and what it is an example of."""

    folder: Path
    said: str
    example: Example


@pytest.fixture(scope="module")
def workspaces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Followed]:
    """Both at the same time."""
    folders = {name: tmp_path_factory.mktemp(name) / "clone" for name in EXAMPLES}
    with ThreadPoolExecutor() as pool:
        said = dict(zip(EXAMPLES, pool.map(follow, folders.values(), EXAMPLES.values()), strict=True))
    return {name: Followed(folders[name], said[name], example) for name, example in EXAMPLES.items()}


@pytest.fixture(params=list(EXAMPLES))
def followed(request: pytest.FixtureRequest, workspaces: dict[str, Followed]) -> Followed:
    return workspaces[request.param]


def read_json(path: Path) -> Any:
    return json.loads(path.read_text())


def test_every_stage_runs(followed: Followed) -> None:
    assert stages_in(followed.said) == [
        "download", "normalize", "train@small", "train@large", "evaluate", "report", "track",
    ]  # fmt: skip


def test_data_are_described_once_for_all(followed: Followed) -> None:
    folder, _, example = followed
    data = read_json(folder / "reports/data.json")
    assert (data["classes"], tuple(data["image_shape"])) == (example.classes, example.shape)
    for split in ("train", "validation", "test"):
        assert min(data[split]["class_counts"]) > 0
        images = np.load(folder / f"data/normalized/{split}/images.npy", mmap_mode="r")
        assert images.shape == (data[split]["images"], *example.shape)
        beside = read_json(folder / f"data/normalized/{split}/data.json")
        assert {key: beside[key] for key in data[split]} == data[split]
        assert beside["classes"] == example.classes


def test_convolutional_network_learns_them(followed: Followed) -> None:
    metrics = read_json(followed.folder / "reports/metrics/large.json")
    assert metrics["accuracy"] > followed.example.least_accuracy
    assert metrics["balanced_accuracy"] > 0.7
    assert "macro_f1" in metrics


def test_page_names_the_data_the_models_and_the_classes_and_no_article(followed: Followed) -> None:
    folder, _, example = followed
    page = (folder / "reports/report.md").read_text()
    name = pages_params(example.changes)["download"]["name"]
    assert page.startswith(f"# large versus small on {name}\n")
    for found in example.classes:
        assert f"\n| {found} | " in page
    assert "article" not in page
    assert "Fashion" not in page
    assert "test balanced accuracy" in page
    html = (folder / "reports/report.html").read_text()
    assert all(found in html for found in example.classes)


def test_runs_and_registered_model_have_the_datas_name(followed: Followed, tmp_path: Path) -> None:
    folder, _, example = followed
    shutil.copy(folder / "tracking/mlflow.db", tmp_path)
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    assert {experiment.name for experiment in client.search_experiments()} >= {example.name}
    champion = client.get_model_version_by_alias(example.name, "champion")
    assert champion.tags["model"] in ("small", "large")
    metrics = client.get_run(champion.run_id).data.metrics
    assert sum(key.startswith("recall_") for key in metrics) == len(example.classes)


def test_gate_passes_against_the_commit(followed: Followed) -> None:
    done = run_module("tools.gate", folder=followed.folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "gate: passes" in done.stdout


def test_served_model_answers_with_its_own_shapes_and_classes(followed: Followed) -> None:
    folder, _, example = followed
    images = np.load(folder / "data/normalized/test/images.npy")[:20]
    labels = np.load(folder / "data/normalized/test/labels.npy")[:20]
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [
        str(Path(sys.executable).with_name("mlflow")),
        "models",
        "serve",
        "-m",
        f"models:/{example.name}@champion",
    ]
    environment = environment_of(folder) | {"MLFLOW_TRACKING_URI": "sqlite:///tracking/mlflow.db"}
    with running(
        [*command, "--env-manager", "local", "--port", str(port), "--workers", "1"],
        folder=folder,
        ready=f"{address}/ping",
        environment=environment,
    ):
        pixels = np.rint(images * 255).astype(int)
        answer = requests.post(f"{address}/invocations", json={"inputs": pixels.tolist()}, timeout=60)
        wrong = requests.post(f"{address}/invocations", json={"inputs": pixels[:, 1:].tolist()}, timeout=60)
    found = answer.json()["predictions"]
    assert np.shape(found["probabilities"]) == (20, len(example.classes))
    assert np.mean([example.classes[label] == name for label, name in zip(labels, found["names"], strict=True)]) > 0.7
    assert wrong.status_code == 400
    assert f"of shape (n, {', '.join(map(str, example.shape))})" in wrong.text


def test_pictures_are_classified_as_they_are(followed: Followed, tmp_path: Path) -> None:
    folder, _, example = followed
    source = folder / "images/train" / example.classes[-1]
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for path in sorted(source.glob("[0-9]*"))[:12]:
        shutil.copy(path, pictures)
    table = tmp_path / "predictions.csv"
    done = run_module("tools.predict", str(pictures), "--output", str(table), folder=folder)
    assert done.returncode == 0, done.stderr
    names = [line.split(",")[2] for line in table.read_text().splitlines()[1:]]
    assert names.count(example.classes[-1]) >= 10


def test_changed_image_is_noticed_and_nothing_to_do_is_said(workspaces: dict[str, Followed], tmp_path: Path) -> None:
    folder = tmp_path / "clone"
    shutil.copytree(workspaces["digits"].folder, folder, ignore=shutil.ignore_patterns(".git"))
    again = run_dvc("repro", "--dry", "dvc.yaml", workspace=folder, capture_output=True)
    assert "Data and pipelines are up to date" in again.stdout + again.stderr
    (changed,) = (folder / "images/train/3").glob("0003.png")
    Image.fromarray(255 - decode_image(changed.read_bytes(), name="3")[..., 0]).save(changed)
    status = run_dvc("status", "download", workspace=folder, capture_output=True)
    assert "images" in status.stdout
    done = run_dvc("repro", "--single-item", "download", workspace=folder, capture_output=True)
    assert stages_in(done.stdout) == ["download"]
