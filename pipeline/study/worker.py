"""What a worker does: check that it has the driver's code, packages and data, then run a trial as a process.

A worker is a thread of the driver, or a process of `dask worker`, started in a checkout of this project.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import Any

from distributed import get_worker

from fashion_mnist.errors import PipelineError
from pipeline.study.key import take_fingerprint

# Of this process, so that they can be ended with it.
RUNNING: set["subprocess.Popen[str]"] = set()


def find_difference(expected: Mapping[str, Mapping[str, str]]) -> str | None:
    """Say what differs here from the driver's fingerprint, as a mapping; None if nothing does."""
    try:
        found = take_fingerprint()._asdict()
    except PipelineError as error:
        return str(error)
    for part, digests in expected.items():
        for name in sorted({*digests, *found[part]}):
            if digests.get(name) != found[part].get(name):
                return f"{name} differs from the driver's; expected the same code, lock and data"
    return None


def work(trial: Mapping[str, Any], expected: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Run a trial, given as JSON values.

    Returns `result` and `seconds`; or `refused`, what differs here, and `worker`, the address; or `failed`, the reason.
    """
    started = time.perf_counter()
    done = {} if (difference := find_difference(expected)) else run_process(trial)
    # Again, since a file may have been edited while the trial ran.
    if difference := difference or find_difference(expected):
        return {"refused": difference, "worker": get_worker().address}
    return done | {"seconds": time.perf_counter() - started}


def run_process(trial: Mapping[str, Any]) -> dict[str, Any]:
    """Run a trial as a process of its own; returns `result` or `failed`."""
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.study.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # Ctrl-C reaches the driver alone, which then ends its trials
        )
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        RUNNING.add(process)
        try:
            # The pipe stays open: its end would end the trial.
            process.stdin.write(json.dumps(trial) + "\n")
            process.stdin.flush()
            lines = process.stdout.read().splitlines()
            code = process.wait()
        except OSError:
            lines, code = [], process.wait()
        finally:
            RUNNING.discard(process)
        if code == 0 and lines:
            return {"result": json.loads(lines[-1])}
        errors.seek(0)
        said = errors.read().strip().splitlines()
        return {"failed": said[-1] if said else f"its process ended with exit code {code}"}


def end_processes() -> None:
    """End the trials that run in this process."""
    for process in list(RUNNING):
        process.kill()
