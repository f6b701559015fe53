"""What runs hold, gathered from the files of a state: parameters, metrics, data sets, artifacts."""

import math
import re
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from mlflow.entities import Dataset
from ruamel.yaml import YAML

from fashion_mnist.data.description import DataDescription
from fashion_mnist.data.split import Labels
from fashion_mnist.scores.metrics import confusion, score_classes
from pipeline.runtime.costs import Costs
from pipeline.runtime.parameters import flatten
from pipeline.runtime.paths import DATA, NORMALIZED, PARAMS, history_of, metrics_of, predictions_of
from pipeline.runtime.tables import HISTORY_COLUMNS, read_history, read_predictions
from pipeline.store.runs import Content, Measure
from pipeline.store.state import PipelineState

# The split that a metric was measured on, where that is not test.
SPLIT_OF = {"train_accuracy": "train", "validation_accuracy": "validation", "train_validation_gap": None}
SPLIT_OF |= {"parameters": None, "multiply_adds": None}


def parent_content(state: PipelineState, costs: Costs) -> Content:
    """Gather the content of the parent run."""
    measures = [Measure(key, float(value), split="test") for key, value in state.comparison.items()]
    written = [Path(out["path"]) for out in state.stages["report"]["outs"]]
    return Content(
        flatten(state.params),
        measures,
        describe_splits(state.data),
        [(PARAMS, ""), (DATA, "reports"), *((path, "reports") for path in written)],
        {"dvc.lock": write_lock(state.stages)},
        cost_measures(costs, *(stage for stage in state.stages if not stage.startswith("train@"))),
    )


def child_content(state: PipelineState, name: str, costs: Costs) -> Content:
    """Gather the content of one model's run."""
    table = read_predictions(name)
    measures = epoch_measures(read_history(name))
    measures += [
        Measure(key, float(value), split=SPLIT_OF.get(key, "test")) for key, value in state.scores[name].items()
    ]
    confidence, classes = state.params["evaluate"]["confidence"], state.data.classes
    measures += class_measures(table["label"], table["prediction"], confidence=confidence, class_names=classes)
    return Content(
        flatten(state.params["train"][name]),
        measures,
        describe_splits(state.data),
        [(metrics_of(name), "metrics"), (predictions_of(name), "predictions")],
        {
            "history.csv": history_of(name).read_text(),
            "confusion.csv": confusion_csv(table["label"], table["prediction"], class_names=classes),
        },
        cost_measures(costs, f"train@{name}"),
    )


def epoch_measures(history: Mapping[str, npt.NDArray[Any]]) -> list[Measure]:
    """Return a training's epochs as metrics, a step for each; none where there is no value, such as of validation."""
    return [
        Measure(f"epoch_{column}", float(value), int(epoch))
        for column in HISTORY_COLUMNS
        if column != "epoch"
        for epoch, value in zip(history["epoch"], history[column], strict=True)
        if not math.isnan(value)
    ]


def class_measures(
    labels: Labels, predictions: Labels, *, confidence: float, class_names: Sequence[str]
) -> list[Measure]:
    """Return precision and recall of each class, named by the class in lower case, with underscores for all marks.

    A slash in the name would make a group of its own on MLflow's pages, above all other metrics. Of two classes that
    would have the same name, the second ends in its number.
    """
    names: dict[str, str] = {}
    for number, name in enumerate(class_names):
        plain = re.sub(r"\W", "_", name.lower())
        names[name] = plain if plain not in names.values() else f"{plain}_{number}"
    return [
        Measure(f"{metric}_{names[score.name]}", getattr(score, metric), split="test")
        for score in score_classes(labels, predictions, class_names=class_names, confidence=confidence)
        for metric in ("precision", "recall")
    ]


def confusion_csv(labels: Labels, predictions: Labels, *, class_names: Sequence[str]) -> str:
    """Write how often each class (row) is predicted as another (column) as CSV, headed by the classes' names."""
    text = StringIO()
    counts = confusion(labels, predictions, classes=len(class_names))
    np.savetxt(text, counts, fmt="%d", delimiter=",", header=",".join(class_names), comments="")
    return text.getvalue()


def cost_measures(costs: Costs, *stages: str) -> list[Measure]:
    """Return what stages cost as metrics; none for a stage that did not run on this machine."""
    return [
        Measure(f"{stage.partition('@')[0]}_{key}", value)
        for stage in stages
        for key, value in costs.get(stage, {}).items()
    ]


def describe_splits(data: DataDescription) -> dict[str, Dataset]:
    """Describe the splits as runs refer to them: by the digests that normalize took, cut to MLflow's 36 characters."""
    return {
        name: Dataset(
            f"{data.label} {name}", split.images_sha256[:36], "local", f"{NORMALIZED / name}, {split.images} images"
        )
        for name, split in data.splits.items()
    }


def write_lock(stages: Mapping[str, Any]) -> str:
    """Write dvc.lock without `track`, whose record DVC adds only after it has run."""
    text = StringIO()
    # Not by the C library, which may be installed or not and breaks lines elsewhere.
    YAML(typ="safe", pure=True).dump({"schema": "2.0", "stages": dict(stages)}, text)
    return text.getvalue()
