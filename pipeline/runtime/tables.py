"""Read the tables between stages, and refuse any other."""

from typing import Any

import numpy.typing as npt

from pipeline.bytes.formats import read_csv
from pipeline.runtime.paths import curve_of, history_of, predictions_of

Columns = dict[str, npt.NDArray[Any]]

# The columns of a table and their types.
PREDICTION_COLUMNS = {"label": "uint16", "prediction": "uint16", "confidence": "float64"}
HISTORY_COLUMNS = {"epoch": "int64", **dict.fromkeys(("loss", "accuracy", "val_loss", "val_accuracy"), "float64")}


def read_history(model: str) -> Columns:
    """Read the epochs of a training, by column."""
    return read_csv(history_of(model), columns=HISTORY_COLUMNS)


def read_predictions(model: str) -> Columns:
    """Read label, prediction and its probability for each test image, by column."""
    return read_csv(predictions_of(model), columns=PREDICTION_COLUMNS)


def read_curves(model: str) -> dict[str, Columns]:
    """Read a model's accuracy on changed images: the columns of its table, by the kind of change."""
    from fashion_mnist.scores.robustness import CHANGES  # here, so the gate need not import what it never uses

    return {
        change: read_csv(curve_of(change, model), columns=dict.fromkeys(columns, "float64"))
        for change, columns in CHANGES.items()
    }
