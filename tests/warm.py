"""Import what the pipeline's processes import of others, then fork for each request of tests/fork.py.

    python -m tests.warm SOCKET

The socket answers once all is imported. When stdin ends, this process ends, and so do its forks. Linux only.
"""

import pipeline  # first, since it fixes the numerics before NumPy is imported

# isort: split
import atexit
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import dvc.repo.reproduce  # noqa: F401
import pytest  # noqa: F401 - which a fork of a test's process imports again
from dvc.cli.parser import get_main_parser

import pipeline.evaluate
import pipeline.gate
import pipeline.report
import pipeline.store.watch
import pipeline.study
import pipeline.tools.predict
import pipeline.track
import pipeline.train  # noqa: F401

PROJECT = Path(__file__).parents[1]
OURS = ("benchmarks", "checks", "fashion_mnist", "pipeline", "tests")
STARTING = ("PYTHONHASHSEED", "PYTHONMALLOC", "PYTHONOPTIMIZE", "PYTHONSAFEPATH", "PYTHONWARNINGS")
LARGEST = 2**18  # bytes of a request


class Fork(NamedTuple):
    """A running fork: its pid, a descriptor that can be read once it ended, and the connection of who asked for it."""

    pid: int
    ended: int
    asker: socket.socket


def serve(address: str) -> dict[str, Any]:
    """Fork for each request and say how each fork ended; returns only in a fork, with its request."""
    started_with = {name: os.environ.get(name) for name in STARTING}
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(f"{address}.new")
    listener.listen(100)
    os.rename(f"{address}.new", address)  # noqa: PTH104 - whoever sees it can connect
    waiting = selectors.DefaultSelector()
    waiting.register(sys.stdin, selectors.EVENT_READ)
    waiting.register(listener, selectors.EVENT_READ)
    while True:
        key = waiting.select()[0][0]
        fork: Fork | None = key.data
        if key.fileobj is sys.stdin:
            for running in {other.data for other in waiting.get_map().values() if other.data}:
                os.kill(running.pid, signal.SIGKILL)
            os._exit(0)
        elif fork is None:
            asker, _ = listener.accept()
            request, files = receive(asker)
            pid = -1
            if late := [name for name, value in started_with.items() if request["environment"].get(name) != value]:
                answer = f"{late} would change nothing in a fork; expected a real process"
            elif pid := os.fork():
                answer = str(pid)
            else:
                others = [other.data for other in waiting.get_map().values() if other.data]
                for descriptor in {other.ended for other in others}:
                    os.close(descriptor)
                for kept in {waiting, listener, asker, *(other.asker for other in others)}:
                    kept.close()
                os.setsid()
                for number, file in enumerate(files):
                    os.dup2(file, number)
                    os.close(file)
                return request
            for file in files:
                os.close(file)
            with suppress(OSError):  # whoever asked may be gone
                asker.send(answer.encode())
            if pid < 0:
                asker.close()
            else:
                fork = Fork(pid, os.pidfd_open(pid), asker)
                waiting.register(fork.ended, selectors.EVENT_READ, fork)
                waiting.register(fork.asker, selectors.EVENT_READ, fork)
        elif key.fileobj is fork.asker:  # which says nothing, so it is gone
            waiting.unregister(fork.asker)
            os.kill(fork.pid, signal.SIGKILL)
        else:
            code = os.waitstatus_to_exitcode(os.waitpid(fork.pid, 0)[1])
            waiting.unregister(fork.ended)
            os.close(fork.ended)
            with suppress(KeyError):
                waiting.unregister(fork.asker)
            with suppress(OSError):
                fork.asker.send(str(code).encode())
            fork.asker.close()


def receive(asker: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Receive a request and its descriptors; from who was killed or stopped before it asked, one that is refused."""
    asker.settimeout(10)
    try:
        message, files, *_ = socket.recv_fds(asker, LARGEST, 3)
        return json.loads(message), files
    except (OSError, ValueError):
        return {"environment": dict.fromkeys(STARTING, "unknown")}, []


def become(command: list[str], folder: str, environment: dict[str, str], parent: int, python: Path) -> None:
    """Turn this fork into the process that was asked for; python: the shim to start more of them."""
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    os.getppid = lambda: parent
    if environment.get("PATH", "").startswith(str(python.parent)):
        sys.executable = str(python)
    named = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:] = [folder, *named, *(path for path in sys.path if Path(path) not in (PROJECT, Path()))]
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
    kind, what, *arguments = command
    if kind == "-m":
        sys.argv = [what, *arguments]
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        sys.argv = ["-c", *arguments]
        exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102


def finish(code: int) -> NoReturn:
    """End as Python does, but run no __del__ and leave modules to the kernel: 0.04 s instead of 0.4."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


if __name__ == "__main__":
    get_main_parser()
    gc.freeze()  # a fork shares these objects' memory as long as nothing counts them
    try:
        become(**serve(sys.argv[1]), python=Path(sys.argv[1]).with_name("python"))
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        finish(1 if isinstance(end.code, str) else end.code or 0)
    finish(0)
