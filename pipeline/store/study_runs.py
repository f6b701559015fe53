"""Bring the run store in line with a study: a parent run, and a nested run for each training.

As with the pipeline's own runs, each carries a fingerprint of what made it: a finished run is left alone, a partial one
replaced, a missing one made.
"""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow.entities import Run

from fashion_mnist.data.description import DataDescription
from fashion_mnist.report.run_description import describe_study
from fashion_mnist.study.plan import Study, TrialRecord
from pipeline.runtime.command import progress_bar, say
from pipeline.runtime.parameters import flatten
from pipeline.runtime.paths import STUDY
from pipeline.store.connection import Store
from pipeline.store.content import epoch_measures, sources
from pipeline.store.runs import (
    DESCRIPTION,
    FINGERPRINT,
    PARENT,
    STATE,
    Content,
    Measure,
    close_run,
    fill_run,
    find_runs,
    keep_finished,
    log_measures,
    restore_files,
    set_tags,
    start_run,
)
from pipeline.store.state import fingerprint


def fingerprint_study(study: Study) -> str:
    """Return the fingerprint of a study: of its description, and of the models whose trainings it still describes."""
    return fingerprint(study.description, sorted({trial.model for trial in study.trials}))


def project_study(store: Store, study: Study, data: DataDescription) -> str:
    """Make the runs of a study complete; returns a sentence that says what was done."""
    mark = fingerprint_study(study)
    stored: dict[str, list[Run]] = defaultdict(list)
    for run in find_runs(store, **{STATE: mark}):
        stored[run.data.tags[FINGERPRINT]].append(run)
    trials = {fingerprint(mark, trial.name): trial for trial in study.trials}
    children = {key: keep_finished(store, stored[key]) for key in trials}
    content = study_content(study, data)
    parent = keep_finished(store, find_runs(store, **{FINGERPRINT: mark}))
    if parent and restore_files(store, parent.info.run_id, content):
        say(f"study {mark[:8]}: files of its run were missing, and are there again")
    if parent and all(child and child.data.tags.get(PARENT) == parent.info.run_id for child in children.values()):
        return f"study {mark[:8]}: the store already holds its {1 + len(children)} runs"
    tags = {FINGERPRINT: mark, DESCRIPTION: describe_study(study), "data": data.label}
    parent_id = parent.info.run_id if parent else start_run(store, name=f"study {mark[:8]}", tags=tags)
    accuracy = accuracies(study)
    with progress_bar(total=len(trials), label="study", unit="run") as bar:
        # MLflow shows the newest first, so the last of the table is made first.
        for key, child in reversed(children.items()):
            if child:
                set_tags(store, child.info.run_id, {PARENT: parent_id})
            else:
                log_trial(store, study, trials[key], accuracy, {FINGERPRINT: key, STATE: mark, PARENT: parent_id})
            bar.update()
    if parent is None:
        fill_run(store, parent_id, content)
    close_run(store, parent_id, "FINISHED")  # last, so an unfinished parent means an unfinished projection
    return f"study {mark[:8]}: {1 + len(children)} runs in the store"


def log_trial(
    store: Store, study: Study, trial: TrialRecord, accuracy: Mapping[str, float], tags: Mapping[str, str]
) -> None:
    """Log one training's run, in three requests."""
    run_id = start_run(store, name=trial.name, tags={**tags, "model": trial.model})
    measures = epoch_measures(trial.history)
    measures += [Measure("accuracy", accuracy[trial.name])] if trial.name in accuracy else []
    log_measures(store, run_id, measures, params=trial_params(study, trial))
    close_run(store, run_id, "FINISHED")


def trial_params(study: Study, trial: TrialRecord) -> dict[str, Any]:
    """Return the parameters of one training: its model's, but for what the study changed."""
    changed = {"kind": trial.kind, "units": trial.units, "seed": trial.seed, "cut": trial.cut}
    return {
        **flatten(study.description["train"][trial.model]),
        "epochs": len(trial.history["epoch"]),
        **{key: value for key, value in changed.items() if value is not None},
    }


def accuracies(study: Study) -> dict[str, float]:
    """Return accuracy on test by the name of the training; none for those that never see the test split."""
    found: dict[str, float] = {}
    for kind, model in study.predictions:
        trials = sorted(
            (trial for trial in study.trials if (trial.kind, trial.model) == (kind, model)),
            key=lambda trial: trial.seed,
        )
        found |= zip((trial.name for trial in trials), study.accuracies(kind, model).tolist(), strict=True)
    return found


def study_content(study: Study, data: DataDescription) -> Content:
    """Gather the content of the parent run: mean accuracies and how much they vary, and the study's files."""
    measures = []
    for kind, model in study.predictions:
        values = study.accuracies(kind, model)
        measures.append(Measure(f"{kind}_{model}_accuracy_mean", float(values.mean()), source="test"))
        if len(values) > 1:
            measures.append(Measure(f"{kind}_{model}_accuracy_sd", float(values.std(ddof=1)), source="test"))
    files = [STUDY, *map(Path, study.description["files"])]
    return Content(
        flatten({"train": study.description["train"], "trials": len(study.trials)}),
        measures,
        sources(data),
        [(path, path.parent.as_posix()) for path in files],
        {},
    )
