"""The system calls of a process that change the file system: list them, and disturb the n-th one, with strace."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

# openat counts where it makes or opens a file to be written.
CHANGES = (
    "openat", "mkdir", "mkdirat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir", "link", "linkat",
    "symlink", "symlinkat", "write", "writev", "pwrite64", "pwritev", "sendfile", "copy_file_range", "ftruncate",
    "fallocate", "fsync", "fdatasync",
)  # fmt: skip
WRITING_OPEN = re.compile(r"O_(CREAT|WRONLY|RDWR|TRUNC)")
# Devices, semaphores, and what a process says on stderr.
NO_FILE = re.compile(r"/(dev/(?!shm/)|dev/shm/sem\.|proc/|.*/stderr$)")
LINE = re.compile(r"^(?:\d+ +)?(?P<call>\w+)\((?P<arguments>.*)")


class Point(NamedTuple):
    """One call of a process: its name, how many of that name came before it plus one, and the path it is about."""

    call: str
    number: int
    path: str


class Ended(NamedTuple):
    """How a process ended: exit code, or minus the signal; what it said on stderr; the call that was disturbed."""

    code: int
    said: str
    hit: str


def available() -> bool:
    """Tell whether strace is here and may trace."""
    found = shutil.which("strace")
    return found is not None and subprocess.run([found, "-o", os.devnull, "true"], check=False).returncode == 0


def run_forked(
    work: Callable[[], object], folder: Path, *, log: Path | None = None, options: list[str] | None = None
) -> Ended:
    """Run a function in a child of this process, in a folder, under strace if options are given.

    Forked, so that what is imported here need not be imported again: a point takes a fraction of a second.
    """
    errors = folder.parent / "stderr"
    child = start_forked(work, folder, errors, wait=options is not None)
    if options is not None:
        _await(lambda: _state(child) == "T")
        command = ["strace", "-qq", "-y", "-o", str(log), *options, "-p", str(child)]
        tracer = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _await(lambda: _tracer(child) == tracer.pid or tracer.poll() is not None)
        os.kill(child, signal.SIGCONT)
    _, status = os.waitpid(child, 0)
    if options is not None:
        tracer.wait(20)
    return Ended(os.waitstatus_to_exitcode(status), errors.read_text(), _disturbed(log) if log else "")


def start_forked(work: Callable[[], object], folder: Path, errors: Path, *, wait: bool = False) -> int:
    """Start a function in a child of this process; returns its id. wait: let the child stop before it begins."""
    child = os.fork()
    if child == 0:
        _become(work, folder, errors, wait=wait)
    return child


def _become(work: Callable[[], object], folder: Path, errors: Path, *, wait: bool) -> None:
    """Be the child: leave nothing of the parent's but its imports, do the work, and never return."""
    code = 70
    try:
        os.setsid()
        os.chdir(folder)
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 0)
        os.dup2(nowhere, 1)
        os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        # Within pytest, these would be files of its own.
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", buffering=1, closefd=False)
        if wait:
            os.kill(os.getpid(), signal.SIGSTOP)
        work()
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
        if isinstance(stop.code, str):
            os.write(2, f"{stop.code}\n".encode())
    except Exception:  # noqa: BLE001 - a child that fails must not go on as its parent would
        import traceback

        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


def run_command(
    command: list[str],
    folder: Path,
    environment: dict[str, str],
    *,
    log: Path | None = None,
    options: list[str] | None = None,
) -> Ended:
    """Run a command in a folder, under strace if options are given; ends its process group when it has ended."""
    errors = folder.parent / "stderr"
    traced = ["strace", "-qq", "-y", "-o", str(log), *options, *command] if options is not None else command
    with errors.open("wb") as said:
        process = subprocess.Popen(
            traced, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
            start_new_session=True,
        )  # fmt: skip
        code = process.wait(600)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return Ended(code, errors.read_text(), _disturbed(log) if log else "")


def list_options() -> list[str]:
    """Return strace's options to list all calls that may change the file system."""
    return ["-s", "256", "-e", f"trace={','.join(CHANGES)}"]


def kill_at(point: Point) -> list[str]:
    """Return strace's options to kill a process before a call takes place."""
    return ["-e", f"trace={point.call}", "-e", f"inject={point.call}:signal=SIGKILL:when={point.number}"]


def fail_at(point: Point, error: str) -> list[str]:
    """Return strace's options to let a call fail, with ENOSPC for example."""
    return ["-e", f"trace={point.call}", "-e", f"inject={point.call}:error={error}:when={point.number}"]


def read_points(log: Path) -> list[Point]:
    """Read the calls that change files from the list that strace made of an undisturbed run."""
    counts: Counter[str] = Counter()
    points = []
    for line in log.read_text(errors="replace").splitlines():
        found = LINE.match(line)
        if not found:
            continue
        call, arguments = found["call"], found["arguments"]
        counts[call] += 1
        path = _path_in(call, arguments)
        if path:
            points.append(Point(call, counts[call], path))
    return points


def _path_in(call: str, arguments: str) -> str:
    """Return the path that a call changes; empty where it changes no file."""
    if call == "openat" and not WRITING_OPEN.search(arguments):
        return ""
    if call in ("write", "writev", "pwrite64", "pwritev", "ftruncate", "fallocate", "fsync", "fdatasync", "sendfile"):
        found = re.match(r"\d+<(/[^>]*)>", arguments)
    elif call == "copy_file_range":
        found = re.search(r", \d+<(/[^>]*)>", arguments)
    else:
        found = (re.findall(r'()"([^"]*)"', arguments) or [None])[-1]
    path = found[1] if found else ""
    return "" if NO_FILE.match(path) else path


def _disturbed(log: Path) -> str:
    """Return the call that strace disturbed: the one it marks, or the last before the end."""
    lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
    marked = [line for line in lines if "(INJECTED)" in line] or [line for line in lines if line.endswith("= ?")]
    return marked[-1][:200] if marked else ""


def _state(process: int) -> str:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]


def _tracer(process: int) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("TracerPid:")))


def _await(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("strace does not attach")
        time.sleep(0.002)
