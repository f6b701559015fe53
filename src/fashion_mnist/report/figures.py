"""Figures as SVG, narrow enough for a phone, for light and dark pages; equal inputs give equal bytes.

Words come from the language, numbers from the caller. Ink, paper and lines are drawn in three colours of their own, and
each file carries a style that exchanges these where the reader prefers dark pages.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from itertools import cycle
from typing import Any, NamedTuple, ParamSpec

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from fashion_mnist.data.split import Bytes
from fashion_mnist.report.language import Language
from fashion_mnist.scores.metrics import ClassScore, Reliability

P = ParamSpec("P")
Columns = Mapping[str, npt.NDArray[Any]]

WIDTH = 4.8  # inches, about that of a phone
INK, PAPER, FAINT = "#24292f", "#ffffff", "#d0d7de"
DARK = {INK: "#e6edf3", PAPER: "#0d1117", FAINT: "#3d444d"}
# One colour for each model, in order and over again; each stands out from both papers, and differs in lightness too.
COLOURS = ("#d9730d", "#2f7bd9", "#1f9d6b", "#a45bd1")
SHADE = "#2f7bd9"

STYLE: Any = {
    # Ids of SVG elements are random unless salted.
    "svg.hashsalt": "fashion-mnist",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",  # comes with Matplotlib, so that every machine draws the same
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "grid.color": FAINT,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "axes.facecolor": "none",
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
}
DARK_STYLE = "".join(
    f'[style*="{part}: {light}"]{{{part}:{dark}!important}}'
    for light, dark in DARK.items()
    for part in ("fill", "stroke")
)


class Estimate(NamedTuple):
    """A share or a difference with its interval, and the figure stated elsewhere, if there is one."""

    name: str
    value: float
    low: float
    high: float
    stated: float | None = None


class Picture(NamedTuple):
    """An image, uint8, shape (28, 28), and the lines below it."""

    pixels: Bytes
    lines: Sequence[str]


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw a figure in this module's style."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    return drawn


@styled
def answer(models: Sequence[Estimate], difference: Estimate, language: Language) -> Figure:
    """Draw the accuracy of each model, and below it the difference of two, all with their intervals."""
    figure = Figure(figsize=(WIDTH, 1.2 + 0.42 * len(models) + 0.75), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=(len(models) + 0.4, 1.3))
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
    above.xaxis.set_major_formatter(_shares(language))
    _bar(below, 0, difference, INK)
    below.axvline(0, color=INK, linewidth=0.8)
    below.annotate(
        language.points(difference.value), (difference.value, 0), (0, 6), textcoords="offset points", ha="center"
    )
    below.set_yticks([0], [difference.name])
    below.set_ylim(0.6, -0.9)
    below.set_xlim(min(0, 1.2 * difference.low), max(0, 1.2 * difference.high) or 0.01)
    below.xaxis.set_major_locator(MaxNLocator(5, steps=(1, 2, 5, 10)))
    below.xaxis.set_major_formatter(FuncFormatter(lambda share, _: language.plain(round(100 * share, 6))))
    for axis in (above, below):
        axis.grid(visible=False, axis="y")
    return figure


@styled
def learning_curves(
    history: Columns, title: str, colour: str, language: Language, *, limits: Mapping[str, tuple[float, float]]
) -> Figure:
    """Draw accuracy above loss by epoch, train against validation, with the best epoch of each on validation.

    history: the columns epoch, loss, accuracy, val_loss, val_accuracy. limits: of both axes, so that the figures of
    two models can be compared.
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
            _shares(language) if metric == "accuracy" else FuncFormatter(lambda loss, _: language.plain(round(loss, 6)))
        )
    axes[0].set_title(title)
    axes[0].legend(loc="lower right", fontsize=8)
    axes[1].set_xlabel(language.say("curves.epoch"))
    axes[1].xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


@styled
def confusion_matrix(counts: npt.NDArray[np.int64], title: str, names: Sequence[str], language: Language) -> Figure:
    """Draw how often a class (row) is taken for another (column), in percent of the row.

    counts: images by true and predicted class, shape (classes, classes).
    """
    percents = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(WIDTH, WIDTH + 0.2), layout="constrained")
    axis = figure.subplots()
    # The colours of the errors would drown beside a diagonal near 100 %.
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
    """Draw the share of each class that each model finds, with its interval.

    classes: by the model's name, the same classes in the same order for all.
    """
    names = [language.name("class", score.name) for score in next(iter(classes.values()))]
    figure = Figure(figsize=(WIDTH, 1.1 + 0.42 * len(names)), layout="constrained")
    axis = figure.subplots()
    spread = np.linspace(-0.16, 0.16, len(classes)) if len(classes) > 1 else [0.0]
    for (model, scores), offset, colour in zip(classes.items(), spread, cycle(COLOURS)):
        for row, score in enumerate(scores):
            bar = Estimate(model if row == 0 else "", score.recall, score.recall_low, score.recall_high)
            _bar(axis, row + offset, bar, colour)
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_xlabel(language.say("errors.recall"))
    axis.xaxis.set_major_formatter(_shares(language))
    figure.legend(loc="outside upper center", ncols=2)
    return figure


@styled
def gallery(pictures: Sequence[Picture], title: str, *, columns: int = 4) -> Figure:
    """Draw images in rows, light on black as they are published, with their lines below."""
    rows = -(-len(pictures) // columns)
    figure = Figure(figsize=(WIDTH, 0.3 + 1.75 * max(rows, 1)), layout="constrained")
    figure.suptitle(title, fontsize=9)
    for axis in figure.subplots(max(rows, 1), columns, squeeze=False).ravel():
        axis.set_axis_off()
    for axis, picture in zip(figure.axes, pictures, strict=False):
        axis.imshow(picture.pixels, cmap="gray", vmin=0, vmax=255, interpolation="none")
        lines = "\n".join(picture.lines)
        axis.text(0.5, -0.04, lines, transform=axis.transAxes, ha="center", va="top", fontsize=7, linespacing=1.3)
    return figure


@styled
def robustness(curves: Mapping[str, Columns], x: str, language: Language, *, label: str, y: str) -> Figure:
    """Draw accuracy by the amount of a change, a curve with its interval for each model; x: the column of amounts."""
    figure = Figure(figsize=(WIDTH, 3.1), layout="constrained")
    axis = figure.subplots()
    for (model, table), colour, mark in zip(curves.items(), cycle(COLOURS), cycle("osD^")):
        axis.fill_between(table[x], table["low"], table["high"], color=colour, alpha=0.2, linewidth=0)
        axis.plot(table[x], table["accuracy"], color=colour, marker=mark, markersize=4, label=model)
    axis.set(xlabel=label, ylabel=y, ylim=(0, 1))
    axis.yaxis.set_major_formatter(_shares(language))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda amount, _: language.plain(amount)))
    axis.legend()
    return figure


@styled
def calibration(models: Mapping[str, Reliability], language: Language) -> Figure:
    """Draw accuracy by confidence, bin by bin; a dot is as large as its bin holds images."""
    figure = Figure(figsize=(WIDTH, 4.0), layout="constrained")
    axis = figure.subplots()
    axis.plot((0, 1), (0, 1), color=INK, linestyle=":", linewidth=1, label=language.say("trust.ideal"))
    for (model, bins), colour in zip(models.items(), cycle(COLOURS)):
        held = bins.images > 0
        axis.plot(bins.confidence[held], bins.accuracy[held], color=colour, label=model)
        sizes = 4 + 60 * np.sqrt(bins.images[held] / bins.images.sum())
        axis.scatter(bins.confidence[held], bins.accuracy[held], s=sizes, color=colour)
    axis.set(
        xlabel=language.say("trust.calibration_x"),
        ylabel=language.say("trust.calibration_y"),
        xlim=(0, 1.02),
        ylim=(0, 1.02),
    )
    axis.xaxis.set_major_formatter(_shares(language))
    axis.yaxis.set_major_formatter(_shares(language))
    axis.legend(loc="upper left")
    return figure


@styled
def mosaic(tiles: npt.NDArray[np.floating], title: str, *, columns: int, signed: bool = False) -> Figure:
    """Draw many small pictures side by side, shape (height, width, n); all share one scale.

    signed: red above 0 and blue below. Otherwise black is 0, and brightness grows with the square root, so that what is
    weak shows too.
    """
    height, width, count = tiles.shape
    rows = -(-count // columns)
    gap = max(1, round(0.08 * height))
    canvas = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap), np.nan)
    for number in range(count):
        top, left = (number // columns) * (height + gap), (number % columns) * (width + gap)
        canvas[top : top + height, left : left + width] = tiles[..., number]
    largest = float(np.abs(tiles).max()) or 1.0
    drawn = WIDTH * canvas.shape[0] / canvas.shape[1]
    figure = Figure(figsize=(WIDTH, drawn + 0.3))
    figure.suptitle(title, fontsize=9, y=1 - 0.05 / (drawn + 0.3), va="top")
    axis = figure.add_axes((0, 0, 1, drawn / (drawn + 0.3)))
    axis.set_axis_off()
    if signed:
        axis.imshow(canvas, cmap="RdBu_r", vmin=-largest, vmax=largest, interpolation="none", aspect="auto")
    else:
        axis.imshow(np.sqrt(canvas), cmap="gray", vmin=0, vmax=np.sqrt(largest), interpolation="none", aspect="auto")
    return figure


def render_svg(figure: Figure) -> bytes:
    """Render a figure as an SVG file that is dark where its reader prefers that."""
    target = io.BytesIO()
    with mpl.rc_context(STYLE):
        # The date of drawing would be written unless removed.
        figure.savefig(target, format="svg", metadata={"Date": None})
    style = f'<style type="text/css">@media (prefers-color-scheme: dark) {{{DARK_STYLE}}}</style>'
    return target.getvalue().replace(b"<defs>", f"<defs>{style}".encode(), 1)


def _bar(axis: Axes, row: float, estimate: Estimate, colour: str) -> None:
    """Draw a value as a dot and its interval as a line."""
    axis.plot((estimate.low, estimate.high), (row, row), color=colour, linewidth=3, alpha=0.55, solid_capstyle="butt")
    axis.plot(estimate.value, row, "o", color=colour, markersize=6, label=estimate.name or None)


def _shares(language: Language) -> FuncFormatter:
    return FuncFormatter(lambda share, _: language.write(f"{round(100 * share, 6):g} %"))
