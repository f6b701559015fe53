"""Train every model many times: params.yaml, data/normalized -> reports/study/, reports/study.json.

Each training is a trial with a process of its own, here or on the Dask cluster that DASK_SCHEDULER_ADDRESS names.
Results are kept in study/trials, so a study that is stopped, killed or enlarged runs only what is missing.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import groupby

import numpy as np

from fashion_mnist.errors import ArtifactError, StudyError
from fashion_mnist.params import Params
from fashion_mnist.study.plan import Study, Trial, TrialRecord, plan, units_of
from pipeline.bytes.descriptions import read_description
from pipeline.bytes.formats import read_split, write_json
from pipeline.runtime.command import parse_arguments, progress_bar, run, say
from pipeline.runtime.files import write_bytes
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import STUDY, STUDY_TRIALS, replicates_of
from pipeline.study.key import Basis, plan_short, take_basis
from pipeline.study.tables import HISTORY, describe_training, find_study, write_replicates, write_trials
from pipeline.study.trials import Forecast, StoredResult, find_result, write_result


def main(argv: Sequence[str] | None = None) -> None:
    """Run the trials that are missing, then write the tables."""
    parse_arguments(argv, description=__doc__)
    params = read_params()
    say("study: training each model for a moment, to see whether the code still gives the same figures")
    basis = take_basis(plan_short(params))
    trials = {basis.key(trial): trial for trial in plan(params)}
    results = restore(params, basis, trials)
    results |= {key: result for key in trials.keys() - results.keys() if (result := find_result(key))}
    say(f"study: {len(trials)} trials, {len(results)} of them done")
    if missing := {key: trial for key, trial in trials.items() if key not in results}:
        results |= run_missing(missing, trials, results, basis)
    write_study(params, basis, trials, results)


def restore(params: Params, basis: Basis, trials: Mapping[str, Trial]) -> dict[str, StoredResult]:
    """Return what reports/study holds of these trials, by key, if code that gives the same figures made it."""
    study = None
    with suppress(ArtifactError, StudyError):  # then the tables are made again
        study = find_study(params, read_description())
    if study is None or not isinstance(study.description["code"], Mapping):  # as before version 1.0.0
        return {}
    same = {model for model, sha256 in study.description["code"].items() if basis.code.get(model) == sha256}
    records = {record[:5]: record for record in study.trials if record.model in same}
    results = {}
    for key, trial in trials.items():
        record = records.get((trial.kind, trial.model, units_of(trial.params), trial.params.seed, trial.cut))
        if record and (trial.params.stop_after or len(record.history["epoch"]) == trial.params.epochs):
            results[key] = recorded_result(study, trial, record)
    return results


def recorded_result(study: Study, trial: Trial, record: TrialRecord) -> StoredResult:
    """Return what the tables of a study hold of one trial as its result."""
    rows = zip(*(record.history[column].tolist() for column in HISTORY), strict=True)
    history = [[None if math.isnan(value) else value for value in row] for row in rows]
    predictions = None
    if trial.is_scored_on_test:
        seeds = sorted(other.seed for other in study.trials if other[:2] == (trial.kind, trial.model))
        predictions = study.predictions[trial.kind, trial.model][seeds.index(trial.params.seed)].tolist()
    return StoredResult(history, predictions, seconds=None)


def run_missing(
    missing: Mapping[str, Trial],
    trials: Mapping[str, Trial],
    done: Mapping[str, StoredResult],
    basis: Basis,
) -> dict[str, StoredResult]:
    """Run trials and store each result as it arrives. Raises StudyError that names those that fail."""
    # Imported here: a study that is complete does without Dask.
    from pipeline.study.cluster import Finished, run_trials
    from pipeline.study.connection import open_cluster

    results: dict[str, StoredResult] = {}
    forecast = Forecast(trials, done)
    with (
        progress_bar(total=len(trials), label="study", unit="trial") as bar,
        open_cluster(say=say) as client,
    ):
        bar.bar_format = "{desc}: {n_fmt}/{total_fmt} |{bar}| {elapsed}{postfix}"
        bar.update(len(done))

        def keep(finished: Finished) -> None:
            trial = trials[finished.key]
            results[finished.key] = write_result(finished.key, trial, finished.result, finished.seconds)
            forecast.add(finished.key, results[finished.key])
            say(f"{trial.name}: {describe(results[finished.key])}")
            bar.set_postfix_str(forecast.describe(slots=sum(client.nthreads().values())), refresh=False)
            bar.update()

        failures = run_trials(client, missing, basis, on_finished=keep, say=say)
    if failures:
        first = failures[0]
        raise StudyError(
            f"{len(failures)} of {len(trials)} trials failed; the first: {first.trial.name} ({first.reason}). "
            "The others are stored. Run again to try these"
        )
    return results


def describe(result: StoredResult) -> str:
    """Return a line's end on a trial: its accuracy in the last epoch, and its time."""
    _, _, accuracy, _, val_accuracy = result.history[-1]
    share, split = (accuracy, "train") if val_accuracy is None else (val_accuracy, "validation")
    return f"{split} accuracy {share:.4f}, {result.seconds:.0f} s"


def write_study(params: Params, basis: Basis, trials: Mapping[str, Trial], results: Mapping[str, StoredResult]) -> None:
    """Write the tables and, last, the description that names them by their sha256."""
    tables = {STUDY_TRIALS: write_trials([record(trial, results[key]) for key, trial in trials.items()])}
    labels = read_split("test").labels
    scored = sorted((trial.kind, trial.model, key) for key, trial in trials.items() if trial.is_scored_on_test)
    for (kind, model), group in groupby(scored, key=lambda item: item[:2]):
        predictions = {trials[key].params.seed: results[key].predictions or [] for *_, key in group}
        tables[replicates_of(kind, model)] = write_replicates(labels, predictions)
    for path, content in tables.items():
        write_bytes(content, path)
    # What the study was made of, so that its readers can tell whether it is about the present state.
    description = {
        "dataset": read_description().label,
        "trials": len(trials),
        "train": {model: describe_training(params, model) for model in basis.code},
        "data": basis.data,
        "code": basis.code,
        "files": {path.as_posix(): hashlib.sha256(content).hexdigest() for path, content in sorted(tables.items())},
    }
    write_json(description, STUDY)
    say(f"{STUDY_TRIALS}: {len(trials)} trials")


def record(trial: Trial, result: StoredResult) -> TrialRecord:
    """Return what the table holds of a trial."""
    rows = np.array(result.history, float)  # None becomes NaN
    history = dict(zip(HISTORY, rows.T, strict=True))
    return TrialRecord(trial.kind, trial.model, units_of(trial.params), trial.params.seed, trial.cut, history)


if __name__ == "__main__":
    run(main)
