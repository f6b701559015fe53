"""The diagrams of a study: many trainings in, a Matplotlib figure out, narrow enough for a phone."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fashion_mnist.report.drawing import COLOURS, INK, WIDTH, shades, styled
from fashion_mnist.report.figures import percent_ticks, plain_ticks
from fashion_mnist.report.language import Language
from fashion_mnist.scores.metrics import Reals
from fashion_mnist.study.spread import Spread
from fashion_mnist.study.sweep import Band, Size

GOLDEN = 0.618  # of its fractions, neighbours are far apart: dots of close trainings do not cover each other


class Trainings(NamedTuple):
    """The accuracies of trainings of one kind, shape (n,), their spread, and the article's figure if it has one."""

    name: str
    accuracies: Reals
    spread: Spread
    stated: float | None = None


@styled
def trainings(models: Mapping[str, Sequence[Trainings]], language: Language) -> Figure:
    """Draw each training as a dot, with the mean of its kind and the prediction interval of one more.

    models: the kinds of trainings of each model, by the name that is shown.
    """
    rows = [len(kinds) for kinds in models.values()]
    figure = Figure(figsize=(WIDTH, 0.9 + 0.3 * len(rows) + 0.55 * sum(rows)), layout="constrained")
    axes = figure.subplots(len(rows), 1, sharex=True, squeeze=False, height_ratios=rows)[:, 0]
    for (model, kinds), axis, colour in zip(models.items(), axes, cycle(COLOURS)):
        for row, kind in enumerate(kinds):
            offsets = 0.3 * (GOLDEN * np.arange(len(kind.accuracies)) % 1) - 0.4
            axis.plot(kind.accuracies, row + offsets, "o", color=colour, markersize=3, alpha=0.7, markeredgewidth=0)
            ends = (kind.spread.predicted_low, kind.spread.predicted_high)
            axis.plot(ends, (row + 0.15, row + 0.15), color=colour, linewidth=3, alpha=0.55, solid_capstyle="butt")
            axis.plot(kind.spread.mean, row + 0.15, "|", color=INK, markersize=9, markeredgewidth=1.5)
            if kind.stated is not None:
                axis.plot(kind.stated, row + 0.15, "D", color="none", markeredgecolor=INK, markersize=5)
        axis.set_title(model)
        axis.set_yticks(range(len(kinds)), [kind.name for kind in kinds])
        axis.set_ylim(len(kinds) - 0.5, -0.6)
        axis.grid(visible=False, axis="y")
    axes[-1].xaxis.set_major_locator(MaxNLocator(6, steps=(1, 2, 5, 10)))
    axes[-1].xaxis.set_major_formatter(percent_ticks(language))
    axes[-1].set_xlabel(language.name("metric", "accuracy"))
    return figure


@styled
def sizes(swept: Sequence[Size], title: str, language: Language) -> Figure:
    """Draw accuracy above loss on validation by epoch, a curve for each number of hidden units, and mark the best."""
    figure = Figure(figsize=(WIDTH, 5.2), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    for size, colour in zip(swept, shades(len(swept)), strict=True):
        _curve(above, size.accuracy, size.best_epoch, colour, label=language.plain(size.units))
        _curve(below, size.loss, size.lowest_epoch, colour)
    # The first epochs are so much worse that they would flatten all that follows.
    settled = len(swept[0].accuracy.mean) // 6
    above.set_ylim(bottom=min(float(size.accuracy.mean[settled:].min()) for size in swept) - 0.005)
    above.set_ylabel(language.say("sweep.accuracy_axis"))
    above.yaxis.set_major_formatter(percent_ticks(language))
    below.set_ylabel(language.say("sweep.loss_axis"))
    below.yaxis.set_major_formatter(plain_ticks(language))
    below.set_xlabel(language.say("curves.epoch"))
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    above.set_title(title)
    figure.legend(loc="outside upper center", ncols=min(len(swept), 4), title=language.say("sweep.units"))
    return figure


def _curve(axis: Axes, band: Band, marked: int, colour: str, *, label: str | None = None) -> None:
    """Draw a mean by epoch with its standard deviation as a band, and mark one epoch."""
    epochs = np.arange(1, len(band.mean) + 1)
    low, high = band.mean - band.deviation, band.mean + band.deviation
    axis.fill_between(epochs, low, high, color=colour, alpha=0.15, linewidth=0)
    axis.plot(epochs, band.mean, color=colour, linewidth=1.4, label=label)
    axis.plot(marked, band.mean[marked - 1], "o", color=colour, markersize=5)
