"""A state of the pipeline as runs: a parent, a run for each model, and their registered versions."""

import os
from collections.abc import Mapping

from mlflow.entities import Run

from fashion_mnist.gate.promotion import Contender
from fashion_mnist.params import GateParams
from fashion_mnist.report.run_description import describe_state
from pipeline.runtime.costs import read_costs
from pipeline.runtime.paths import archive_of
from pipeline.runtime.tables import read_predictions
from pipeline.store.champion import identify_data
from pipeline.store.connection import Store
from pipeline.store.content import child_content, parent_content
from pipeline.store.convergence import Family, PlannedRun, converge
from pipeline.store.environment import environment_tags
from pipeline.store.logged_model import Network
from pipeline.store.registry import Candidate, is_registered, promote
from pipeline.store.runs import DESCRIPTION, STATE, models_of
from pipeline.store.state import PipelineState, hash_values

SCORES_OF_VERSIONS = ("accuracy", "balanced_accuracy", "loss", "macro_f1", "train_accuracy", "validation_accuracy")


def project(store: Store, state: PipelineState, gate: GateParams) -> str:
    """Make the runs, models and versions of a state complete; returns a sentence that says what was done."""

    def register(children: Mapping[str, Run]) -> str:
        candidates = {name: as_candidate(state, name, run) for name, run in children.items()}
        return "" if is_registered(store, candidates) else promote(store, candidates, gate, state.data)

    return converge(store, plan_runs(state), register)


def plan_runs(state: PipelineState) -> Family:
    """Plan the runs of a state. The parent is named by the DVC experiment that it came from, if there was one."""
    environment, costs = environment_tags(), read_costs()
    tags = {
        DESCRIPTION: describe_state(
            state.scores,
            state.comparison,
            dataset=state.data.label,
            confidence=state.params["evaluate"]["confidence"],
        ),
        "data": state.data.label,
        "dvc.lock": hash_values(state.stages),
        **environment,
    }
    label = state.fingerprint[:8]
    name = os.environ.get("DVC_EXP_NAME") or f"pipeline {label}"
    parent = PlannedRun(state.fingerprint, name, tags, parent_content(state, costs))
    children = []
    for model, section in state.params["train"].items():
        tags = {STATE: state.fingerprint, "model": model, "instructions": section["instructions"], **environment}
        content, network = child_content(state, model, costs), Network(archive_of(model), state.data)
        children.append(PlannedRun(state.fingerprint_of(model), model, tags, content, network))
    return Family(label, parent, children)


def as_candidate(state: PipelineState, name: str, run: Run) -> Candidate:
    """Gather what the registry is told of a model whose run is in the store."""
    scores, table = state.scores[name], read_predictions(name)
    tags = {"model": name, "data": state.data.label, **identify_data(state.data)}
    return Candidate(
        state.fingerprint_of(name),
        run.info.run_id,
        models_of(run)[0],
        tags | {key: str(scores[key]) for key in SCORES_OF_VERSIONS},
        f"{name} on {state.data.label}: {100 * scores['validation_accuracy']:.2f} % on validation, "
        f"{100 * scores['accuracy']:.2f} % on test.",
        Contender(name, scores["validation_accuracy"], table["label"], table["prediction"]),
    )
