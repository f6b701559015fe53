"""What tests of the report share: evidence of forty images that two or more models judge, and readers of a page."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from fashion_mnist.data.description import DataDescription, parse_description
from fashion_mnist.data.split import Labels
from fashion_mnist.params.parsing import parse_params
from fashion_mnist.report.evidence import Evidence, ModelResults
from fashion_mnist.report.tables import Table
from fashion_mnist.scores.robustness import DIRECTIONS
from fashion_mnist.sources.published import DRAWN_GARMENTS, FASHION_MNIST
from fashion_mnist.study.plan import Study

FROZEN = YAML(typ="safe").load((Path(__file__).parents[2] / "params.yaml").read_bytes())
LABELS = np.repeat(np.arange(10, dtype=np.uint8), 4)
OWN_CLASSES = [f"thing {number}" for number in range(10)]
SCORES = {
    "balanced_accuracy": 0.86543,
    "macro_f1": 0.87654,
    "loss": 0.34567,
    "expected_calibration_error": 0.01234,
    "train_accuracy": 0.97417,
    "validation_accuracy": 0.91818,
    "train_validation_gap": 0.05599,
    "parameters": 421642,
    "multiply_adds": 4241152,
}


def predicted(*wrong: int) -> Labels:
    """The labels, but the images of these indices are taken for the next class."""
    predictions = LABELS.copy()
    predictions[list(wrong)] = (predictions[list(wrong)] + 1) % 10
    return predictions


DENSE = predicted(*range(16), 24)
CNN = predicted(0, 25)


def curve(amount: str, *more: str) -> dict[str, Any]:
    shares = np.array([0.9, 0.75, 0.5])
    columns = {amount: np.array([0.0, 1.0, 2.0]), "accuracy": shares, "low": shares - 0.05, "high": shares + 0.05}
    return columns | dict.fromkeys(more, shares)


def results(predictions: Labels, **scores: float) -> ModelResults:
    accuracy = float((predictions == LABELS).mean())
    rising = np.linspace(0.5, 0.9, 3)
    history = {
        "epoch": np.arange(1, 4),
        "loss": 1 - rising,
        "accuracy": rising,
        "val_loss": np.abs(rising - 0.7) + 0.2,
        "val_accuracy": rising - 0.05,
    }
    curves = {"position": curve("pixels", *DIRECTIONS), "rotation": curve("degrees"), "noise": curve("deviation")}
    interval = {"accuracy": accuracy, "accuracy_low": accuracy - 0.11, "accuracy_high": accuracy + 0.021}
    return ModelResults(interval | SCORES | scores, history, predictions, np.linspace(0.3, 0.99, 40), curves)


def evidence(
    *,
    language: str = "en",
    dataset: str = "fashion_mnist",
    models: dict[str, Labels] | None = None,
    layers: bool = True,
    duplicates: tuple[int, ...] = (),
    study: Study | None = None,
    **scores: float,
) -> Evidence:
    """Evidence in which only these things are unusual; models: predictions by name; scores: the same for all."""
    document = deepcopy(FROZEN)
    document["report"]["language"] = language
    document["evaluate"]["example"] = 36
    split = {"images": 40, "class_counts": [4] * 10, "pixel_mean": 0.28604, "pixel_std": 0.35302}
    split |= {"images_sha256": "0123456789abcdef" * 4, "labels_sha256": "fedcba9876543210" * 4}
    shared = DRAWN_GARMENTS if dataset == "synthetic" else FASHION_MNIST
    data = {
        **shared.model_dump(),
        **({"dataset": "folder", "name": "Ten things", "classes": OWN_CLASSES} if dataset == "folder" else {}),
        "near_duplicates": [],
        "duplicates_within_train": 43,
        "test_images_in_train": list(duplicates),
        "train": split | {"images": 55_000},
        "validation": split | {"images": 5_000},
        "test": split,
    }
    found = models or {"dense": DENSE, "cnn": CNN}
    wrong = np.flatnonzero(np.any([predictions != LABELS for predictions in found.values()], axis=0))
    pixels = np.arange(784, dtype=np.uint8).reshape(28, 28, 1)
    arrays: dict[str, Any] = {
        "misjudged": wrong,
        "misjudged_images": np.repeat(pixels[np.newaxis], len(wrong), axis=0),
        "example_image": pixels,
    }
    if layers:
        arrays["cnn/kernels/convolution_1"] = np.ones((3, 3, 2), np.float32)
        arrays["cnn/maps/convolution_1"] = np.ones((28, 28, 2), np.float32)
    return Evidence(
        parse_params(document, source="tests/params.yaml"),
        parse_description(DataDescription, data, name="data.json"),
        LABELS,
        {name: results(predictions, **scores) for name, predictions in found.items()},
        arrays,
        packages={"keras": "3.15.1"},
        lock="0a1b2c3d4e5f" * 6,
        study=study,
    )


def rows(table: Table) -> dict[str, list[str]]:
    """The cells of a section's table by the label of their row, with plain spaces."""
    return {label: [cell.replace("\u00a0", " ") for cell in cells] for label, *cells in table}


def page_cells(page: str, label: str) -> list[str]:
    """The cells of the first table row of a page that begins with a label, with plain spaces."""
    row = next(line for line in page.splitlines() if line.startswith(f"| {label} |"))
    return [cell.strip().replace("\u00a0", " ") for cell in row.strip("|").split("|")][1:]
