"""Time this code against an earlier commit: an epoch on all cores and on one, memory, evaluate, the study's trainings.

Both take turns in scratch folders, on this folder's data and models, so that neither changes anything here. On one
core, each training has one thread, as in a study. The study's processor time is put together from what an epoch and a
start take on one core, as if all its trainings had the model's own number of units. Run it in the folder of params.yaml
after `make repro`, on a machine that does nothing else. Exit code 1: a target is missed.
"""

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.turns import Result, Row, finish, parser_of, start
from fashion_mnist.study.plan import plan
from pipeline.runtime.command import run
from pipeline.runtime.parameters import read_params

PROJECT = Path(__file__).parents[1]
# The commit that the targets are set against.
BEFORE = "77a3abc"
CODE = ("benchmarks", "pipeline", "src", "params.yaml", "requirements")
PLACES = ("before", "here")
MODELS = ("dense", "cnn")
EPOCHS = 3
Turn = dict[str, Result]


def main(argv: Sequence[str] | None = None) -> None:
    """Let both take turns, then print the ratios that targets are set for."""
    parser = parser_of(__doc__, rounds=2)
    parser.add_argument("--before", default=BEFORE, metavar="REVISION", help=f"the earlier commit (default: {BEFORE})")
    options = parser.parse_args(argv)
    turns = []
    with tempfile.TemporaryDirectory() as scratch:
        folders = {place: Path(scratch) / place for place in PLACES}
        export(options.before, folders["before"])
        folders["here"].mkdir()
        for name in CODE:
            copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
            copy(PROJECT / name, folders["here"] / name)
        for folder in folders.values():
            for name in ("data", "models"):
                (folder / name).symlink_to(PROJECT / name)
            shutil.copytree(PROJECT / "reports", folder / "reports")
        for number in range(1, options.rounds + 1):
            found = {
                place: measure(folder, f"round {number} of {options.rounds}, {place}, ", options.rest)
                for place, folder in folders.items()
            }
            turns.append(found)
    sys.exit(finish(rows_of(turns), options.json, turns=turns, before=options.before))


def export(revision: str, folder: Path) -> None:
    """Write the code of a revision to a folder; exits if this clone has none of that name."""
    command = ["git", "archive", revision, *CODE]
    archive = subprocess.run(command, cwd=PROJECT, capture_output=True, check=False)
    if archive.returncode:
        sys.exit(f"error: git archive {revision} ended with {archive.stderr.decode().strip()}; expected a commit here")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as code:
        code.extractall(folder, filter="data")


def measure(folder: Path, label: str, rest: float) -> Turn:
    """Run every job once on a folder's own code; returns what each measured, by name."""
    environment = {"PYTHONPATH": str(folder / "src")}
    found = {}

    def job(name: str, *arguments: str) -> None:
        found[name] = start(arguments, label=label + name, rest=rest, folder=folder, environment=environment)

    training = ("benchmarks.training", "--contender", "pipeline", "--epochs", str(EPOCHS), "--model")
    for model in MODELS:
        job(model, *training, model)
    job("evaluate", "benchmarks.stage", "evaluate")
    params = folder / "params.yaml"
    text = params.read_text()
    with one_core():
        params.write_text(re.sub(r"threads: \d+", "threads: 1", text))  # of a commit that has this parameter
        for model in MODELS:
            job(f"{model} on one core", *training, model)
    params.write_text(text)
    return found


@contextmanager
def one_core() -> Iterator[None]:
    """Give one core to the processes that are started meanwhile."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def rows_of(turns: Sequence[dict[str, Turn]]) -> list[Row]:
    """Return the ratios of each round's measurements, here and before, as medians over rounds."""

    def ratio(job: str, value: str) -> float:
        return median(figure_of(turn["here"][job], value) / figure_of(turn["before"][job], value) for turn in turns)

    return [
        Row("cnn: an epoch / before", ratio("cnn", "epoch"), 0.75),
        Row("cnn: an epoch on one core / before", ratio("cnn on one core", "epoch"), 1.02),
        Row("dense: an epoch / before", ratio("dense", "epoch"), 1.02),
        Row("dense: an epoch on one core / before", ratio("dense on one core", "epoch"), 1.02),
        Row("evaluate, work without start / before", ratio("evaluate", "work"), 0.7),
        Row("processor time of the study's trainings / before", study_ratio(turns), 1.0),
        Row("cnn: memory of a training / before", ratio("cnn", "MiB"), 1.05),
    ]


def figure_of(result: Result, value: str) -> float:
    """Return a value of a result; epoch: the median seconds of an epoch after the first."""
    return median(result["seconds"][1:]) if value == "epoch" else float(result[value])


def study_ratio(turns: Sequence[dict[str, Turn]]) -> float:
    """Return how much processor time the study's trainings take here, divided by that before."""
    trials, epochs = Counter[str](), Counter[str]()
    for trial in (trial for trial in plan(read_params()) if trial.model in MODELS):
        trials[trial.model] += 1
        epochs[trial.model] += trial.params.epochs

    def seconds(turn: Turn) -> float:
        total = 0.0
        for model, count in trials.items():
            result = turn[f"{model} on one core"]
            start_and_end = result["process s"] - sum(result["seconds"])
            total += count * start_and_end + epochs[model] * figure_of(result, "epoch")
        return total

    return median(seconds(turn["here"]) / seconds(turn["before"]) for turn in turns)


if __name__ == "__main__":
    run(main)
