"""A study as runs: a parent, and a nested run for each training."""

from pathlib import Path
from typing import Any

from fashion_mnist.data.description import DataDescription
from fashion_mnist.report.run_description import describe_study
from fashion_mnist.study.plan import Study, TrialRecord
from pipeline.runtime.parameters import flatten
from pipeline.runtime.paths import STUDY
from pipeline.store.connection import Store
from pipeline.store.content import describe_splits, epoch_measures
from pipeline.store.convergence import Family, PlannedRun, converge
from pipeline.store.runs import DESCRIPTION, STATE, Content, Measure
from pipeline.store.state import hash_values


def fingerprint_study(study: Study) -> str:
    """Return the fingerprint of a study: of its description, and of the models whose trainings it still describes."""
    return hash_values(study.description, sorted({trial.model for trial in study.trials}))


def project_study(store: Store, study: Study, data: DataDescription) -> str:
    """Make the runs of a study complete; returns a sentence that says what was done."""
    mark, accuracy = fingerprint_study(study), accuracies(study)
    label = f"study {mark[:8]}"
    tags = {DESCRIPTION: describe_study(study), "data": data.label}
    parent = PlannedRun(mark, label, tags, study_content(study, data))
    children = []
    for trial in study.trials:
        measures = epoch_measures(trial.history)
        measures += [Measure("accuracy", accuracy[trial.name])] if trial.name in accuracy else []
        content = Content(trial_params(study, trial), measures)
        tags = {STATE: mark, "model": trial.model}
        children.append(PlannedRun(hash_values(mark, trial.name), trial.name, tags, content))
    # MLflow shows the newest first, so the last of the table is made first.
    return converge(store, Family(label, parent, children[::-1]))


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
        trials = [trial for trial in study.trials if (trial.kind, trial.model) == (kind, model)]
        names = [trial.name for trial in sorted(trials, key=lambda trial: trial.seed)]
        found |= zip(names, study.accuracies(kind, model).tolist(), strict=True)
    return found


def study_content(study: Study, data: DataDescription) -> Content:
    """Gather the content of the parent run: mean accuracies and how much they vary, and the study's files."""
    measures = []
    for kind, model in study.predictions:
        values = study.accuracies(kind, model)
        measures.append(Measure(f"{kind}_{model}_accuracy_mean", float(values.mean()), split="test"))
        if len(values) > 1:
            measures.append(Measure(f"{kind}_{model}_accuracy_sd", float(values.std(ddof=1)), split="test"))
    return Content(
        flatten({"train": study.description["train"], "trials": len(study.trials)}),
        measures,
        describe_splits(data),
        [(path, path.parent.as_posix()) for path in (STUDY, *map(Path, study.description["files"]))],
    )
