"""Figures as SVG text; equal inputs give equal bytes."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

COLUMN_WIDTH = 4.6  # inches
# Ids of SVG elements are random unless salted, and the date of drawing is written unless removed.
STABLE: Any = {"svg.hashsalt": "fashion-mnist", "svg.fonttype": "path"}
NO_DATE = {"Date": None}


def learning_curves(histories: Mapping[str, Mapping[str, npt.NDArray[Any]]]) -> Figure:
    """Draw accuracy and loss per epoch, train against validation, one column for each model.

    histories: by model, the columns epoch, loss, accuracy, val_loss, val_accuracy.
    """
    figure = Figure(figsize=(COLUMN_WIDTH * len(histories), 6), layout="constrained")
    axes = figure.subplots(2, len(histories), sharey="row", squeeze=False)
    for column, (name, history) in enumerate(histories.items()):
        for row, metric in enumerate(("accuracy", "loss")):
            axis = axes[row, column]
            axis.plot(history["epoch"], history[metric], marker="o", markersize=3, label="train, while learning")
            axis.plot(history["epoch"], history[f"val_{metric}"], marker="s", markersize=3, label="validation")
            axis.set(title=name if row == 0 else None, xlabel="epoch" if row else None)
            axis.set_ylabel(metric if column == 0 else None)
            axis.xaxis.get_major_locator().set_params(integer=True)
            axis.grid(alpha=0.3)
    axes[0, 0].legend(loc="lower right")
    return figure


def confusion_matrices(
    counts: Mapping[str, npt.NDArray[np.int64]], *, class_names: Sequence[str], titles: Mapping[str, str]
) -> Figure:
    """Draw for each model how often a class (row) is taken for another (column), in percent of the row.

    counts: by model, images by true and predicted class, shape (classes, classes).
    """
    figure = Figure(figsize=(6.2 * len(counts), 6.6), layout="constrained")
    axes = figure.subplots(1, len(counts), squeeze=False)[0]
    for axis, (name, matrix) in zip(axes, counts.items(), strict=True):
        percent = 100 * matrix / matrix.sum(axis=1, keepdims=True)
        # The colours of the errors would drown beside a diagonal near 100 %.
        axis.imshow(np.sqrt(percent), cmap="Blues", vmin=0, vmax=10)
        for row, column in np.ndindex(*matrix.shape):
            if percent[row, column] > 0.5:
                colour = "white" if percent[row, column] > 40 else "black"
                axis.text(column, row, f"{percent[row, column]:.0f}", ha="center", va="center", color=colour)
        ticks = range(len(class_names))
        axis.set_xticks(ticks, class_names, rotation=60, ha="right", rotation_mode="anchor")
        axis.set_yticks(ticks, class_names)
        axis.set(title=titles[name], xlabel="predicted", ylabel="true" if axis is axes[0] else None)
    return figure


def render_svg(figure: Figure) -> bytes:
    """Render a figure as an SVG file."""
    target = io.BytesIO()
    with mpl.rc_context(STABLE):
        figure.savefig(target, format="svg", metadata=NO_DATE)
    return target.getvalue()
