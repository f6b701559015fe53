"""Read what a study's replicates predict, for the gate: in the working tree, or at a git revision.

A study of other data, parameters or code than the evaluation beside it says nothing about that state, so it is refused.
Parameters are compared with what dvc.lock records: an old params.yaml may not fit the present schema.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fashion_mnist.errors import StudyError
from pipeline.bytes.formats import parse_json
from pipeline.gate.evaluations import Place, RecordedEvaluation, check_table
from pipeline.runtime.paths import DATA, DVC_LOCK, STUDY, replicates_of
from pipeline.study.tables import data_digests, read_study

FEWEST = 2  # a mean has no spread below
# A study sets these itself.
SET_BY_STUDY = {"seed", "threads"}


def add_replicates(place: Place, state: RecordedEvaluation, models: Sequence[str]) -> RecordedEvaluation:
    """Return an evaluation with the replicates of these models beside their single trainings.

    Raises StudyError or ArtifactError that says what is wrong with the study of this place.
    """
    description = read_description(place)
    if difference := find_difference(description, state, models):
        raise StudyError(f"{place.name}{STUDY}: {difference}. {advice(place)}")
    study = read_study(description, place.read, models=models, place=place.name)
    evaluations, classes = dict(state.evaluations), len(state.data["test"]["class_counts"])
    for model in models:
        name = f"{place.name}{replicates_of('replicate', model)}"
        replicates = study.predictions.get(("replicate", model), ())
        if len(replicates) < FEWEST:
            raise StudyError(f"{name}: {len(replicates)} trainings; expected at least {FEWEST}. {advice(place)}")
        for predictions in replicates:
            table = {"label": study.labels, "prediction": predictions}
            check_table(table, state.labels, images=len(state.labels), classes=classes, name=name)
        evaluations[model] = evaluations[model]._replace(replicates=list(replicates))
    return state._replace(evaluations=evaluations)


def read_description(place: Place) -> Mapping[str, Any]:
    """Read the description of a place's study. Raises StudyError if there is none."""
    there = STUDY.name in place.list(str(STUDY.parent))
    description = parse_json(place.read(STUDY.as_posix()), name=f"{place.name}{STUDY}") if there else {}
    if not isinstance(description, Mapping) or not description:
        raise StudyError(f"{place.name}{STUDY}: holds no study; expected many trainings of each model. {advice(place)}")
    return description


def advice(place: Place) -> str:
    """Say how a place gets its study."""
    if place.name:
        return "Commit what `make study` writes there, or name a revision that has a study with --baseline"
    return "Run `make study`"


def find_difference(description: Mapping[str, Any], state: RecordedEvaluation, models: Sequence[str]) -> str | None:
    """Say in what a study differs from the evaluation beside it: data or parameters; None if in neither."""
    found, expected = description["data"], data_digests(state.data)
    if differing := [part for part, sha256 in expected.items() if found.get(part) != sha256]:
        return f"its {differing[0]} are others than in {DATA}; expected a study of the same data"
    for model in models:
        studied, trained = description["train"].get(model), trained_with(state, model)
        if studied is None:
            return f"holds no {model}; expected a study of every model"
        if differing := sorted(key for key in {*studied, *trained} if studied.get(key) != trained.get(key)):
            key = differing[0]
            return f"train.{model}.{key} is {studied.get(key)}; expected {trained.get(key)}, as {DVC_LOCK} records"
    return None


def trained_with(state: RecordedEvaluation, model: str) -> Mapping[str, Any]:
    """Return the parameters that dvc.lock records of a model's training, without those that a study sets itself."""
    params = state.training_record(model).get("params", {}).get("params.yaml", {})
    return {key: value for key, value in params.get(f"train.{model}", {}).items() if key not in SET_BY_STUDY}
