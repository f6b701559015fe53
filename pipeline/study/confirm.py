"""Keep a study after an edit that changes no result: train a sample of its trials again, and compare.

An edit of a module that trains makes every trial old, for nobody can tell from the text alone whether results change.
This trains one trial of each kind, model and size again. If every figure of them comes out as recorded, the other
trials are stored as results of the present code, so `make study` has nothing left to train; if not, they stay old.
"""

import math
from collections.abc import Sequence
from typing import Any

from fashion_mnist.errors import StudyError
from fashion_mnist.study.plan import Study, Trial, TrialRecord, plan, units_of
from pipeline.bytes.descriptions import read_description
from pipeline.runtime.command import parse_arguments, run, say
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import STUDY
from pipeline.study.__main__ import run_missing
from pipeline.study.key import take_fingerprint
from pipeline.study.results import StoredResult, find_result, write_result
from pipeline.study.tables import HISTORY, find_study

# A training that differs in one bit differs in its sixth digit long before this many epochs have ended.
EPOCHS = 2


def main(argv: Sequence[str] | None = None) -> None:
    """Train the sample, compare it with the tables, and store what they hold."""
    parse_arguments(argv, description=__doc__)
    params = read_params()
    fingerprint = take_fingerprint()
    study = find_study(params, read_description())
    recorded = [trial for trial in plan(params) if study and is_recorded(study, trial)]
    if study is None or not recorded:
        raise StudyError(f"{STUDY}: no trial is of the present data and parameters; run `make study` to train them")
    sample = {fingerprint.key(trial): trial for trial in choose_sample(recorded)}
    results = {key: result for key in sample if (result := find_result(key)) and not result.carried_over}
    say(f"confirm: {len(recorded)} trials are recorded; {len(sample)} are trained again")
    if missing := {key: trial for key, trial in sample.items() if key not in results}:
        results |= run_missing(missing, sample, results, fingerprint, threads=params.study.threads)
    for key, trial in sample.items():
        if difference := find_difference(recorded_result(study, trial), results[key]):
            raise StudyError(f"{trial.name}: {difference}. The code gives other results now; run `make study`")
    kept = {key: trial for trial in recorded if find_result(key := fingerprint.key(trial)) is None}
    for key, trial in kept.items():
        write_result(key, trial, recorded_result(study, trial)._asdict(), seconds=0.0, carried_over=True)
    say(f"confirm: all {len(sample)} came out as recorded; {len(kept)} others are kept")


def choose_sample(trials: Sequence[Trial]) -> list[Trial]:
    """Choose the first seed of each kind, model and size; all but replicates stop early."""
    first: dict[tuple[Any, ...], Trial] = {}
    for trial in sorted(trials, key=lambda trial: trial.params.seed):
        first.setdefault((trial.kind, trial.model, units_of(trial.params)), trial)
    return [trial if trial.kind == "replicate" else shorten(trial) for trial in first.values()]


def shorten(trial: Trial) -> Trial:
    """Return a trial of the first epochs; the same one where the learning rate depends on how many there are."""
    if trial.params.schedule != "constant":
        return trial
    return trial._replace(params=trial.params.model_copy(update={"epochs": min(EPOCHS, trial.params.epochs)}))


def is_recorded(study: Study, trial: Trial) -> bool:
    """Return whether a study holds this trial with all of its epochs."""
    record = find_record(study, trial)
    return record is not None and len(record.history["epoch"]) == trial.params.epochs


def find_record(study: Study, trial: Trial) -> TrialRecord | None:
    """Return what a study recorded of a trial, whatever the number of epochs; None if nothing."""
    identity = (trial.kind, trial.model, units_of(trial.params), trial.params.seed, trial.cut)
    return next((record for record in study.trials if record[: len(identity)] == identity), None)


def recorded_result(study: Study, trial: Trial) -> StoredResult:
    """Return what a study recorded of a trial as a result; without predictions where the record has more epochs."""
    record = find_record(study, trial)
    assert record is not None  # noqa: S101 - is_recorded said so
    rows = zip(*(record.history[column].tolist() for column in HISTORY), strict=True)
    history = [[None if math.isnan(value) else value for value in row] for row in rows]
    predictions = None
    if trial.is_scored_on_test and len(history) == trial.params.epochs:
        seeds = sorted(other.seed for other in study.trials if other[:2] == (trial.kind, trial.model))
        predictions = study.predictions[trial.kind, trial.model][seeds.index(trial.params.seed)].tolist()
    return StoredResult(history[: trial.params.epochs], predictions, seconds=0.0)


def find_difference(recorded: StoredResult, found: StoredResult) -> str | None:
    """Say what differs, to the last recorded digit; None if nothing does."""
    for row, expected in zip(found.history, recorded.history, strict=True):
        for column, value, wanted in zip(HISTORY, row, expected, strict=True):
            if show(value) != show(wanted):
                return f"{column} of epoch {row[0]:.0f} is {show(value)}; recorded is {show(wanted)}"
    if recorded.predictions is not None and recorded.predictions != found.predictions:
        pairs = zip(recorded.predictions, found.predictions or [], strict=False)
        return f"{sum(was != now for was, now in pairs)} predictions of test images differ"
    return None


def show(value: float | None) -> str:
    """Return a figure as the table of trials holds it."""
    return "none" if value is None else f"{value:.6f}"


if __name__ == "__main__":
    run(main)
