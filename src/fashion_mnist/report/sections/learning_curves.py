"""The learning curves of every model, and the epochs at which it was best on validation."""

from collections.abc import Iterable, Mapping
from itertools import cycle

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fashion_mnist.report.drawing import COLOURS, INK, WIDTH, Drawing, percent_ticks, plain_ticks, styled
from fashion_mnist.report.evidence import Columns, Evidence, PageSection
from fashion_mnist.report.language import Language
from fashion_mnist.report.tables import Table, tabulate


def learning_curves(evidence: Evidence) -> PageSection:
    """Return a drawing for each model, and a table of their best epochs."""
    histories = {name: results.history for name, results in evidence.models.items()}
    limits = {metric: _limits(histories.values(), metric) for metric in ("accuracy", "loss")}
    drawings = []
    for (name, history), colour in zip(histories.items(), cycle(COLOURS)):
        best, lowest = _most_accurate_epoch(history), _lowest_loss_epoch(history)
        alternative = evidence.say("curves.figure", model=name, best=best, lowest=lowest)
        title = evidence.language.model(name)
        figure = draw_history(history, title, colour, evidence.language, limits=limits)
        drawings.append(Drawing(f"learning_curves_{name}", alternative, figure))
    return PageSection(drawings=drawings, best_epochs=_tabulate_epochs(evidence))


@styled
def draw_history(
    history: Columns, title: str, colour: str, language: Language, *, limits: Mapping[str, tuple[float, float]]
) -> Figure:
    """Draw accuracy above loss by epoch, train against validation, and mark the best epoch on validation.

    history: the columns epoch, loss, accuracy, val_loss, val_accuracy. limits: of the axes accuracy and loss, the same
    for all models, so that their figures can be compared.
    """
    figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True)
    bests = {"accuracy": _most_accurate_epoch(history), "loss": _lowest_loss_epoch(history)}
    epochs, ticks = history["epoch"], (percent_ticks, plain_ticks)
    for axis, (metric, best), format_ticks in zip(axes, bests.items(), ticks, strict=True):
        validation = history[f"val_{metric}"]
        axis.plot(epochs, history[metric], color=colour, label=language.say("curves.train"))
        axis.plot(epochs, validation, "--", color=colour, label=language.say("curves.validation"))
        axis.axvline(best, color=INK, linestyle=":", linewidth=1)
        axis.plot(best, validation[epochs == best], "o", color=colour, markersize=5)
        axis.set_ylabel(language.say(f"curves.{metric}"))
        axis.set_ylim(*limits[metric])
        axis.yaxis.set_major_locator(MaxNLocator(6, steps=(1, 2, 5, 10)))
        axis.yaxis.set_major_formatter(format_ticks(language))
    axes[0].set_title(title)
    axes[0].legend(loc="lower right", fontsize=8)
    axes[1].set_xlabel(language.say("curves.epoch"))
    axes[1].xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _tabulate_epochs(evidence: Evidence) -> Table:
    say, language = evidence.say, evidence.language
    rows = {
        "best": lambda results: language.percent(results.history["val_accuracy"].max()),
        "after": lambda results: str(_most_accurate_epoch(results.history)),
        "lowest": lambda results: str(_lowest_loss_epoch(results.history)),
        "last": lambda results: language.percent(results.scores["validation_accuracy"]),
        "gap": lambda results: language.points(results.scores["train_validation_gap"]),
    }
    named = {say(f"curves.{key}"): write for key, write in rows.items()}
    return tabulate("", evidence.models, named, name=language.model)


def _most_accurate_epoch(history: Columns) -> int:
    """Return the epoch with the highest accuracy on validation, the first of equals."""
    return int(history["epoch"][np.argmax(history["val_accuracy"])])


def _lowest_loss_epoch(history: Columns) -> int:
    """Return the epoch with the lowest loss on validation, the first of equals."""
    return int(history["epoch"][np.argmin(history["val_loss"])])


def _limits(histories: Iterable[Columns], metric: str) -> tuple[float, float]:
    """Return the limits of an axis that holds a metric of all models, on train and validation."""
    values = np.concatenate([history[key] for history in histories for key in (metric, f"val_{metric}")])
    margin = 0.05 * float(np.ptp(values)) or 0.05
    return float(values.min()) - margin, float(values.max()) + margin
