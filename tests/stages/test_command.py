"""A command whose reader leaves, as `head` does, ends as it would have: the same exit code, the same files, no word."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.tools.demo import PROJECT

COMMAND = """
import sys
from pathlib import Path
from pipeline.runtime.command import run, say
from fashion_mnist.errors import DataError

def main():
    for number in range(5000):
        say(f"line {number}")
    print("and more")
    print("a warning", file=sys.stderr)
    Path("written").touch()
    ENDING

run(main)
"""
ENDINGS = {"None": 0, "sys.exit(2)": 2, "raise DataError('refused')": 1, "say(str(1 / 0))": 1}


def start(folder: Path, *arguments: str, stdout: int, stderr: int) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": f"{PROJECT}{os.pathsep}{PROJECT / 'src'}"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, stdout=stdout, stderr=stderr, text=True, check=False)


@pytest.fixture
def unread() -> int:
    """A pipe that nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.parametrize("option", ["-u", "-B"])  # without a buffer, and with one
@pytest.mark.parametrize("ending", ENDINGS)
def test_reader_that_left_changes_nothing(tmp_path: Path, unread: int, option: str, ending: str) -> None:
    script = COMMAND.replace("ENDING", ending)
    done = start(tmp_path, option, "-c", script, stdout=unread, stderr=subprocess.PIPE)
    assert done.returncode == ENDINGS[ending]
    assert "BrokenPipe" not in done.stderr
    assert (tmp_path / "written").exists()
    assert start(tmp_path, option, "-c", script, stdout=unread, stderr=unread).returncode == ENDINGS[ending]


@pytest.mark.parametrize(
    ("module", "code"),
    [("gate", 2), ("gate.reproduction", 1), ("tools.summary", 1), ("tools.check", 1), ("gate --help", 0)],
)
def test_every_command_ends_with_its_own_code(tmp_path: Path, unread: int, module: str, code: int) -> None:
    name, *options = module.split()
    done = start(tmp_path, "-m", f"pipeline.{name}", *options, stdout=unread, stderr=subprocess.PIPE)
    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_streams_that_were_closed_change_nothing(tmp_path: Path) -> None:
    command = f'exec {sys.executable} -c "$SCRIPT" >&- 2>&-'
    environment = {**os.environ, "PYTHONPATH": f"{PROJECT}{os.pathsep}{PROJECT / 'src'}"}
    environment["SCRIPT"] = COMMAND.replace("ENDING", "sys.exit(2)")
    assert subprocess.run(["sh", "-c", command], cwd=tmp_path, env=environment, check=False).returncode == 2
    assert (tmp_path / "written").read_bytes() == b""


def test_gate_refused_before_it_begins_is_no_regression(tmp_path: Path) -> None:
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline/__init__.py").touch()  # code of its own, which is not what runs
    script = f"import sys, runpy; sys.path[0] = {str(PROJECT)!r}; runpy.run_module('pipeline.gate', None, '__main__')"
    done = start(tmp_path, "-c", script, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert "holds code of its own" in done.stderr


def test_stage_has_the_name_of_dvc_without_the_place_of_dvc_yaml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_STAGE", "../dvc.yaml:train@cnn")
    script = "from pipeline.runtime.command import STAGE; print(STAGE)"
    told = start(tmp_path, "-c", script, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert told.stdout == "train@cnn\n"
