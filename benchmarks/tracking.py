"""Time what the run store costs: a full projection, a study, one of an unchanged state, and live logging of a training.

The study is made up, with as many trainings and epochs as params.yaml asks for. Run after `dvc repro`. The projections
go to a store in a scratch folder; the store in tracking/ stays as it is.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.turns import Row, finish, parser_of

LIMITS = {"full projection": 15, "nothing changed": 5, "live logging": 5, "study": 30, "study again": 2}
# What a training does besides computing: one message for each of ten epochs, and the end.
LIVE = """
import time
from pipeline.runtime.live import live_run
started = time.perf_counter()
with live_run("cnn") as live:
    for epoch in range(1, 11):
        result = dict.fromkeys(("loss", "accuracy", "val_loss", "val_accuracy"), 0.5)
        live.show_epoch({"epoch": epoch, **result})
    live.finish()
print(time.perf_counter() - started)
"""
# Two projections of a study, in the folder of a store.
STUDY = """
import time
from pipeline.bytes.descriptions import read_description
from pipeline.runtime.parameters import read_params
from pipeline.store.connection import open_store
from pipeline.store.study_runs import project_study
from tests.small_study import planned_study
study = planned_study(read_params())
with open_store("fashion-mnist", study=True) as store:
    for _ in range(2):
        started = time.perf_counter()
        project_study(store, study, read_description())
        print(time.perf_counter() - started)
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Print seconds, the median of some rounds, beside what the project allows itself."""
    options = parser_of(__doc__, rounds=3).parse_args(argv)
    seconds: dict[str, list[float]] = {name: [] for name in LIMITS}
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as store:
            environment = os.environ | {"DVC_ROOT": store}
            for name in ("full projection", "nothing changed"):
                started = time.perf_counter()
                run(["-m", "pipeline.track"], environment)
                seconds[name].append(time.perf_counter() - started)
            seconds["live logging"].append(float(run(["-c", LIVE], environment | {"DVC_STAGE": "train@cnn"})))
            for name, printed in zip(("study", "study again"), run(["-c", STUDY], environment).split(), strict=True):
                seconds[name].append(float(printed))
    rows = [Row(f"MLflow: {name}, s", statistics.median(seconds[name]), limit) for name, limit in LIMITS.items()]
    sys.exit(finish(rows, options.json, seconds=seconds))


def run(arguments: list[str], environment: dict[str, str]) -> str:
    """Run Python in the project's folder and return what it prints."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=Path(__file__).parent.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


if __name__ == "__main__":
    main()
