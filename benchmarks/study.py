"""Measure what a study costs beside its trainings, and how much of the cores it uses.

First with empty trials, whose result is as large as a real one: what planning, sending, receiving and storing cost for
100, 1,000 and 10,000 trials. Then with real short ones, on the normalized data: the share of all cores' time that their
processes used. Run after `make repro`, on a machine that does nothing else. Nothing is kept.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

from fashion_mnist.errors import StudyError
from fashion_mnist.study.plan import Trial
from pipeline.runtime.command import run
from pipeline.runtime.machine import available_workers, cpu_model
from pipeline.runtime.parameters import read_params
from pipeline.study import trials as stored
from pipeline.study import worker
from pipeline.study.cluster import Finished, run_trials
from pipeline.study.connection import open_cluster
from pipeline.study.key import plan_short, take_basis

SIZES = (100, 1_000, 10_000)
EPOCHS, TEST_IMAGES = 10, 10_000


def main(argv: Sequence[str] | None = None) -> None:
    """Print a line for each size of a study, then the share of the cores that real trials use."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="dense", help="whose trainings are the real trials")
    parser.add_argument("--trials", type=int, default=24, help="how many real trials")
    options = parser.parse_args(argv)
    cores = available_workers()
    print(f"{cpu_model()}, {cores} cores\n\n| empty trials | seconds | milliseconds a trial |\n| ---: | ---: | ---: |")
    for size in SIZES:
        with patch.object(worker, "work", do_nothing):
            seconds = run_study("dense", size)
        print(f"| {size:,} | {seconds:.1f} | {1000 * seconds / size:.1f} |", flush=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = run_study(options.model, options.trials)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"\n{options.trials} trainings of {options.model}: {seconds:.0f} s, {used:.0f} s of processor time, "
        f"{100 * used / seconds / cores:.0f} % of {cores} cores"
    )


def run_study(model: str, size: int) -> float:
    """Run replicates of a model with a store of their own; returns the seconds."""
    read = read_params()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        stored.TRIALS = Path(folder)
        basis = take_basis(plan_short(read))
        trials = {}
        for seed in range(1, size + 1):
            trial = Trial("replicate", model, read.train[model].model_copy(update={"seed": seed}))
            trials[basis.key(trial)] = trial

        def keep(outcome: Finished) -> None:
            stored.write_result(outcome.key, trials[outcome.key], outcome.result, outcome.seconds)

        with open_cluster(say=print) as client:
            failures = run_trials(client, trials, basis, on_finished=keep, say=print)
        if failures or len(list(Path(folder).glob("*.json"))) != size:
            raise StudyError(f"{len(failures)} of {size} trials failed ({failures[:1]}); expected none")
    return time.perf_counter() - started


def do_nothing(_trial: dict[str, Any], _expected: dict[str, Any]) -> dict[str, Any]:
    """Answer as a trial does, at once."""
    history = [[epoch, 0.5, 0.9, 0.5, 0.9] for epoch in range(1, EPOCHS + 1)]
    return {"result": {"history": history, "predictions": [7] * TEST_IMAGES}, "seconds": 0.0}


if __name__ == "__main__":
    run(main)
