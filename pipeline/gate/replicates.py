"""Read what a study's replicates predict, for the gate: in the working tree, or at a git revision.

A study of other data, parameters or code than the evaluation beside it says nothing about that state, so it is refused.
Parameters are compared with what dvc.lock records: an old params.yaml may not fit the present schema.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fashion_mnist.errors import StudyError
from pipeline.bytes.formats import parse_json
from pipeline.gate.evaluations import Place, RecordedEvaluation, check_table, differing_keys
from pipeline.runtime.paths import DATA, DVC_LOCK, STUDY, replicates_of
from pipeline.study.tables import data_digests, read_study

FEWEST = 2  # a mean has no spread below
SET_BY_STUDY = {"seed", "threads"}


def add_replicates(
    place: Place, state: RecordedEvaluation, models: Sequence[str], *, code: str | None = None
) -> RecordedEvaluation:
    """Return an evaluation with the replicates of these models beside their single trainings.

    code: the digest of the code that the study must be of; None to leave that open. Raises StudyError or ArtifactError
    that says what is wrong with the study of this place.
    """
    advice = "Commit what `make study` writes there, or name a revision that has a study with --baseline"
    advice = advice if place.name else "Run `make study`"
    there = STUDY.name in place.list(str(STUDY.parent))
    description = parse_json(place.read(STUDY.as_posix()), name=f"{place.name}{STUDY}") if there else {}
    if fault := find_fault(description, state, models, code=code):
        raise StudyError(f"{place.name}{STUDY}: {fault}. {advice}")
    study = read_study(description, place.read, models=models, place=place.name)
    evaluations, classes = dict(state.evaluations), len(state.data["test"]["class_counts"])
    for model in models:
        name = f"{place.name}{replicates_of('replicate', model)}"
        replicates = study.predictions.get(("replicate", model), ())
        if len(replicates) < FEWEST:
            raise StudyError(f"{name}: {len(replicates)} trainings; expected at least {FEWEST}. {advice}")
        for predictions in replicates:
            table = {"label": study.labels, "prediction": predictions}
            check_table(table, state.labels, images=len(state.labels), classes=classes, name=name)
        evaluations[model] = evaluations[model]._replace(replicates=list(replicates))
    return state._replace(evaluations=evaluations)


def find_fault(description: Any, state: RecordedEvaluation, models: Sequence[str], *, code: str | None) -> str | None:
    """Say why a study does not fit the evaluation beside it: none, other data, parameters or code; None if it fits."""
    if not isinstance(description, Mapping) or not description:
        return "holds no study; expected many trainings of each model"
    found, expected = description["data"], data_digests(state.data)
    if differing := [part for part, sha256 in expected.items() if found.get(part) != sha256]:
        return f"its {differing[0]} are others than in {DATA}; expected a study of the same data"
    for model in models:
        studied, recorded = description["train"].get(model), state.training_of(model).params.get(f"train.{model}", {})
        trained = {key: value for key, value in recorded.items() if key not in SET_BY_STUDY}
        if studied is None:
            return f"holds no {model}; expected a study of every model"
        for key in differing_keys(studied, trained)[:1]:
            return f"train.{model}.{key} is {studied.get(key)}; expected {trained.get(key)}, as {DVC_LOCK} records"
    if code not in (None, description["code"]):
        return "it was made with other code, or another requirements/compute.txt; expected a study of the present code"
    return None
