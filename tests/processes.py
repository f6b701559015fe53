"""Processes of the pipeline that start in a tenth of a second: forked from one that has imported TensorFlow and MLflow.

Importing these takes most of what a short process takes. So the first call of a test run starts a process that imports
what stages import (warm.py) and computes nothing; every process is a fork of it, which then takes on the folder, the
environment, the arguments and the path of modules that it is given. The project's own modules are imported anew, from
the folder's copy. A test about what
happens before or while a process imports, or about Python's own variables, must start a real one.
"""

import atexit
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[1]
OURS = ("benchmarks", "fashion_mnist", "pipeline", "tests")
STARTING = ("PYTHONHASHSEED", "PYTHONMALLOC", "PYTHONOPTIMIZE", "PYTHONSAFEPATH", "PYTHONWARNINGS")
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.warm"])


class Process:
    """A running process; as subprocess.Popen, it knows pid, returncode, poll, wait, kill and send_signal."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        out: Path = Path(os.devnull),
        errors: Path = Path(os.devnull),
    ) -> None:
        """Start a command as Python takes it: `-m MODULE ARGUMENT…` or `-c SCRIPT ARGUMENT…`; out: file of stdout."""
        if late := [name for name in STARTING if environment.get(name) != os.environ.get(name)]:
            raise ValueError(f"{late} would change nothing in a fork; expected a real process")
        arguments = (list(command), str(folder), dict(environment), str(out), str(errors))
        self._process: Any = FORKS.Process(target=become, args=arguments, daemon=True)
        self._process.start()
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, or minus the signal that ended the process; None while it runs."""
        code: int | None = self._process.exitcode
        return code

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("a fork", timeout or 0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def run_python(
    *command: str, folder: Path, environment: Mapping[str, str], timeout: float = 300
) -> "subprocess.CompletedProcess[str]":
    """Run a command as Python takes it, `-m MODULE …` or `-c SCRIPT …`, and return its exit code and what it said."""
    with tempfile.TemporaryDirectory() as scratch:
        out, errors = Path(scratch, "out"), Path(scratch, "errors")
        process = Process(command, folder=folder, environment=environment, out=out, errors=errors)
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
        return subprocess.CompletedProcess(command, code, out.read_text(), errors.read_text())


def become(command: list[str], folder: str, environment: dict[str, str], out: str, errors: str) -> None:
    """Turn this fork into the process that was asked for, and end with it."""
    # A daemon ends with the tests, but may not start processes by this package itself, as DVC's queue does.
    multiprocessing.current_process()._config["daemon"] = False
    for number, path in ((1, out), (2, errors)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, number)
        os.close(file)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    named = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:] = [folder, *named, *(path for path in sys.path if Path(path) not in (PROJECT, Path()))]
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
    kind, what, *arguments = command
    try:
        if kind == "-m":
            sys.argv = [what, *arguments]
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            sys.argv = ["-c", *arguments]
            exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102
    finally:
        atexit._run_exitfuncs()  # multiprocessing leaves these out
