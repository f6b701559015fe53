"""Hidden units against epochs: where more of either stops helping, judged on validation."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fashion_mnist.report.drawing import WIDTH, Drawing, percent_ticks, plain_ticks, shades, styled
from fashion_mnist.report.evidence import Evidence, PageSection
from fashion_mnist.report.language import Language
from fashion_mnist.report.tables import Table
from fashion_mnist.study.plan import Study
from fashion_mnist.study.sweep import Band, Size, measure_size, smallest_sufficient


def sweep(evidence: Evidence) -> PageSection | None:
    """Return what each size of each swept network reached, by epoch; nothing without a study that swept any."""
    names = evidence.studied("sweep")
    if evidence.study is None or not names:
        return None
    swept = {name: _measure(evidence.study, name) for name in names}
    return PageSection(
        findings=[
            (_describe_enough(name, sizes, evidence), _describe_overfitting(sizes, evidence))
            for name, sizes in swept.items()
        ],
        drawings=[_draw(name, sizes, evidence) for name, sizes in swept.items()],
        tables=[_tabulate(name, sizes, evidence) for name, sizes in swept.items()],
    )


def _measure(study: Study, model: str) -> list[Size]:
    """Return the sizes of one model, smallest first."""
    return [
        measure_size(
            units, *(study.histories("sweep", model, column, units=units) for column in ("val_accuracy", "val_loss"))
        )
        for units in study.sizes(model)
    ]


def _describe_enough(model: str, sizes: Sequence[Size], evidence: Evidence) -> str:
    """Say which number of units is enough: more are not shown to help."""
    sufficient, best = smallest_sufficient(sizes, confidence=evidence.confidence)
    return evidence.say(
        "sweep.alone" if sufficient is best else "sweep.enough",
        model=model,
        units=sufficient.units,
        accuracy=sufficient.accuracies.mean(),
        best=best.units,
        best_accuracy=best.accuracies.mean(),
        seeds=len(best.accuracies),
    )


def _describe_overfitting(sizes: Sequence[Size], evidence: Evidence) -> str:
    """Say after which epoch the smallest and the largest network have their lowest loss on validation."""
    smallest, largest = sizes[0], sizes[-1]
    return evidence.say(
        "sweep.overfits",
        epochs=len(smallest.loss.mean),
        least=smallest.units,
        first=smallest.lowest_epochs.mean(),
        most=largest.units,
        last=largest.lowest_epochs.mean(),
    )


def _draw(model: str, sizes: Sequence[Size], evidence: Evidence) -> Drawing:
    best = max(sizes, key=lambda size: float(size.accuracies.mean()))
    alternative = evidence.say(
        "sweep.figure",
        model=model,
        sizes=", ".join(evidence.language.count(size.units) for size in sizes),
        units=best.units,
        accuracy=best.accuracies.mean(),
        epoch=best.best_epoch,
    )
    title = evidence.say("sweep.heading", model=model, seeds=len(sizes[0].accuracies))
    return Drawing(f"sweep_{model}", alternative, draw_sizes(sizes, title, evidence.language))


@styled
def draw_sizes(swept: Sequence[Size], title: str, language: Language) -> Figure:
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


def _tabulate(model: str, sizes: Sequence[Size], evidence: Evidence) -> Table:
    """Return a row for each number of units: the best epoch and its accuracy, and where overfitting begins."""
    language, say = evidence.language, evidence.say
    table = [[say("sweep.model", model=model), *map(say, ("sweep.accuracy", "sweep.best_epoch", "sweep.lowest_epoch"))]]
    for size in sizes:
        deviation = size.accuracy.deviation[size.best_epoch - 1]
        lowest = size.lowest_epochs
        table.append(
            [
                language.count(size.units),
                f"{language.percent(size.accuracies.mean())} ± {language.distance(deviation)}",
                str(size.best_epoch),
                f"{language.write(f'{lowest.mean():.1f}')} ({language.interval(lowest.min(), lowest.max(), '.0f')})",
            ]
        )
    return table
