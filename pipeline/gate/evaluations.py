"""Read and check what the gate judges: the evaluation in the working tree, or at a git revision."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fashion_mnist.data.split import Labels
from fashion_mnist.errors import ArtifactError
from fashion_mnist.gate.judgement import Evaluation
from fashion_mnist.scores.metrics import score_predictions
from pipeline.bytes.formats import parse_csv, parse_json, parse_yaml
from pipeline.bytes.tables import PREDICTIONS
from pipeline.runtime import git
from pipeline.runtime.files import read_bytes, reading
from pipeline.runtime.lock import read_outputs
from pipeline.runtime.parameters import flatten
from pipeline.runtime.paths import DATA, DVC_LOCK, metrics_of, predictions_of

ROUNDING = 1e-6  # metrics are stored with six decimals
# These also depend on the level of confidence, which may have changed.
INTERVAL = {"accuracy_low", "accuracy_high"}


class Place(NamedTuple):
    """Where an evaluation is read: the working tree, or a git revision."""

    name: str  # what an error puts before a path
    read: Callable[[str], bytes]
    list: Callable[[str], list[str]]  # names of the files in a folder


class RecordedEvaluation(NamedTuple):
    """What one place records: the test labels, the evaluations and their bytes by model, the data, and dvc.lock."""

    labels: Labels
    evaluations: Mapping[str, Evaluation]
    content: Mapping[str, bytes]
    data: Mapping[str, Any]
    lock: Mapping[str, Any]

    def training_record(self, model: str) -> Mapping[str, Any]:
        """Return what dvc.lock records of a model's training; empty where it records none."""
        record: Mapping[str, Any] = self.lock.get("stages", {}).get(f"train@{model}", {})
        return record


def working_tree() -> Place:
    """Return the current folder as a place. Raises ArtifactError where its dvc.lock is damaged, as during a merge."""
    if DVC_LOCK.is_file():
        read_outputs()
    return Place("", lambda path: read_bytes(Path(path)), list_folder)


def revision(commit: str) -> Place:
    """Return a commit as a place."""
    return Place(f"{commit[:7]}:", partial(git.read_file, commit), partial(git.list_folder, commit))


def list_folder(folder: str) -> list[str]:
    """Return the names of the files in a folder of the working tree; none if there is no such folder."""
    return sorted(path.name for path in Path(folder).glob("*.*"))


def read_evaluation(place: Place, models: Sequence[str]) -> RecordedEvaluation:
    """Read and check what a place records. Raises ArtifactError that names the file that is not as expected."""
    data = read_document(place, str(DATA), parse_json)
    lock = read_document(place, str(DVC_LOCK), parse_yaml)
    with reading(f"{place.name}{DATA}"):
        images, classes = data["test"]["images"], len(data["test"]["class_counts"])
    labels: Labels | None = None
    evaluations: dict[str, Evaluation] = {}
    content: dict[str, bytes] = {}
    for name in models:
        paths = str(metrics_of(name)), str(predictions_of(name))
        content |= {path: place.read(path) for path in paths}
        metrics = parse_json(content[paths[0]], name=f"{place.name}{paths[0]}")
        table = parse_csv(content[paths[1]], columns=PREDICTIONS, name=f"{place.name}{paths[1]}")
        labels = table["label"] if labels is None else labels
        check_table(table, labels, images=images, classes=classes, name=f"{place.name}{paths[1]}")
        # At a revision, a metric that was added later is missing.
        known = set(metrics) if place.name and isinstance(metrics, Mapping) else None
        check_metrics(metrics, table, classes=classes, known=known, name=f"{place.name}{paths[0]}")
        evaluations[name] = Evaluation(table["prediction"])
    assert labels is not None  # noqa: S101 - there is at least one model
    return RecordedEvaluation(labels, evaluations, content, data, lock)


def read_document(place: Place, path: str, parse: Callable[..., Any]) -> Any:
    """Read and parse a document that must be a mapping."""
    document = parse(place.read(path), name=f"{place.name}{path}")
    if not isinstance(document, Mapping):
        raise ArtifactError(f"{place.name}{path}: does not hold keys with values; run `dvc repro` to make it again")
    return document


def check_table(table: Mapping[str, Labels], labels: Labels, *, images: int, classes: int, name: str) -> None:
    """Refuse predictions that are not one for each test image, in the order of the labels."""
    found = len(table["label"])
    if found != images:
        raise ArtifactError(f"{name}: {found} rows; expected {images}, one for each test image. Run `dvc repro`")
    if not np.array_equal(table["label"], labels):
        raise ArtifactError(f"{name}: its labels, or their order, are not those of the other models. Run `dvc repro`")
    if (highest := max(table["label"].max(), table["prediction"].max())) >= classes:
        raise ArtifactError(f"{name}: class {highest}; expected 0 to {classes - 1}. Run `dvc repro`")


def check_metrics(
    metrics: Any, table: Mapping[str, Labels], *, classes: int, known: set[str] | None = None, name: str
) -> None:
    """Refuse metrics that are not finite numbers, or that do not follow from the predictions; known: all that count."""
    if not isinstance(metrics, Mapping):
        raise ArtifactError(f"{name}: does not hold metrics by name. Run `dvc repro`")
    for key, value in metrics.items():
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise ArtifactError(f"{name}: {key} is {value}; expected a finite number. Run `dvc repro`")
    given = score_predictions(table["label"], table["prediction"], classes=classes, confidence=0.95)
    for key in given.keys() - INTERVAL if known is None else given.keys() & known - INTERVAL:
        if abs(metrics.get(key, math.inf) - given[key]) > ROUNDING:
            raise ArtifactError(
                f"{name}: {key} is {metrics.get(key, 'missing')}, but the predictions beside it give {given[key]:.6f}; "
                "expected files of one run. Run `dvc repro`"
            )


def list_changes(old: RecordedEvaluation, new: RecordedEvaluation) -> list[str]:
    """Name the data, parameters, code and seeds that differ between two states."""
    changes = [
        f"data: the {split} {part} differ"
        for split in ("train", "validation", "test")
        for part in ("images", "labels")
        if old.data and old.data.get(split, {}).get(f"{part}_sha256") != new.data.get(split, {}).get(f"{part}_sha256")
    ]
    for name in new.evaluations:
        if name in old.evaluations:
            changes += describe_changes(old.training_record(name), new.training_record(name), name=name)
    return changes


def describe_changes(old: Mapping[str, Any], new: Mapping[str, Any], *, name: str) -> list[str]:
    """Say in which parameters, files and code two records of one stage in dvc.lock differ.

    name: what a sentence calls the stage. Each difference changes what a difference between the results means.
    """
    changes = []
    before, after = (flatten(record.get("params", {}).get("params.yaml", {})) for record in (old, new))
    for key in sorted({*before, *after}):
        if before.get(key) != after.get(key):
            changes.append(f"{name}: {key} is {after.get(key, 'gone')}, was {before.get(key, 'not there')}")
    for kind, what in (("deps", "read"), ("outs", "written")):
        hashes = [{item["path"]: item["md5"] for item in record.get(kind, [])} for record in (old, new)]
        differing = sorted(path for path in {*hashes[0], *hashes[1]} if hashes[0].get(path) != hashes[1].get(path))
        if differing:
            changes.append(f"{name}: other content is {what}: {', '.join(differing)}")
    return changes
