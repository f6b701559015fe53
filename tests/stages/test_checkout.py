"""One process, one checkout: the code of the current folder runs, or nothing does."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.tools.demo import PROJECT


def run(folder: Path, *command: str, path: Path) -> "subprocess.CompletedProcess[str]":
    environment = {"PYTHONPATH": str(path), "PATH": ""}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another checkout, as far as its places go."""
    for package in ("pipeline", "src/fashion_mnist"):
        (tmp_path / package).mkdir(parents=True)
        (tmp_path / package / "__init__.py").touch()
    return tmp_path


def test_code_of_another_checkout_does_not_run(other: Path) -> None:
    done = run(other, "-P", "-m", "pipeline.tools.check", path=PROJECT)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: the code of {PROJECT} runs in {other}, which holds code of its own")


def test_library_is_that_of_the_checkout_whatever_the_path_names(other: Path) -> None:
    script = "import pipeline, fashion_mnist; print(fashion_mnist.__file__)"
    done = run(PROJECT, "-c", script, path=other / "src")
    assert done.stdout.strip() == str(PROJECT / "src/fashion_mnist/__init__.py")


def test_library_of_another_checkout_is_not_used_if_it_was_imported_before(other: Path) -> None:
    done = run(PROJECT, "-c", "import fashion_mnist, pipeline", path=other / "src")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"ImportError: fashion_mnist is {other}/src/fashion_mnist/")


def test_python_without_the_environment_is_told_in_one_line(tmp_path: Path) -> None:
    done = run(PROJECT, "-S", "-m", "pipeline.gate", path=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {sys.executable} has not the project's packages")
