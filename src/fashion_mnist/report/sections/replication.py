"""What another training would give: the spread of trainings that differ in their seed, or in more."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fashion_mnist.report.drawing import COLOURS, INK, WIDTH, Drawing, percent_ticks, styled
from fashion_mnist.report.evidence import Evidence, PageSection
from fashion_mnist.report.language import Language
from fashion_mnist.report.tables import Table, tabulate
from fashion_mnist.scores.metrics import Reals
from fashion_mnist.study.plan import KINDS, Study
from fashion_mnist.study.spread import Spread, measure_spread, variance_ratio

SCORED = [kind for kind in KINDS if kind != "sweep"]
GOLDEN = 0.618  # of its fractions, neighbours are far apart: dots of close trainings do not cover each other


class Trainings(NamedTuple):
    """The accuracies of trainings of one kind, shape (n,), their spread, and the article's figure if it has one."""

    name: str
    accuracies: Reals
    spread: Spread
    stated: float | None = None


def replication(evidence: Evidence) -> PageSection | None:
    """Return the accuracy of every training of the study, by model and kind; nothing without a study."""
    names, language = evidence.studied("replicate"), evidence.language
    if evidence.study is None or not names:
        return None
    models = {name: _collect(name, evidence.study, evidence) for name in names}
    spreads = {name: made.spread for name, (made, *_) in models.items()}
    ranges = ", ".join(
        f"{language.model(name)} ({language.interval(spread.predicted_low, spread.predicted_high)})"
        for name, spread in spreads.items()
    )
    figure = trainings({language.model(name): kinds for name, kinds in models.items()}, language)
    return PageSection(
        summary=evidence.say("replication.summary", ranges=ranges),
        drawing=Drawing("trainings", evidence.say("replication.figure", ranges=ranges), figure),
        tables=[_tabulate(name, kinds, evidence) for name, kinds in models.items()],
        cuts=_describe_cuts(names, evidence.study, evidence),
        recipes=_describe_recipes(evidence.study, evidence),
    )


def _collect(model: str, study: Study, evidence: Evidence) -> list[Trainings]:
    """Return the trainings of one model by kind; the article's figure is that of its own protocol."""
    return [
        Trainings(
            evidence.say(f"replication.{kind}"),
            study.accuracies(kind, model),
            measure_spread(study.accuracies(kind, model), confidence=evidence.confidence),
            evidence.published(model).test if kind == "article" else None,
        )
        for kind in SCORED
    ]


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


def _tabulate(model: str, kinds: Sequence[Trainings], evidence: Evidence) -> Table:
    """Return a column for each kind of training of one model."""
    language = evidence.language
    percent, distance, interval = language.percent, language.distance, language.interval
    rows = {
        "trainings": lambda s: language.count(s.trainings),
        "mean": lambda s: percent(s.mean),
        "deviation": lambda s: f"{distance(s.deviation)} ({interval(s.deviation_low, s.deviation_high, 'distance')})",
        "lowest": lambda s: percent(s.lowest),
        "highest": lambda s: percent(s.highest),
        "predicted": lambda s: interval(s.predicted_low, s.predicted_high),
    }
    spreads = {" ".join(kind.name.split()): kind.spread for kind in kinds}
    named = {evidence.say(f"replication.{key}"): write for key, write in rows.items()}
    return tabulate(language.model(model), spreads, named)


def _describe_cuts(names: Sequence[str], study: Study, evidence: Evidence) -> list[str]:
    """Say for each model whether another validation cut adds to the spread, as far as these trainings can tell."""
    sentences = []
    for name in names:
        values, reference = (study.accuracies(kind, name) for kind in ("other_cut", "replicate"))
        ratio = variance_ratio(values, reference, confidence=evidence.confidence)
        if ratio:
            key = "cut_adds" if ratio.low > 1 else "cut_takes" if ratio.high < 1 else "cut_open"
            sentences.append(evidence.say(f"replication.{key}", model=name, **ratio._asdict()))
    return sentences


def _describe_recipes(study: Study, evidence: Evidence) -> list[str]:
    """Say what the trainings of each recipe in the study reach, which are not among the models of the page."""
    recipes = [model for kind, model in study.predictions if kind == "replicate" and model not in evidence.models]
    spreads = {
        name: measure_spread(study.accuracies("replicate", name), confidence=evidence.confidence) for name in recipes
    }
    return [evidence.say("replication.recipe", model=name, **spread._asdict()) for name, spread in spreads.items()]
