"""A trial as a process of its own, on one core: both ends of the pipe.

A line of JSON on stdin describes the trial, a line of JSON on stdout is its result. The process ends when stdin is
closed, so a study that is killed leaves no training behind.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from threading import Thread
from typing import TYPE_CHECKING, Any

from fashion_mnist.study.plan import read_trial
from pipeline.bytes.descriptions import read_dataset
from pipeline.bytes.formats import read_split
from pipeline.bytes.numerics import choose_instructions
from pipeline.runtime.command import parse_arguments, quiet_import, run

if TYPE_CHECKING:
    from fashion_mnist.study.trial import TrialResult

# What runs in this process, so that it can be ended with it.
RUNNING: set["subprocess.Popen[str]"] = set()


def run_process(trial: Mapping[str, Any], *, short: bool = False) -> Any:
    """Run a trial, given as JSON values, and return its result; short: what `run_short` gives instead.

    Raises RuntimeError with the last line that the process said if it fails.
    """
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.study.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # Ctrl-C reaches only the driver, which then ends its trials
        )
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        RUNNING.add(process)
        try:
            # The pipe stays open: its end would end the trial.
            process.stdin.write(json.dumps({"trial": trial, "short": short}) + "\n")
            process.stdin.flush()
            lines = process.stdout.read().splitlines()
            code = process.wait()
        except OSError:
            lines, code = [], process.wait()
        finally:
            RUNNING.discard(process)
        if code == 0 and lines:
            return json.loads(lines[-1])
        errors.seek(0)
        said = errors.read().strip().splitlines()
        raise RuntimeError(said[-1].removeprefix("error: ") if said else f"its process ended with exit code {code}")


def end_processes() -> None:
    """End the trials that run in this process."""
    for process in list(RUNNING):
        process.kill()


def main(argv: Sequence[str] | None = None) -> None:
    """Train, predict the test images if the trial asks for it, and print the result."""
    parse_arguments(argv, description=__doc__)
    with quiet_import():
        from fashion_mnist.study.trial import run_short, run_trial
        from fashion_mnist.training.determinism import configure_tensorflow

    request = json.loads(sys.stdin.readline())
    trial = read_trial(request["trial"])
    Thread(target=end_with_stdin, daemon=True).start()
    choose_instructions(os.environ, trial.params.instructions)
    configure_tensorflow(seed=trial.params.seed, workers=1)
    described = read_dataset("train")
    classes = len(described.classes)
    if request["short"]:
        results = run_short(trial, shape=described.image_shape, classes=classes)
        print(json.dumps([as_document(result) for result in results]))  # noqa: T201
    else:
        splits = read_split("train"), read_split("validation")
        test = read_split("test") if trial.is_scored_on_test else None
        print(json.dumps(as_document(run_trial(trial, *splits, test, classes=classes))))  # noqa: T201


def end_with_stdin() -> None:
    """End this process when the other one closes stdin or is gone."""
    sys.stdin.read()
    os._exit(1)


def as_document(result: "TrialResult") -> dict[str, Any]:
    """Turn a result into JSON values; None where there is no validation."""
    history = [[None if math.isnan(value) else value for value in epoch] for epoch in result.history]
    return {"history": history, "predictions": None if result.predictions is None else result.predictions.tolist()}


if __name__ == "__main__":
    run(main)
