"""A workspace with little synthetic data, and stages that run in it."""

import importlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fashion_mnist.params.fields import Section
from pipeline.tools.demo import PROJECT, change_params
from tests.stages.gated import judged, repository  # noqa: F401 - fixtures

SMALL = {
    "download.dataset": "synthetic",
    "download.synthetic.train_images": 200,
    "download.synthetic.test_images": 50,
    "normalize.validation_images": 40,
    "train.dense.epochs": 2,
    "train.cnn.epochs": 1,
    "evaluate.robustness.images": 20,
    "evaluate.robustness.pixels": 2,
}

STAGES = [
    ("download", []),
    ("normalize", []),
    ("train", ["dense"]),
    ("train", ["cnn"]),
    ("evaluate", []),
    ("report", []),
]


class Reproduced(NamedTuple):
    """A workspace in which every stage ran, and the parameters that each read, by stage as dvc.yaml names it."""

    folder: Path
    reads: dict[str, set[str]]


def make_inputs(folder: Path) -> None:
    """Copy what stages read of the project besides each other's files."""
    shutil.copy(PROJECT / "tests/params.yaml", folder)
    (folder / "requirements").mkdir()
    for lock in ("compute.txt", "run.txt"):
        shutil.copy(PROJECT / "requirements" / lock, folder / "requirements")
    (folder / "reports").mkdir()
    (folder / "reports/study.json").write_text("{}\n")  # no study


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace with parameters for little data, as the current folder."""
    make_inputs(tmp_path)
    change_params(tmp_path / "params.yaml", SMALL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Reproduced:
    """Every stage run once, in order, in this process."""
    folder = tmp_path_factory.mktemp("reproduced")
    make_inputs(folder)
    change_params(folder / "params.yaml", SMALL)
    reads = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for stage, argv in STAGES:
            module = importlib.import_module(f"pipeline.{stage}")
            with recorded_reads(patch, module) as read:
                module.main(argv)
            reads["@".join([stage, *argv])] = read
    return Reproduced(folder, reads)


@contextmanager
def recorded_reads(patch: pytest.MonkeyPatch, module: Any) -> Iterator[set[str]]:
    """Record the dotted name of each parameter that a stage reads."""
    read: set[str] = set()
    places: dict[int, str] = {}
    kept_alive: list[Any] = []

    def spy(section: Section, name: str) -> Any:
        value = object.__getattribute__(section, name)
        place = places.get(id(section))
        if place is not None and name in type(section).model_fields:
            full = f"{place}.{name}".lstrip(".")
            if isinstance(value, Section):
                places[id(value)] = full
            elif name == "train":
                places.update({id(training): f"train.{model}" for model, training in value.items()})
            else:
                read.add(full)
        return value

    def read_params() -> Any:
        params = original()
        kept_alive.append(params)
        places[id(params)] = ""
        return params

    original = module.read_params
    with patch.context() as inner:
        inner.setattr(module, "read_params", read_params)
        inner.setattr(Section, "__getattribute__", spy, raising=False)
        yield read
