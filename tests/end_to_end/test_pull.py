"""A clone that pulls data and models trains nothing; one that does not still knows whether a run was forgotten."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.tools.demo import PROJECT
from tests.end_to_end.conftest import run_dvc, stages_in

pytestmark = pytest.mark.slow


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=tester", "-c", "user.email=tester@example.org"]
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def dvc(folder: Path, *arguments: str) -> str:
    done = run_dvc(*arguments, workspace=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "results")


@pytest.fixture
def repository(clone: Path) -> Path:
    """A workspace with the project's settings, in git."""
    shutil.copy(PROJECT / ".gitignore", clone)
    (clone / ".dvc/.gitignore").write_text((PROJECT / ".dvc/.gitignore").read_text() + "/site-cache\n")
    shutil.copy(PROJECT / ".dvc/config", clone / ".dvc/config")
    git(clone, "init", "--quiet")
    return clone


def cloned(repository: Path) -> Path:
    """Return a new clone, without data and cache."""
    other = repository.with_name("other")
    git(repository, "clone", "--quiet", str(repository), str(other))
    return other


def test_clone_that_pulls_fills_only_the_store_and_changes_nothing(repository: Path, tmp_path: Path) -> None:
    dvc(repository, "remote", "add", "--default", "storage", str(tmp_path / "remote"))
    commit(repository)
    dvc(repository, "push")
    clone, other = repository, cloned(repository)
    assert not (other / "models/cnn/model.keras").exists()
    dvc(other, "pull")
    assert (other / "models/cnn/model.keras").read_bytes() == (clone / "models/cnn/model.keras").read_bytes()
    assert stages_in(dvc(other, "repro")) == ["track"]
    assert git(other, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("edited", "stage"),
    [
        (None, None),
        ("src/fashion_mnist/networks/dense.py", "train@dense"),
        ("pipeline/evaluate.py", "evaluate"),
        ("src/fashion_mnist/report/drawing.py", "report"),
    ],
)
def test_clone_without_data_names_the_stage_that_an_edit_left_stale(
    repository: Path, edited: str | None, stage: str | None
) -> None:
    commit(repository)
    other = cloned(repository)
    assert not (other / "models").exists()
    assert not (other / "data").exists()
    if edited:
        with (other / edited).open("a") as file:
            file.write("# edited\n")
    asked = run_dvc("repro", "--allow-missing", "--dry", "--keep-going", workspace=other)
    assert re.findall(r"failed to reproduce '(.*)'", asked.stderr) == ([stage] if stage else [])
    assert ("Data and pipelines are up to date" in asked.stdout + asked.stderr) is (stage is None)
    assert (asked.returncode == 0) is (stage is None)
