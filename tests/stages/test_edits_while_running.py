"""What is edited while a stage runs would be recorded as what ran: DVC reads code and parameters when it has ended."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.runtime import command
from pipeline.runtime.edits import read_inputs
from pipeline.tools.demo import PROJECT, change_params
from tests.dvc_yaml import dvc_stages

STAGES = ("download", "normalize", "train@dense", "train@cnn", "evaluate", "report", "track")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the code, its locks and parameters, as the current folder."""
    for name in ("src", "pipeline", "requirements"):
        shutil.copytree(PROJECT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "tests/params.yaml", tmp_path)
    shutil.copy(PROJECT / "dvc.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "refuse_another_checkout", lambda: None)
    return tmp_path


def run(stage: str, main: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> object:
    """Run a stage's main as DVC would; returns its exit code."""
    monkeypatch.setattr(command, "STAGE", stage)
    monkeypatch.setattr(command, "INPUTS", read_inputs(stage))
    with pytest.raises(SystemExit) as ended:
        command.run(main)
    return ended.value.code


def test_code_and_parameters_of_every_stage_are_found(project: Path) -> None:
    document = YAML(typ="safe").load(project / "params.yaml")
    for stage in STAGES:
        declared = dvc_stages()[stage]
        found = read_inputs(stage)
        assert None not in found.values(), stage
        code = {dep for dep in declared["deps"] if dep.startswith(("pipeline/", "src/", "requirements/"))}
        assert code <= set(found), stage
        keys = [key for key in declared["params"] if isinstance(key, str)] or document
        assert len(found) == len(code) + len(keys), stage


def edit_network(project: Path) -> None:
    with (project / "src/fashion_mnist/networks/dense.py").open("a") as file:
        file.write("# an edit\n")


def edit_epochs(project: Path) -> None:
    change_params(project / "params.yaml", {"train.dense.epochs": 3})


def delete_loop(project: Path) -> None:
    (project / "src/fashion_mnist/training/loop.py").unlink()


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (edit_network, "src/fashion_mnist/networks/dense.py"),
        (edit_epochs, "params.yaml: train.dense"),
        (delete_loop, "src/fashion_mnist/training"),
    ],
)
def test_what_is_edited_while_a_stage_runs_is_refused_by_name(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    edit: Callable[[Path], None],
    named: str,
) -> None:
    assert run("train@dense", lambda: edit(project), monkeypatch) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {named} was edited while train@dense ran")


def test_edit_of_what_another_stage_runs_on_is_nothing_to_this_one(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("train@cnn", lambda: edit_network(project), monkeypatch) == 0
    assert run("train@cnn", lambda: edit_epochs(project), monkeypatch) == 0
