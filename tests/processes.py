"""Processes of the pipeline that start in a tenth of a second: forked from one that has imported TensorFlow and MLflow.

Importing these takes most of what a short process takes. So the first call of a test run starts a process that imports
what stages import (warm.py) and computes nothing; every process is a fork of it, which then takes on the folder, the
environment, the arguments and the path of modules that it is given. The project's own modules are imported anew, from
the folder's copy. Where PATH begins with `folder_of_python()`, what such a process starts as `python` or as
`sys.executable` is a fork, too. A test about what happens before or while a process imports, about process groups, or
about Python's own variables, must start a real one.
"""

import atexit
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from tests.fork import ask

PROJECT = Path(__file__).parents[1]


@cache
def folder_of_python() -> Path:
    """Start the server to fork from, once; returns the folder of its socket and of a `python` that is a fork."""
    scratch = tempfile.TemporaryDirectory(prefix="forks-")
    folder = Path(scratch.name)
    address = folder / "socket"
    shim = folder / "python"
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -IS "{PROJECT}/tests/fork.py" "{address}" "$@"\n')
    shim.chmod(0o700)
    command = [sys.executable, "-m", "tests.warm", str(address)]
    # Ctrl-C reaches the tests alone; when they end, so does its stdin, and so do the server and its forks.
    server = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, start_new_session=True)
    assert server.stdin is not None
    os.register_at_fork(after_in_child=server.stdin.close)

    def end() -> None:
        server.communicate()
        scratch.cleanup()

    atexit.register(end)
    while not address.exists():
        if server.poll() is not None:
            raise RuntimeError(f"tests.warm ended with {server.returncode}")
        time.sleep(0.05)
    return folder


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
        self.returncode: int | None = None  # minus the signal that ended it
        address = str(folder_of_python() / "socket")
        with Path(os.devnull).open() as nothing, out.open("a") as said, errors.open("a") as warned:
            files = [nothing.fileno(), said.fileno(), warned.fileno()]
            self._server, self.pid = ask(
                address, command, folder=str(folder), environment=environment, files=files, parent=os.getpid()
            )

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._server], [], [], 0)[0]:
            self.returncode = int(self._server.recv(100))
            self._server.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None and not select.select([self._server], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("a fork", timeout or 0)
        code = self.poll()
        assert code is not None
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it, and wait until it is gone."""
        self.send_signal(signal.SIGKILL)
        self.wait()


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
