"""Show a training in the run store while it runs, without being able to disturb it.

MLflow lives in a process of its own, which reads epochs from a pipe: the training neither imports it nor waits for it,
and a store that is slow, broken or gone changes nothing in the network or its files.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO, Any

# How long a finished training waits for the store to take the last epoch.
PATIENCE_SECONDS = 4


class LiveRun:
    """The training's end of the pipe; without a pipe, it shows nothing."""

    def __init__(self, pipe: IO[str] | None) -> None:
        self._pipe = pipe

    def show_epoch(self, result: Mapping[str, float]) -> None:
        """Show the metrics of an epoch; `result` holds its number too."""
        self._send({"epoch": result})

    def finish(self) -> None:
        """Say that the training succeeded and its files are written."""
        self._send({"finished": True})

    def _send(self, message: Mapping[str, Any]) -> None:
        if self._pipe:
            with suppress(OSError):  # the other end is gone; the training goes on
                self._pipe.write(json.dumps(message) + "\n")
                self._pipe.flush()


@contextmanager
def live_run(model: str) -> Iterator[LiveRun]:
    """Open a live run, which counts as killed unless it is told that the training finished.

    Outside of `dvc repro`, such as in a test, nothing is shown.
    """
    watcher = None
    if "DVC_STAGE" in os.environ:
        # A session of its own: Ctrl-C ends only the training, and the end of the pipe then says so.
        with suppress(OSError):
            watcher = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "pipeline.store.watch", model],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
    try:
        yield LiveRun(watcher.stdin if watcher else None)
    finally:
        if watcher:
            with suppress(OSError, subprocess.TimeoutExpired):
                watcher.communicate(timeout=PATIENCE_SECONDS)  # closes the pipe, which closes the run
