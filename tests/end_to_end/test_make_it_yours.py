"""docs/make-it-yours.md, followed in two workspaces: digits of 8x8 pixels, and three unbalanced classes of 40x32."""

import json
import re
import shlex
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
from mlflow.tracking import MlflowClient
from PIL import Image
from ruamel.yaml import YAML

from fashion_mnist.sources.images import decode_image
from pipeline.tools.demo import PROJECT, make_workspace
from pipeline.tools.own import own_params
from tests.end_to_end.conftest import environment_of, free_port, run_dvc, run_module, running, stages_in
from tests.end_to_end.own_images import write_digits, write_shapes

pytestmark = pytest.mark.slow

PAGE = PROJECT / "docs/make-it-yours.md"
IMAGES = 20  # that the served model is asked about
# Mappings by a name of the user's: what the page shows is all of them.
WHOLE = ("train", "article", "floors", "replicates", "sweep")


class Example(NamedTuple):
    """A folder of images: how it is written, what differs from the page's parameters, and what must come out."""

    write: Callable[[Path], None]
    changes: dict[str, Any]
    name: str
    classes: list[str]
    shape: tuple[int, int, int]
    least_accuracy: float
    is_used: bool = False  # served and asked by predict: one of the two, for the sake of time


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
        is_used=True,
    ),
}


def pages_params(changes: dict[str, Any]) -> dict[str, Any]:
    """Return what `make own` leaves, with the parameters of the page's steps and some of an example's own."""
    params: dict[str, Any] = YAML(typ="safe").load(own_params((PROJECT / "params.yaml").read_text(), "Digits"))
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


class Followed(NamedTuple):
    """A workspace in which the page was followed: what DVC and the gate said, what the served model and predict gave.

    served: the answer to the first images of test. wrong: the answer to images of another size. names: what predict
    calls twelve pictures of the last class. All three: None if the example is not used.
    """

    folder: Path
    example: Example
    said: str
    gate: "subprocess.CompletedProcess[str]"
    served: Any = None
    wrong: requests.Response | None = None
    names: list[str] | None = None


def follow(folder: Path, example: Example) -> Followed:
    """Follow the page's steps."""
    make_workspace(folder, {}, params=PROJECT / "params.yaml")
    example.write(folder / "images")
    YAML().dump(pages_params(example.changes), folder / "params.yaml")
    done = run_dvc("repro", workspace=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (typed,) = re.findall(r"^git add -A && git (commit .*Gate-Accept.*)$", PAGE.read_text(), re.MULTILINE)
    for arguments in (
        ["init", "--quiet"],
        ["commit", "--quiet", "--allow-empty", "-m", "The results of Fashion-MNIST are taken out"],
        ["add", "reports", "params.yaml", "dvc.lock"],
        shlex.split(typed),
    ):
        commit(folder, *arguments)
    gate = run_module("gate", folder=folder)
    followed = Followed(folder, example, done.stdout, gate)
    if not example.is_used:
        return followed
    served, wrong = serve(folder, example)
    return followed._replace(served=served, wrong=wrong, names=predict(folder, example))


def commit(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=folder, check=True)


def serve(folder: Path, example: Example) -> tuple[Any, requests.Response]:
    """Serve the champion and ask it about images of test, and about images that lack a row."""
    pixels = np.rint(np.load(folder / "data/normalized/test/images.npy")[:IMAGES] * 255).astype(int)
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    mlflow = str(Path(sys.executable).with_name("mlflow"))
    command = [mlflow, "models", "serve", "-m", f"models:/{example.name}@champion", "--env-manager", "local"]
    environment = environment_of() | {"MLFLOW_TRACKING_URI": "sqlite:///tracking/mlflow.db"}
    with running(
        [*command, "--port", str(port), "--workers", "1"],
        folder=folder,
        ready=f"{address}/ping",
        environment=environment,
    ):
        answer = requests.post(f"{address}/invocations", json={"inputs": pixels.tolist()}, timeout=60)
        wrong = requests.post(f"{address}/invocations", json={"inputs": pixels[:, 1:].tolist()}, timeout=60)
    return answer.json()["predictions"], wrong


def predict(folder: Path, example: Example) -> list[str]:
    """Return what the command calls twelve pictures of the last class, as they are in the folder."""
    pictures = folder.with_name("pictures")
    pictures.mkdir()
    for path in sorted((folder / "images/train" / example.classes[-1]).glob("[0-9]*"))[:12]:
        shutil.copy(path, pictures)
    done = run_module("tools.predict", str(pictures), "--output", str(pictures / "table.csv"), folder=folder)
    assert done.returncode == 0, done.stderr
    return [line.split(",")[2] for line in (pictures / "table.csv").read_text().splitlines()[1:]]


@pytest.fixture(scope="module")
def workspaces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Followed]:
    """Both at the same time."""
    folders = [tmp_path_factory.mktemp(name) / "clone" for name in EXAMPLES]
    with ThreadPoolExecutor() as pool:
        return dict(zip(EXAMPLES, pool.map(follow, folders, EXAMPLES.values()), strict=True))


@pytest.fixture(params=list(EXAMPLES))
def followed(request: pytest.FixtureRequest, workspaces: dict[str, Followed]) -> Followed:
    return workspaces[request.param]


@pytest.fixture
def used(workspaces: dict[str, Followed]) -> Followed:
    """The example whose model is served and asked."""
    (found,) = (followed for followed in workspaces.values() if followed.example.is_used)
    return found


def read_json(path: Path) -> Any:
    return json.loads(path.read_text())


def test_every_stage_runs(followed: Followed) -> None:
    assert stages_in(followed.said) == [
        "download", "normalize", "train@small", "train@large", "evaluate", "report", "track",
    ]  # fmt: skip


def test_data_are_described_once_for_all(followed: Followed) -> None:
    folder, example = followed.folder, followed.example
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
    folder, example = followed.folder, followed.example
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
    folder, example = followed.folder, followed.example
    shutil.copy(folder / "tracking/mlflow.db", tmp_path)
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    assert {experiment.name for experiment in client.search_experiments()} >= {example.name}
    champion = client.get_model_version_by_alias(example.name, "champion")
    assert champion.tags["model"] in ("small", "large")
    assert champion.run_id is not None
    metrics = client.get_run(champion.run_id).data.metrics
    assert sum(key.startswith("recall_") for key in metrics) == len(example.classes)


def test_gate_holds_first_results_to_the_floors_and_compares_the_next(followed: Followed) -> None:
    assert followed.gate.returncode == 0, followed.gate.stdout + followed.gate.stderr
    assert "gate: passes" in followed.gate.stdout
    assert "large: not compared with the baseline" in followed.gate.stdout
    commit(followed.folder, "commit", "--quiet", "--allow-empty", "-m", "something else")
    again = run_module("gate", folder=followed.folder)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "the same bytes as at the baseline" in again.stdout


def test_served_model_answers_with_its_own_shapes_and_classes(used: Followed) -> None:
    example, found = used.example, used.served
    labels = np.load(used.folder / "data/normalized/test/labels.npy")[:IMAGES]
    assert np.shape(found["probabilities"]) == (IMAGES, len(example.classes))
    assert np.mean([example.classes[label] == name for label, name in zip(labels, found["names"], strict=True)]) > 0.7


def test_served_model_refuses_another_shape_and_names_its_own(used: Followed) -> None:
    assert used.wrong is not None
    assert used.wrong.status_code == 400
    assert f"of shape (n, {', '.join(map(str, used.example.shape))})" in used.wrong.text


def test_pictures_are_classified_as_they_are(used: Followed) -> None:
    assert used.names is not None
    assert used.names.count("round disc") >= 10


def test_changed_image_is_noticed_and_nothing_to_do_is_said(workspaces: dict[str, Followed], tmp_path: Path) -> None:
    folder = tmp_path / "clone"
    shutil.copytree(workspaces["digits"].folder, folder, ignore=shutil.ignore_patterns(".git"))
    again = run_dvc("repro", "--dry", "dvc.yaml", workspace=folder)
    assert "Data and pipelines are up to date" in again.stdout + again.stderr
    (changed,) = (folder / "images/train/3").glob("0003.png")
    Image.fromarray(255 - decode_image(changed.read_bytes(), name="3")[..., 0]).save(changed)
    done = run_dvc("repro", "--single-item", "download", workspace=folder)
    assert stages_in(done.stdout) == ["download"]
