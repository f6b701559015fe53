"""Train every model many times: params.yaml, data/normalized -> reports/study/, reports/study.json.

Each training is a trial with a process of its own, here or on the Dask cluster that DASK_SCHEDULER_ADDRESS names.
Results are kept in study/trials, so a study that is stopped, killed or enlarged runs only what is missing.
"""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from fashion_mnist.errors import StudyError
from fashion_mnist.params import Params
from fashion_mnist.study.plan import Trial, TrialRecord, plan, units_of
from pipeline.bytes.descriptions import read_description
from pipeline.bytes.formats import read_split, write_json
from pipeline.runtime.command import parse_arguments, progress_bar, run, say
from pipeline.runtime.files import write_bytes
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import STUDY, STUDY_TRIALS, replicates_of
from pipeline.study.key import Fingerprint, describe_code, take_fingerprint
from pipeline.study.progress import Progress
from pipeline.study.results import StoredResult, find_result, write_result
from pipeline.study.tables import HISTORY, describe_training, write_replicates, write_trials


def main(argv: Sequence[str] | None = None) -> None:
    """Run the trials that are missing, then write the tables."""
    parse_arguments(argv, description=__doc__)
    params = read_params()
    fingerprint = take_fingerprint()
    trials = {fingerprint.key(trial): trial for trial in plan(params)}
    results = {key: result for key in trials if (result := find_result(key))}
    say(f"study: {len(trials)} trials, {len(results)} of them done")
    if missing := {key: trial for key, trial in trials.items() if key not in results}:
        results |= run_missing(missing, trials, results, fingerprint, threads=params.study.threads)
    write_study(params, fingerprint, trials, results)


def run_missing(
    missing: Mapping[str, Trial],
    trials: Mapping[str, Trial],
    done: Mapping[str, StoredResult],
    fingerprint: Fingerprint,
    *,
    threads: int,
) -> dict[str, StoredResult]:
    """Run trials and store each result as it arrives. Raises StudyError that names those that fail."""
    # Imported here: a study that is complete does without.
    from pipeline.study.cluster import Outcome, run_trials
    from pipeline.study.connection import open_cluster

    results: dict[str, StoredResult] = {}
    progress = Progress(trials, done)
    with (
        progress_bar(total=len(trials), label="study", unit="trial") as bar,
        open_cluster(threads=threads, say=say) as client,
    ):
        bar.bar_format = "{desc}: {n_fmt}/{total_fmt} |{bar}| {elapsed}{postfix}"
        bar.update(len(done))

        def keep(outcome: Outcome) -> None:
            trial = trials[outcome.key]
            results[outcome.key] = write_result(outcome.key, trial, outcome.result, outcome.seconds)
            progress.add(outcome.key, results[outcome.key])
            say(f"{trial.name}: {describe(results[outcome.key])}")
            bar.set_postfix_str(progress.describe(slots=sum(client.nthreads().values())), refresh=False)
            bar.update()

        failures = run_trials(client, missing, fingerprint, on_outcome=keep, say=say)
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


def write_study(
    params: Params, fingerprint: Fingerprint, trials: Mapping[str, Trial], results: Mapping[str, StoredResult]
) -> None:
    """Write the tables and, last, the description that names them by their sha256."""
    tables = {STUDY_TRIALS: write_trials([record(trial, results[key]) for key, trial in trials.items()])}
    labels = read_split("test").labels
    scored = sorted((trial.kind, trial.model, key) for key, trial in trials.items() if trial.is_scored_on_test)
    for (kind, model), group in groupby(scored, key=lambda item: item[:2]):
        predictions = {trials[key].params.seed: results[key].predictions or [] for *_, key in group}
        tables[replicates_of(kind, model)] = write_replicates(labels, predictions)
    for path, content in tables.items():
        write_bytes(content, path)
    files = {path.as_posix(): hashlib.sha256(content).hexdigest() for path, content in sorted(tables.items())}
    carried_over = sum(results[key].carried_over for key in trials)
    description = describe_study(params, fingerprint, len(trials), carried_over=carried_over)
    write_json(description | {"files": files}, STUDY)
    say(f"{STUDY_TRIALS}: {len(trials)} trials")


def record(trial: Trial, result: StoredResult) -> TrialRecord:
    """Return what the table holds of a trial."""
    rows = np.array(result.history, float)  # None becomes NaN
    history = dict(zip(HISTORY, rows.T, strict=True))
    return TrialRecord(trial.kind, trial.model, units_of(trial.params), trial.params.seed, trial.cut, history)


def describe_study(params: Params, fingerprint: Fingerprint, trials: int, *, carried_over: int) -> dict[str, Any]:
    """Describe a study: what it was made of, so that its readers can tell whether it is about the present state."""
    models = sorted({*params.study.replicates, *params.study.sweep})
    return {
        "dataset": read_description().label,
        "trials": trials,
        "carried_over": carried_over,
        "train": {model: describe_training(params, model) for model in models},
        "data": fingerprint.data,
        "code": describe_code(fingerprint.code),
    }


if __name__ == "__main__":
    run(main)
