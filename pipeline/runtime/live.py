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
from typing import Any

# How long a finished training waits for the store to take the last epoch.
PATIENCE_SECONDS = 4


class LiveRun:
    """The training's end of the pipe; without a process at the other end, it shows nothing."""

    def __init__(self, watcher: "subprocess.Popen[str] | None") -> None:
        self._watcher = watcher

    def show_epoch(self, result: Mapping[str, float]) -> None:
        """Show the metrics of an epoch; `result` holds its number too."""
        self._send({"epoch": result})

    def finish(self) -> None:
        """Say that the training succeeded and its files are written."""
        self._send({"finished": True})

    def close(self) -> None:
        """End the pipe, which closes the run, and wait a moment for that."""
        if self._watcher and self._watcher.stdin:
            with suppress(OSError, subprocess.TimeoutExpired):
                self._watcher.stdin.close()
                self._watcher.wait(PATIENCE_SECONDS)

    def _send(self, message: Mapping[str, Any]) -> None:
        if self._watcher and self._watcher.stdin:
            with suppress(OSError):  # the other end is gone; the training goes on
                self._watcher.stdin.write(json.dumps(message) + "\n")
                self._watcher.stdin.flush()


@contextmanager
def live_run(model: str) -> Iterator[LiveRun]:
    """Open a live run, which counts as killed unless it is told that the training finished.

    Outside of `dvc repro`, such as in a test, nothing is shown.
    """
    watcher = None
    if "DVC_STAGE" in os.environ:
        # A session of its own: Ctrl-C ends the training, and the end of the pipe then says so.
        with suppress(OSError):
            watcher = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "pipeline.store.watch", model],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
    live = LiveRun(watcher)
    try:
        yield live
    finally:
        live.close()
