"""Bring the run store in line with a state: a parent run, a nested run for each model, and their registered versions.

Every run carries a fingerprint of what made it. A finished run is left alone, a partial one replaced, a missing one
made.
"""

import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from mlflow.entities import Run

import fashion_mnist
from fashion_mnist.gate.promotion import Contender
from fashion_mnist.params import GateParams
from fashion_mnist.report.run_description import describe_state
from pipeline.runtime.costs import Costs, read_costs
from pipeline.runtime.files import file_digest
from pipeline.runtime.paths import archive_of
from pipeline.runtime.tables import read_predictions
from pipeline.store.champion import identify_data
from pipeline.store.connection import Store
from pipeline.store.content import child_content, cost_measures, parent_content
from pipeline.store.environment import environment_tags
from pipeline.store.logged_model import Archive, find_fault, log_model
from pipeline.store.registry import Candidate, is_registered, promote
from pipeline.store.runs import (
    DESCRIPTION,
    FINGERPRINT,
    PARENT,
    STATE,
    close_run,
    fill_run,
    find_logged,
    find_runs,
    keep_finished,
    log_measures,
    restore_files,
    set_tags,
    start_run,
)
from pipeline.store.state import PipelineState, fingerprint

SERVING_PACKAGES = ("keras", "mlflow", "numpy", "pydantic", "scipy", "tensorflow")


class Held(NamedTuple):
    """What the store holds of a state: the parent run, None if it lacks that, and each model's run likewise."""

    parent: Run | None
    children: Mapping[str, Run | None]

    @property
    def is_complete(self) -> bool:
        """Whether no run is missing, and each model's run is nested in the parent."""
        return self.parent is not None and all(
            child is not None and child.data.tags.get(PARENT) == self.parent.info.run_id
            for child in self.children.values()
        )


def project(store: Store, state: PipelineState, gate: GateParams) -> str:
    """Make the runs, models and versions of a state complete; returns a sentence that says what was done."""
    held = find_held(store, state)
    restored = restore_missing_files(store, state, held)
    if held.is_complete:
        run_ids = {name: child.info.run_id for name, child in held.children.items() if child}
        if is_registered(store, gather_candidates(store, state, run_ids)):
            return f"{state.fingerprint[:8]}: the store already holds its {1 + len(run_ids)} runs{restored}"
    parent, costs = held.parent, read_costs()
    parent_id = parent.info.run_id if parent else start_run(store, name=name_state(state), tags=describe(state))
    run_ids = {}
    for name, child in held.children.items():
        if child:
            set_tags(store, child.info.run_id, {PARENT: parent_id})
        run_ids[name] = child.info.run_id if child else log_child(store, state, name, parent_id, costs)
    if parent is None:
        fill_run(store, parent_id, parent_content(state))
        shared = [stage for stage in state.stages if not stage.startswith("train@")]
        log_measures(store, parent_id, cost_measures(costs, *shared))
    promoted = promote(store, gather_candidates(store, state, run_ids), gate, state.data)
    close_run(store, parent_id, "FINISHED")  # last, so an unfinished parent means an unfinished projection
    return f"{state.fingerprint[:8]}: {1 + len(run_ids)} runs in the store; {promoted}{restored}"


def find_held(store: Store, state: PipelineState) -> Held:
    """Return the runs of a state that are finished, with a whole model if they are of one; delete all others of it."""
    parent = keep_finished(store, find_runs(store, **{FINGERPRINT: state.fingerprint}))
    return Held(parent, {name: find_child(store, state, name) for name in state.scores})


def find_child(store: Store, state: PipelineState, name: str) -> Run | None:
    """Return the run of one model, if it is finished and its logged model is whole; delete all others of it."""

    def has_model(run: Run) -> bool:
        logged = find_logged(store, run.info.run_id)
        return len(logged) == 1 and not find_fault(store, f"models:/{logged[0].model_id}")

    marks = {FINGERPRINT: state.fingerprint_of(name), STATE: state.fingerprint}
    return keep_finished(store, find_runs(store, **marks), has_model)


def restore_missing_files(store: Store, state: PipelineState, held: Held) -> str:
    """Log again what is missing of the files of runs; returns a clause that says of how many runs."""
    contents = {child.info.run_id: child_content(state, name) for name, child in held.children.items() if child}
    if held.parent:
        contents[held.parent.info.run_id] = parent_content(state)
    count = sum(restore_files(store, run_id, content) for run_id, content in contents.items())
    return f"; files of {count} were missing, and are there again" if count else ""


def log_child(store: Store, state: PipelineState, name: str, parent_id: str, costs: Costs) -> str:
    """Log one model's run, with the model itself; returns the run's id."""
    mark, section = state.fingerprint_of(name), state.params["train"][name]
    tags = {FINGERPRINT: mark, STATE: state.fingerprint, PARENT: parent_id, "model": name, **environment_tags()}
    tags |= {"threads": str(section["threads"]), "instructions": section["instructions"]}
    run_id = start_run(store, name=name, tags=tags)
    archive = Archive(
        archive_of(name),
        file_digest(archive_of(name)),
        Path(fashion_mnist.__file__).parent,
        [f"{package}=={version(package)}" for package in SERVING_PACKAGES],
        state.data,
    )
    model_id = log_model(store, run_id, archive, name=name, tags={FINGERPRINT: mark})
    fill_run(store, run_id, child_content(state, name), model_id=model_id)
    log_measures(store, run_id, cost_measures(costs, f"train@{name}"))
    close_run(store, run_id, "FINISHED")
    return run_id


def gather_candidates(store: Store, state: PipelineState, run_ids: Mapping[str, str]) -> dict[str, Candidate]:
    """Gather what the registry is told of the models whose runs are in the store."""
    return {name: as_candidate(store, state, name, run_id) for name, run_id in run_ids.items()}


def as_candidate(store: Store, state: PipelineState, name: str, run_id: str) -> Candidate:
    """Gather what the registry is told of a model whose run is in the store."""
    scores, table = state.scores[name], read_predictions(name)
    kept = ("accuracy", "balanced_accuracy", "loss", "macro_f1", "train_accuracy", "validation_accuracy")
    logged = find_logged(store, run_id)
    return Candidate(
        state.fingerprint_of(name),
        run_id,
        logged[0].model_id,
        {
            "model": name,
            "data": state.data.label,
            **identify_data(state.data),
            **{key: str(scores[key]) for key in kept},
        },
        f"{name} on {state.data.label}: {100 * scores['validation_accuracy']:.2f} % on validation, "
        f"{100 * scores['accuracy']:.2f} % on test.",
        Contender(name, scores["validation_accuracy"], table["label"], table["prediction"]),
    )


def name_state(state: PipelineState) -> str:
    """Name a state's run by the DVC experiment it came from, or by its fingerprint."""
    return os.environ.get("DVC_EXP_NAME") or f"pipeline {state.fingerprint[:8]}"


def describe(state: PipelineState) -> dict[str, str]:
    """Return the tags of the parent run."""
    return {
        FINGERPRINT: state.fingerprint,
        DESCRIPTION: describe_state(
            state.scores,
            state.comparison,
            dataset=state.data.label,
            confidence=state.params["evaluate"]["confidence"],
        ),
        "data": state.data.label,
        "dvc.lock": fingerprint(state.stages),
        **environment_tags(),
    }
