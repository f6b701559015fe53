"""Run one trial: its description as a line of JSON on stdin -> its result as a line of JSON on stdout.

A process of its own, since TensorFlow fixes its threads when it starts. It ends when stdin is closed, so a study that
is killed leaves no training behind.
"""

import json
import math
import os
import sys
from collections.abc import Sequence
from threading import Thread
from typing import Any

from fashion_mnist.study.plan import read_trial
from pipeline.bytes.descriptions import read_dataset
from pipeline.bytes.formats import read_split
from pipeline.bytes.numerics import choose_instructions
from pipeline.runtime.command import parse_arguments, quiet_import, run

with quiet_import():
    from fashion_mnist.study.trial import TrialResult, run_trial
    from fashion_mnist.training.determinism import configure_tensorflow


def main(argv: Sequence[str] | None = None) -> None:
    """Train, predict the test images if the trial asks for it, and print the result."""
    parse_arguments(argv, description=__doc__)
    trial = read_trial(json.loads(sys.stdin.readline()))
    Thread(target=end_with_stdin, daemon=True).start()
    train, validation = read_split("train"), read_split("validation")
    test = read_split("test") if trial.is_scored_on_test else None
    choose_instructions(os.environ, trial.params.instructions)
    configure_tensorflow(seed=trial.params.seed, threads=trial.params.threads)
    classes = len(read_dataset("train").classes)
    print(json.dumps(as_document(run_trial(trial, train, validation, test, classes=classes))))  # noqa: T201


def end_with_stdin() -> None:
    """End this process when the other one closes stdin or is gone."""
    sys.stdin.read()
    os._exit(1)


def as_document(result: TrialResult) -> dict[str, Any]:
    """Turn a result into JSON values; None where there is no validation."""
    history = [[None if math.isnan(value) else value for value in epoch] for epoch in result.history]
    return {"history": history, "predictions": None if result.predictions is None else result.predictions.tolist()}


if __name__ == "__main__":
    run(main)
