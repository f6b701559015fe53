"""A process that decides bytes names the package that is not the locked one."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from fashion_mnist.errors import ArtifactError
from pipeline.runtime.packages import check_packages
from pipeline.runtime.paths import COMPUTE_LOCK, REQUIREMENTS
from pipeline.tools.demo import PROJECT

STAGES = [["download"], ["normalize"], ["train", "dense"], ["evaluate"], ["report"], ["tools.check"], ["study"]]


@pytest.fixture
def other_numpy(tmp_path: Path) -> Path:
    """A folder that holds another NumPy, as far as anyone can tell without importing it."""
    folder = tmp_path / "elsewhere"
    (folder / "numpy-1.26.4.dist-info").mkdir(parents=True)
    (folder / "numpy-1.26.4.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 1.26.4\n")
    return folder


@pytest.mark.parametrize("lock", [COMPUTE_LOCK, REQUIREMENTS])
def test_this_environment_is_the_locked_one(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    check_packages(lock)


def test_another_version_is_named_with_its_place(
    workspace: Path,  # noqa: ARG001
    other_numpy: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(other_numpy))
    said = rf"^numpy: 1\.26\.4 is installed in {other_numpy}; expected =={np.__version__}, as requirements/compute.txt"
    with pytest.raises(ArtifactError, match=said):
        check_packages()


def test_module_that_hides_the_installed_package_is_named(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "termcolor", raising=False)
    (workspace / COMPUTE_LOCK).write_text(f"termcolor=={version('termcolor')}\n")
    check_packages()
    hidden = tmp_path / "termcolor.py"
    hidden.touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ArtifactError, match=f"^termcolor: would be imported from {hidden}"):
        check_packages()


@pytest.mark.slow
@pytest.mark.parametrize("command", STAGES, ids=" ".join)
def test_every_command_that_decides_bytes_refuses_it_in_one_line(
    workspace: Path, other_numpy: Path, command: list[str]
) -> None:
    module, *arguments = command
    done = subprocess.run(
        [sys.executable, "-m", f"pipeline.{module}", *arguments],
        cwd=workspace,
        env={"PYTHONPATH": f"{PROJECT}:{other_numpy}", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: numpy: 1.26.4 is installed in ")


def test_package_for_another_system_is_not_missed(workspace: Path) -> None:
    (workspace / COMPUTE_LOCK).write_text("nowhere==1 ; sys_platform == 'plan9' \\\n    --hash=sha256:00\n")
    check_packages()


def test_package_that_is_not_installed_is_named(workspace: Path) -> None:
    (workspace / COMPUTE_LOCK).write_text("nowhere==1 \\\n    --hash=sha256:00\n    # via nobody\n")
    with pytest.raises(ArtifactError, match=r"^nowhere: is not installed; expected ==1"):
        check_packages()


def test_damaged_lock_is_named(workspace: Path) -> None:
    (workspace / COMPUTE_LOCK).write_text("numpy==\n")
    with pytest.raises(ArtifactError, match=r"^requirements/compute\.txt: cannot be read"):
        check_packages()
