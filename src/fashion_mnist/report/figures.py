"""The diagrams of the report: numbers in, a Matplotlib figure out, narrow enough for a phone."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from fashion_mnist.report.drawing import COLOURS, INK, WIDTH, styled
from fashion_mnist.report.evidence import Columns
from fashion_mnist.report.language import Language
from fashion_mnist.scores.metrics import ClassScore, Reliability

SHADE = "#2f7bd9"  # of the confusion matrix
LONGEST_NAME = 20


class Estimate(NamedTuple):
    """A share or a difference with its interval; stated: the figure in the article, if it has one."""

    name: str
    value: float
    low: float
    high: float
    stated: float | None = None


@styled
def accuracies(models: Sequence[Estimate], differences: Sequence[Estimate], language: Language) -> Figure:
    """Draw the accuracy of each model, and below them the difference of two, measured in one way or more."""
    rows = len(models) + len(differences)
    figure = Figure(figsize=(WIDTH, 1.5 + 0.42 * rows), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=(len(models) + 0.4, len(differences) + 0.4))
    for row, (model, colour) in enumerate(zip(models, cycle(COLOURS))):
        _bar(above, row, model, colour)
        above.annotate(
            language.percent(model.value),
            (model.value, row),
            (0, 6),
            textcoords="offset points",
            ha="center",
            color=INK,
        )
    stated = [(model.stated, row) for row, model in enumerate(models) if model.stated is not None]
    if stated:
        above.plot(*zip(*stated, strict=True), "D", color="none", markeredgecolor=INK, markersize=5)
    above.set_yticks(range(len(models)), [model.name for model in models])
    above.set_ylim(len(models) - 0.5, -0.7)
    above.xaxis.set_major_formatter(percent_ticks(language))
    below.axvline(0, color=INK, linewidth=0.8)
    for row, difference in enumerate(differences):
        _bar(below, row, difference, INK)
        written = language.points(difference.value)
        below.annotate(written, (difference.value, row), (0, 6), textcoords="offset points", ha="center")
    below.set_yticks(range(len(differences)), [difference.name for difference in differences])
    below.set_ylim(len(differences) - 0.4, -0.9)
    lowest, highest = min(part.low for part in differences), max(part.high for part in differences)
    below.set_xlim(min(0, 1.2 * lowest), max(0, 1.2 * highest) or 0.01)
    below.xaxis.set_major_locator(MaxNLocator(5, steps=(1, 2, 5, 10)))
    below.xaxis.set_major_formatter(FuncFormatter(lambda share, _: language.plain(round(100 * share, 6))))
    for axis in (above, below):
        axis.grid(visible=False, axis="y")
    return figure


@styled
def learning_curves(
    history: Columns, title: str, colour: str, language: Language, *, limits: Mapping[str, tuple[float, float]]
) -> Figure:
    """Draw accuracy above loss by epoch, train against validation, and mark the best epoch on validation.

    history: the columns epoch, loss, accuracy, val_loss, val_accuracy. limits: of the axes accuracy and loss, the same
    for all models, so that their figures can be compared.
    """
    figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True)
    bests = {"accuracy": np.argmax(history["val_accuracy"]), "loss": np.argmin(history["val_loss"])}
    for axis, (metric, best) in zip(axes, bests.items(), strict=True):
        axis.plot(history["epoch"], history[metric], color=colour, label=language.say("curves.train"))
        axis.plot(
            history["epoch"], history[f"val_{metric}"], "--", color=colour, label=language.say("curves.validation")
        )
        axis.axvline(history["epoch"][best], color=INK, linestyle=":", linewidth=1)
        axis.plot(history["epoch"][best], history[f"val_{metric}"][best], "o", color=colour, markersize=5)
        axis.set_ylabel(language.say(f"curves.{metric}"))
        axis.set_ylim(*limits[metric])
        axis.yaxis.set_major_locator(MaxNLocator(6, steps=(1, 2, 5, 10)))
        axis.yaxis.set_major_formatter(
            percent_ticks(language)
            if metric == "accuracy"
            else FuncFormatter(lambda loss, _: language.plain(round(loss, 6)))
        )
    axes[0].set_title(title)
    axes[0].legend(loc="lower right", fontsize=8)
    axes[1].set_xlabel(language.say("curves.epoch"))
    axes[1].xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


@styled
def confusion_matrix(
    counts: npt.NDArray[np.int64],
    totals: npt.NDArray[np.int64],
    title: str,
    names: Sequence[str],
    language: Language,
) -> Figure:
    """Draw how often a class (row) is predicted as another (column), in percent of the row.

    counts: images by true and predicted class, shape (classes, classes). totals: by true
    class.
    """
    percents = 100 * counts / np.maximum(totals[:, np.newaxis], 1)
    names = list(map(_shorten, names))
    figure = Figure(figsize=(WIDTH, WIDTH + 0.2), layout="constrained")
    axis = figure.subplots()
    # On a linear scale, errors would be invisible beside a diagonal near 100 %.
    shades = [mpl.colors.to_rgba(SHADE, round(float(np.sqrt(percent)) / 10, 3)) for percent in percents.ravel()]
    for (row, column), shade in zip(np.ndindex(*counts.shape), shades, strict=True):
        axis.add_patch(mpl.patches.Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=shade, edgecolor="none"))
        if percents[row, column] > 0.5:
            colour = "#fefefe" if percents[row, column] > 40 else INK
            axis.text(column, row, f"{percents[row, column]:.0f}", ha="center", va="center", color=colour, fontsize=8)
    axis.set_xlim(-0.5, len(names) - 0.5)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_xticks(range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(names)), names)
    axis.set(xlabel=language.say("errors.predicted"), ylabel=language.say("errors.true"), title=title, aspect="equal")
    axis.grid(visible=False)
    axis.tick_params(length=0)
    return figure


@styled
def recalls(classes: Mapping[str, Sequence[ClassScore]], language: Language) -> Figure:
    """Draw each model's recall by class, with its interval.

    classes: by model, the same classes in the same order for all.
    """
    names = [_shorten(score.name) for score in next(iter(classes.values()))]
    figure = Figure(figsize=(WIDTH, 1.1 + 0.42 * len(names)), layout="constrained")
    axis = figure.subplots()
    spread = np.linspace(-0.16, 0.16, len(classes)) if len(classes) > 1 else [0.0]
    for (model, scores), offset, colour in zip(classes.items(), spread, cycle(COLOURS)):
        for row, score in enumerate(scores):
            name = language.name("model", model) if row == 0 else ""
            bar = Estimate(name, score.recall, score.recall_low, score.recall_high)
            _bar(axis, row + offset, bar, colour)
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_xlabel(language.say("errors.recall"))
    axis.xaxis.set_major_formatter(percent_ticks(language))
    figure.legend(loc="outside upper center", ncols=2)
    return figure


@styled
def robustness(curves: Mapping[str, Columns], x: str, language: Language, *, label: str, y: str) -> Figure:
    """Draw accuracy by the amount of a change, a curve with its interval for each model.

    curves: by model, the columns accuracy, low and high, and x, the amounts. label, y: of the axes.
    """
    figure = Figure(figsize=(WIDTH, 3.1), layout="constrained")
    axis = figure.subplots()
    for (model, table), colour, mark in zip(curves.items(), cycle(COLOURS), cycle("osD^")):
        axis.fill_between(table[x], table["low"], table["high"], color=colour, alpha=0.2, linewidth=0)
        axis.plot(
            table[x], table["accuracy"], color=colour, marker=mark, markersize=4, label=language.name("model", model)
        )
    axis.set(xlabel=label, ylabel=y, ylim=(0, 1))
    axis.yaxis.set_major_formatter(percent_ticks(language))
    axis.xaxis.set_major_formatter(plain_ticks(language))
    axis.legend()
    return figure


@styled
def calibration(models: Mapping[str, Reliability], language: Language) -> Figure:
    """Draw accuracy by confidence, bin by bin; a larger dot means more images."""
    figure = Figure(figsize=(WIDTH, 4.0), layout="constrained")
    axis = figure.subplots()
    axis.plot((0, 1), (0, 1), color=INK, linestyle=":", linewidth=1, label=language.say("trust.ideal"))
    for (model, bins), colour in zip(models.items(), cycle(COLOURS)):
        held = bins.images > 0
        axis.plot(bins.confidence[held], bins.accuracy[held], color=colour, label=language.name("model", model))
        sizes = 4 + 60 * np.sqrt(bins.images[held] / bins.images.sum())
        axis.scatter(bins.confidence[held], bins.accuracy[held], s=sizes, color=colour)
    axis.set(
        xlabel=language.say("trust.calibration_x"),
        ylabel=language.say("trust.calibration_y"),
        xlim=(0, 1.02),
        ylim=(0, 1.02),
    )
    axis.xaxis.set_major_formatter(percent_ticks(language))
    axis.yaxis.set_major_formatter(percent_ticks(language))
    axis.legend(loc="upper left")
    return figure


def _shorten(name: str) -> str:
    """Cut a long name of a class, so that a figure has room for what it shows."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _bar(axis: Axes, row: float, estimate: Estimate, colour: str) -> None:
    """Draw a value as a dot and its interval as a line."""
    axis.plot((estimate.low, estimate.high), (row, row), color=colour, linewidth=3, alpha=0.55, solid_capstyle="butt")
    axis.plot(estimate.value, row, "o", color=colour, markersize=6, label=estimate.name or None)


def percent_ticks(language: Language) -> FuncFormatter:
    """Return what writes the shares along an axis in percent."""
    return FuncFormatter(lambda share, _: language.write(f"{round(100 * share, 6):g} %"))


def plain_ticks(language: Language) -> FuncFormatter:
    """Return what writes the numbers along an axis with the digits they have."""
    return FuncFormatter(lambda number, _: language.plain(round(number, 6)))
