"""Accuracy on test images that are shifted, rotated or noisy."""

from collections.abc import Mapping
from itertools import cycle

from matplotlib.figure import Figure

from fashion_mnist.report.drawing import COLOURS, WIDTH, Drawing, percent_ticks, plain_ticks, styled
from fashion_mnist.report.evidence import Columns, Evidence, PageSection
from fashion_mnist.report.language import Language
from fashion_mnist.report.tables import Table
from fashion_mnist.scores.robustness import CHANGES, DIRECTIONS


def position(evidence: Evidence) -> PageSection:
    """Return how much accuracy every model keeps, by the amount of each kind of change."""
    images = min(evidence.params.evaluate.robustness.images, len(evidence.labels))
    middle = len(evidence.models[evidence.candidate].curves["position"]["pixels"]) // 2
    shifted = _accuracies("position", middle, "middle", evidence) | _accuracies("position", -1, "last", evidence)
    changed = _accuracies("rotation", -1, "rotation", evidence) | _accuracies("noise", -1, "noise", evidence)
    return PageSection(
        shifted=evidence.say("position.shifted", **shifted),
        measured=evidence.say("position.means", images=images),
        others=evidence.say("position.other_see", **changed),
        drawings=[_draw(change, evidence) for change in CHANGES],
        tables=[_tabulate(change, evidence) for change in CHANGES],
        directions=_tabulate_directions(evidence),
    )


def _accuracies(change: str, row: int, name: str, evidence: Evidence) -> dict[str, float]:
    """Return what a row of a change's table holds: its amount by `name`, and the accuracies of the two models."""
    curves = evidence.curves(change)
    return {
        name: curves[evidence.candidate][CHANGES[change][0]][row],
        f"{name}_candidate": curves[evidence.candidate]["accuracy"][row],
        f"{name}_baseline": curves[evidence.baseline]["accuracy"][row],
    }


def _draw(change: str, evidence: Evidence) -> Drawing:
    """Draw the accuracy of every model under a kind of change, and say where each curve begins and ends."""
    amount, curves, say = CHANGES[change][0], evidence.curves(change), evidence.say
    ends = " ".join(
        say(
            f"position.{change}_curve",
            model=name,
            first=curve["accuracy"][0],
            last=curve["accuracy"][-1],
            most=curve[amount][-1],
        )
        for name, curve in curves.items()
    )
    label, y = say(f"position.{change}_x"), say("position.accuracy")
    figure = robustness(curves, amount, evidence.language, label=label, y=y)
    return Drawing(change, say(f"position.{change}_figure", curves=ends), figure)


@styled
def robustness(curves: Mapping[str, Columns], x: str, language: Language, *, label: str, y: str) -> Figure:
    """Draw accuracy by the amount of a change, a curve with its interval for each model.

    curves: by model, the columns accuracy, low and high, and x, the amounts. label, y: of the axes.
    """
    figure = Figure(figsize=(WIDTH, 3.1), layout="constrained")
    axis = figure.subplots()
    for (model, table), colour, mark in zip(curves.items(), cycle(COLOURS), cycle("osD^")):
        axis.fill_between(table[x], table["low"], table["high"], color=colour, alpha=0.2, linewidth=0)
        name = language.model(model)
        axis.plot(table[x], table["accuracy"], color=colour, marker=mark, markersize=4, label=name)
    axis.set(xlabel=label, ylabel=y, ylim=(0, 1))
    axis.yaxis.set_major_formatter(percent_ticks(language))
    axis.xaxis.set_major_formatter(plain_ticks(language))
    axis.legend()
    return figure


def _tabulate(change: str, evidence: Evidence) -> Table:
    """Return a row for each amount of a kind of change: the accuracy of every model with its interval."""
    curves, language = evidence.curves(change), evidence.language
    table = [[evidence.say(f"position.{change}_x"), *map(language.model, curves)]]
    for row, amount in enumerate(curves[evidence.candidate][CHANGES[change][0]]):
        estimates = ([curve[key][row] for key in ("accuracy", "low", "high")] for curve in curves.values())
        table.append([language.plain(amount), *(language.estimate(*estimate) for estimate in estimates)])
    return table


def _tabulate_directions(evidence: Evidence) -> list[Table]:
    """Return a table for each model: its accuracy by direction and by pixels shifted."""
    language, tables = evidence.language, []
    for name, curve in evidence.curves("position").items():
        header = [language.model(name), *map(language.plain, curve["pixels"][1:])]
        rows = ([evidence.say(f"position.{way}"), *map(language.percent, curve[way][1:])] for way in DIRECTIONS)
        tables.append([header, *rows])
    return tables
