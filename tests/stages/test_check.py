"""What `make repro` looks at before DVC removes anything."""

import re
from pathlib import Path

import pytest

from fashion_mnist.errors import ArtifactError, ParamsError
from pipeline.runtime.machine import LIMIT
from pipeline.tools import check
from pipeline.tools.demo import PROJECT, change_params


def test_good_parameters_without_a_lock_pass(workspace: Path) -> None:
    assert not (workspace / "dvc.lock").exists()
    check.main([])


def test_mistake_in_parameters_is_named(workspace: Path) -> None:
    change_params(workspace / "params.yaml", {"train.cnn.epochs": 0})
    with pytest.raises(ParamsError, match=r"train\.cnn\.epochs is 0; expected at least 1"):
        check.main([])


def test_wrong_limit_on_workers_is_named(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (workspace / "params.yaml").exists()
    monkeypatch.setenv(LIMIT, "two")
    with pytest.raises(ParamsError, match=f"^{LIMIT} is 'two'; expected a whole number from 1"):
        check.main([])


def test_parameter_that_does_not_fit_the_data_set_is_named(workspace: Path) -> None:
    change_params(workspace / "params.yaml", {"evaluate.example": 50})
    with pytest.raises(ParamsError, match=r"^params\.yaml: evaluate\.example is 50; expected at most 49, since test"):
        check.main([])


def test_damaged_lock_is_named_with_the_command_that_brings_it_back(workspace: Path) -> None:
    (workspace / "dvc.lock").write_text("stages:\n  download:\n    outs:\n    - pa")
    with pytest.raises(ArtifactError, match=r"dvc\.lock: is damaged; delete it, and then run `dvc repro`"):
        check.main([])


def test_lock_of_a_killed_dvc_is_named_with_the_command_that_removes_it(workspace: Path) -> None:
    rwlock = workspace / ".dvc/tmp/rwlock"
    rwlock.parent.mkdir(parents=True)
    rwlock.write_text("{}")
    check.main([])
    rwlock.write_text('{"data/raw": {"wri')
    with pytest.raises(ArtifactError, match=r"\.dvc/tmp/rwlock: is cut off.*`rm \.dvc/tmp/rwlock`"):
        check.main([])


def test_make_repro_checks_before_it_calls_dvc() -> None:
    recipe = re.findall(r"^repro:.*\n((?:\t.*\n)+)", (PROJECT / "Makefile").read_text(), re.MULTILINE)[0]
    assert 0 <= recipe.find("pipeline.tools.check") < recipe.find("dvc repro")
