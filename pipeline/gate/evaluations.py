"""Read and check what the gate judges, in the working tree or at a git revision: the evaluation, and its study.

A study of other data or parameters than the evaluation beside it says nothing about that state, so it is refused.
Parameters are compared with what dvc.lock records: an old params.yaml may not fit the present schema.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fashion_mnist.data.split import Labels
from fashion_mnist.errors import ArtifactError, StudyError
from fashion_mnist.gate.judgement import Evaluation
from fashion_mnist.params.training import DEFAULTS, without_defaults
from fashion_mnist.scores.metrics import score_predictions
from pipeline.bytes.formats import parse_csv, parse_json
from pipeline.runtime import git
from pipeline.runtime.files import read_bytes, reading
from pipeline.runtime.lock import NOTHING, Lock, StageRecord, parse_lock, read_lock
from pipeline.runtime.parameters import flatten
from pipeline.runtime.paths import DATA, DVC_LOCK, STUDY, metrics_of, predictions_of, replicates_of
from pipeline.runtime.tables import PREDICTION_COLUMNS
from pipeline.study.tables import data_digests, read_study

ROUNDING = 1e-6  # metrics are stored with six decimals
# These also depend on the level of confidence, which may have changed.
INTERVAL = {"accuracy_low", "accuracy_high"}
FEWEST = 2  # replicates: a mean has no spread below
SET_BY_STUDY = {"seed", "threads"}  # threads: in records from before version 1.1.0
AGAIN = "Run `dvc repro`"


class Place(NamedTuple):
    """Where an evaluation is read: the working tree, or a git revision."""

    name: str  # what an error puts before a path; empty for the working tree
    read: Callable[[str], bytes]
    list: Callable[[str], list[str]]  # names of the files in a folder


class RecordedEvaluation(NamedTuple):
    """What one place records: the test labels, the evaluations and their bytes by model, the data, and dvc.lock."""

    labels: Labels
    evaluations: Mapping[str, Evaluation]
    content: Mapping[str, bytes]
    data: Mapping[str, Any]
    lock: Lock

    def training_of(self, model: str) -> StageRecord:
        """Return what dvc.lock records of a model's training."""
        return self.lock.get(f"train@{model}", NOTHING)


# The current folder.
WORKING_TREE = Place(
    "", lambda path: read_bytes(Path(path)), lambda folder: [path.name for path in Path(folder).glob("*.*")]
)


def revision(commit: str) -> Place:
    """Return a commit as a place."""
    return Place(f"{commit[:7]}:", partial(git.read_file, commit), partial(git.list_folder, commit))


def read_evaluation(place: Place, models: Sequence[str]) -> RecordedEvaluation:
    """Read and check what a place records of at least one model.

    Raises ArtifactError that names the file that is not as expected.
    """
    name = f"{place.name}{DVC_LOCK}"
    lock = parse_lock(place.read(str(DVC_LOCK)), name=name) if place.name else read_lock()
    data = read_data(place)
    with reading(f"{place.name}{DATA}"):
        images, classes = data["test"]["images"], len(data["test"]["class_counts"])
    tables: dict[str, Mapping[str, Labels]] = {}
    content: dict[str, bytes] = {}
    for model in models:
        scores, predictions = str(metrics_of(model)), str(predictions_of(model))
        content |= {path: place.read(path) for path in (scores, predictions)}
        metrics = parse_json(content[scores], name=f"{place.name}{scores}")
        tables[model] = parse_csv(content[predictions], columns=PREDICTION_COLUMNS, name=f"{place.name}{predictions}")
        labels = tables[models[0]]["label"]
        check_table(tables[model], labels, images=images, classes=classes, name=f"{place.name}{predictions}")
        check_metrics(metrics, tables[model], classes=classes, may_lack=bool(place.name), name=f"{place.name}{scores}")
    evaluations = {model: Evaluation(table["prediction"]) for model, table in tables.items()}
    return RecordedEvaluation(labels, evaluations, content, data, lock)


def read_data(place: Place) -> Mapping[str, Any]:
    """Read what a place records of the data."""
    document = parse_json(place.read(str(DATA)), name=f"{place.name}{DATA}")
    if not isinstance(document, Mapping):
        raise ArtifactError(f"{place.name}{DATA}: does not hold keys with values; run `dvc repro` to make it again")
    return document


def check_table(table: Mapping[str, Labels], labels: Labels, *, images: int, classes: int, name: str) -> None:
    """Refuse predictions that are not one for each test image, in the order of the labels."""
    found = len(table["label"])
    if found != images:
        raise ArtifactError(f"{name}: {found} rows; expected {images}, one for each test image. {AGAIN}")
    if not np.array_equal(table["label"], labels):
        raise ArtifactError(f"{name}: its labels, or their order, are not those of the other models. {AGAIN}")
    if (highest := max(table["label"].max(), table["prediction"].max())) >= classes:
        raise ArtifactError(f"{name}: class {highest}; expected 0 to {classes - 1}. {AGAIN}")


def check_metrics(metrics: Any, table: Mapping[str, Labels], *, classes: int, may_lack: bool, name: str) -> None:
    """Refuse metrics that are not finite numbers, or that do not follow from the predictions.

    may_lack: whether some may be missing, as at a revision from before they were added.
    """
    if not isinstance(metrics, Mapping):
        raise ArtifactError(f"{name}: does not hold metrics by name. {AGAIN}")
    for key, value in metrics.items():
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise ArtifactError(f"{name}: {key} is {value}; expected a finite number. {AGAIN}")
    given = score_predictions(table["label"], table["prediction"], classes=classes, confidence=0.95)
    for key in given.keys() - INTERVAL:
        if abs(metrics.get(key, given[key] if may_lack else math.inf) - given[key]) > ROUNDING:
            raise ArtifactError(
                f"{name}: {key} is {metrics.get(key, 'missing')}, but the predictions beside it give {given[key]:.6f}; "
                f"expected files of one run. {AGAIN}"
            )


def add_replicates(place: Place, state: RecordedEvaluation, models: Sequence[str]) -> RecordedEvaluation:
    """Return an evaluation with the replicates of these models beside their single trainings.

    Raises StudyError or ArtifactError that says what is wrong with the study of this place.
    """
    advice = "Commit what `make study` writes there, or name a revision that has a study with --baseline"
    advice = advice if place.name else "Run `make study`"
    there = STUDY.name in place.list(str(STUDY.parent))
    description = parse_json(place.read(STUDY.as_posix()), name=f"{place.name}{STUDY}") if there else {}
    if fault := study_fault(description, state, models):
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


def study_fault(description: Any, state: RecordedEvaluation, models: Sequence[str]) -> str | None:
    """Say why a study does not fit the evaluation beside it: none, other data or parameters; None if it fits."""
    if not isinstance(description, Mapping) or not description:
        return "holds no study; expected many trainings of each model"
    found, expected = description["data"], data_digests(state.data)
    if differing := [part for part, sha256 in expected.items() if found.get(part) != sha256]:
        return f"its {differing[0]} differ from those in {DATA}; expected a study of the same data"
    for model in models:
        studied, recorded = description["train"].get(model), state.training_of(model).params.get(f"train.{model}", {})
        if studied is None:
            return f"holds no {model}; expected a study of every model"
        studied = without_defaults(studied)
        trained = without_defaults({key: value for key, value in recorded.items() if key not in SET_BY_STUDY})
        for key in differing_keys(studied, trained)[:1]:
            here, wanted = (values.get(key, DEFAULTS.get(key)) for values in (studied, trained))
            return f"train.{model}.{key} is {here}; expected {wanted}, as {DVC_LOCK} records"
    return None


def list_changes(old: RecordedEvaluation, new: RecordedEvaluation) -> list[str]:
    """Name the data, parameters, code and seeds that differ between two states."""
    before = data_digests(old.data) if old.data else {}
    changes = [f"data: the {part} differ" for part in before if before[part] != data_digests(new.data)[part]]
    for model in new.evaluations:
        if model in old.evaluations:
            changes += describe_changes(old.training_of(model), new.training_of(model), name=model)
    return changes


def describe_changes(old: StageRecord, new: StageRecord, *, name: str) -> list[str]:
    """Say in which parameters, files and code two records of one stage in dvc.lock differ.

    name: what a sentence calls the stage. Each difference changes what a difference between the results means.
    """
    before, after = flatten(old.params), flatten(new.params)
    changes = [
        f"{name}: {key} is {after.get(key, 'gone')}, was {before.get(key, 'not there')}"
        for key in differing_keys(before, after)
    ]
    for what, then, now in (("read", old.deps, new.deps), ("written", old.outs, new.outs)):
        if differing := differing_keys(then, now):
            changes.append(f"{name}: other content is {what}: {', '.join(map(str, differing))}")
    return changes


def differing_keys(old: Mapping[Any, Any], new: Mapping[Any, Any]) -> list[Any]:
    """Return the sorted keys whose values differ, or that only one of two mappings has."""
    return sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
