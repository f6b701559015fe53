"""Read the champion's scores, or score it on the present data if they are of other data.

Only the second reads the validation and test splits and loads TensorFlow.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fashion_mnist.data.dataset import restore_pixels
from fashion_mnist.data.description import DataDescription
from fashion_mnist.errors import innermost, shorten
from fashion_mnist.gate.promotion import Contender, Unfit
from fashion_mnist.training.objective import accuracy_score, most_probable
from pipeline.bytes.formats import parse_csv, read_split
from pipeline.runtime.command import quiet_import, say
from pipeline.runtime.lock import check_inputs
from pipeline.runtime.paths import NORMALIZED
from pipeline.runtime.tables import PREDICTION_COLUMNS
from pipeline.store.connection import Store
from pipeline.store.logged_model import copy_logged, load_copy
from pipeline.store.runs import read_artifact
from pipeline.store.state import hash_values

# The tags of a version that say which data its scores are of.
CLASSES = "data.classes"
SCORED_ON = ("validation", "test")


def identify_data(data: DataDescription) -> dict[str, str]:
    """Return tags that differ if classes or the shape of images differ, or the images or labels of a split."""
    tags = {CLASSES: hash_values(data.classes, data.image_shape)}
    for name in SCORED_ON:
        split = data.splits[name]
        tags[f"data.{name}"] = hash_values(split.images_sha256, split.labels_sha256)
    return tags


def read_champion(store: Store, version: Any, data: DataDescription) -> Contender | Unfit:
    """Return what a version is compared by on the present data, or why it cannot be.

    A version that an older state of this project registered does not say which data it was scored on, so it is scored.
    """
    model = version.tags.get("model", f"version {version.version}")
    with tempfile.TemporaryDirectory() as scratch:
        if fault := copy_logged(store, str(version.source), Path(scratch)):
            return Unfit(model, f"can no longer be loaded: {fault}")
        if identify_data(data).items() <= version.tags.items():
            content = read_artifact(store, version.run_id, f"predictions/{model}.csv")
            accuracy = version.tags.get("validation_accuracy")
            if content is not None and accuracy is not None:
                table = parse_csv(content, columns=PREDICTION_COLUMNS, name=f"what version {version.version} predicted")
                return Contender(model, float(accuracy), table["label"], table["prediction"])
        say(f"scoring the champion, version {version.version}, on the present images")
        return score(model, Path(scratch), data)


def score(model: str, folder: Path, data: DataDescription) -> Contender | Unfit:
    """Score a model on the present images, by the code in the copy of its files."""
    try:
        with quiet_import():
            loaded = load_copy(folder)
    except (MemoryError, OSError):  # of this moment, and no reason to replace a champion
        raise
    except Exception as error:  # noqa: BLE001 - the code of the copy, and what it needs, may raise anything
        return Unfit(model, f"cannot be loaded here ({shorten(innermost(error), 200)})")
    if reason := describe_misfit(loaded.config, data):
        return Unfit(model, reason)
    check_inputs(*(NORMALIZED / name for name in SCORED_ON))
    splits = {name: read_split(name) for name in SCORED_ON}
    with quiet_import():
        answers = {name: loaded.predict(restore_pixels(split.images)) for name, split in splits.items()}
    found = {name: most_probable(answer["probabilities"]) for name, answer in answers.items()}
    accuracy = round(accuracy_score(splits["validation"].labels, found["validation"]), 6)
    return Contender(model, accuracy, splits["test"].labels, found["test"], note=" on the present images")


def describe_misfit(config: Mapping[str, Any], data: DataDescription) -> str | None:
    """Say how a registered model does not fit the present data; None if it does."""
    shape, classes = tuple(config["shape"]), tuple(config["classes"])
    if shape != data.image_shape:
        return f"takes images of shape {shape}, and the present ones have {data.image_shape}"
    if classes == data.classes:
        return None
    for name in (name for name in data.classes if name not in classes):
        return f"does not know the class {name}"
    for name in (name for name in classes if name not in data.classes):
        return f"knows the class {name}, which the present data lacks"
    return "has the same classes in another order"
