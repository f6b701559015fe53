"""A clone that pulls data and models trains nothing."""

import shutil
import subprocess
from pathlib import Path

from pipeline.tools.demo import PROJECT
from tests.end_to_end.conftest import run_dvc, stages_in


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=tester", "-c", "user.email=tester@example.org"]
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def dvc(folder: Path, *arguments: str) -> str:
    done = run_dvc(*arguments, workspace=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


def test_clone_that_pulls_fills_only_the_store_and_changes_nothing(clone: Path, tmp_path: Path) -> None:
    shutil.copy(PROJECT / ".gitignore", clone)
    (clone / ".dvc/.gitignore").write_text((PROJECT / ".dvc/.gitignore").read_text() + "/site-cache\n")
    shutil.copy(PROJECT / ".dvc/config", clone / ".dvc/config")
    git(clone, "init", "--quiet")
    dvc(clone, "remote", "add", "--default", "storage", str(tmp_path / "remote"))
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--message", "results")
    dvc(clone, "push")
    other = tmp_path / "other"
    git(tmp_path, "clone", "--quiet", str(clone), str(other))
    assert not (other / "models/cnn/model.keras").exists()
    dvc(other, "pull")
    assert (other / "models/cnn/model.keras").read_bytes() == (clone / "models/cnn/model.keras").read_bytes()
    assert stages_in(dvc(other, "repro")) == ["track"]
    assert git(other, "status", "--porcelain") == ""
