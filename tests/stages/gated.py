"""A small clone with a committed evaluation, and the gate run in it: what the tests about the gate share."""

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from fashion_mnist.data.dataset import array_digest
from fashion_mnist.data.description import DataSet
from fashion_mnist.data.split import Labels
from fashion_mnist.scores.metrics import score_predictions
from fashion_mnist.sources.published import FASHION_MNIST
from pipeline.bytes.formats import write_csv, write_json
from pipeline.gate import __main__ as gate
from pipeline.gate import change
from pipeline.gate.baselines import VARIABLES
from pipeline.runtime.parameters import read_params
from pipeline.tools.demo import PROJECT, change_params

LABELS = np.repeat(np.arange(10, dtype=np.uint8), 1000)
PARAMS = {"gate.margin": 0.01, "gate.floors.dense.accuracy": 0.8, "gate.floors.cnn.accuracy": 0.85}
PASSES, REGRESSION, CANNOT_JUDGE = 0, 1, 2


def right_but(wrong: Mapping[int, int]) -> Labels:
    """Predictions that are wrong for so many images of each class: the first ones, taken for the next class."""
    predictions = LABELS.copy()
    for number, count in wrong.items():
        start = 1000 * number
        predictions[start : start + count] = (number + 1) % 10
    return predictions


DENSE = right_but(dict.fromkeys(range(10), 130))
CNN = right_but(dict.fromkeys(range(10), 90))


def git(*arguments: str) -> str:
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *identity, *arguments], check=True, capture_output=True, text=True).stdout.strip()


def commit(message: str) -> str:
    git("add", "--all")
    git("commit", "--quiet", "--allow-empty", "--message", message)
    return git("rev-parse", "HEAD")


def write_evaluation(model: str, predictions: Labels, labels: Labels = LABELS) -> None:
    """Write what evaluate writes for one model."""
    scores = score_predictions(labels, predictions, classes=10, confidence=0.95)
    scores |= {"loss": 0.3, "parameters": 100}
    write_json({key: round(value, 6) for key, value in scores.items()}, Path(f"reports/metrics/{model}.json"))
    table = pd.DataFrame({"label": labels, "prediction": predictions, "confidence": 0.9})
    write_csv(table, Path(f"reports/predictions/{model}.csv"))


def write_lock(**changed: object) -> None:
    """Write a dvc.lock in which each model's training has a seed, code and an output."""
    record = {"seed": 1, "code": "aa", "model": "bb"} | changed
    trained = read_params().train
    stages = {
        f"train@{model}": {
            "deps": [{"path": "src/fashion_mnist/networks/cnn.py", "md5": record["code"]}],
            "params": {
                "params.yaml": {f"train.{model}": trained[model].model_dump(mode="json") | {"seed": record["seed"]}}
            },
            "outs": [{"path": f"models/{model}/model.keras", "md5": record["model"]}],
        }
        for model in ("dense", "cnn")
    }
    YAML().dump({"schema": "2.0", "stages": stages}, Path("dvc.lock"))


def write_data(images: int = len(LABELS), sha256: str = "1234", *, dataset: DataSet = FASHION_MNIST) -> None:
    split = {"images": images, "class_counts": [images // 10] * 10, "pixel_mean": 0.3, "pixel_std": 0.3}
    split |= {"images_sha256": sha256, "labels_sha256": array_digest(LABELS)}
    found = {"duplicates_within_train": 0, "test_images_in_train": [], "near_duplicates": []}
    splits = {"train": split, "validation": split, "test": split}
    write_json(dataset.model_dump() | splits | found, Path("reports/data.json"))


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone on its default branch, with an evaluation that is two commits old, as the current folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for variable in VARIABLES:  # of the CI that may run this test
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(change, "check_current", lambda _: None)  # its own tests: end_to_end/test_stale_results.py
    monkeypatch.setattr(change, "check_study", lambda: None)
    shutil.copy(PROJECT / "tests/params.yaml", folder)
    change_params(folder / "params.yaml", PARAMS)
    git("init", "--quiet", "--initial-branch", "main")
    write_evaluation("dense", DENSE)
    write_evaluation("cnn", CNN)
    write_data()
    write_lock()
    commit("results")
    commit("something else")
    return folder


Judge = Callable[..., tuple[int, str]]


@pytest.fixture
def judged(capsys: pytest.CaptureFixture[str]) -> Judge:
    """Run the gate; returns its exit code and what it prints."""

    def run(*argv: str) -> tuple[int, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            gate.main(argv)
        return int(str(ended.value.code)), capsys.readouterr().out

    return run
