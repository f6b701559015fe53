"""Hidden units against epochs: where more of either stops helping, judged on validation."""

from typing import NamedTuple

from fashion_mnist.report.drawing import Drawing
from fashion_mnist.report.evidence import Evidence
from fashion_mnist.report.language import Language, Table
from fashion_mnist.report.sections import study_figures
from fashion_mnist.study.plan import Study
from fashion_mnist.study.sweep import Size, measure_size, smallest_sufficient


class Sweep(NamedTuple):
    """What the section on hidden units and epochs shows."""

    explanation: str
    findings: list[str]
    drawings: list[Drawing]
    tables: list[Table]


def sweep(evidence: Evidence, language: Language) -> Sweep | tuple[()]:
    """Return what each size of each swept network reached, by epoch; nothing without a study that swept any."""
    names = evidence.studied("sweep")
    if evidence.study is None or not names:
        return ()
    swept = {name: _measure(evidence.study, name) for name in names}
    confidence = evidence.params.evaluate.confidence
    return Sweep(
        explanation=language.say(evidence.wording("sweep.see")),
        findings=[
            f"{_describe_enough(name, sizes, language, confidence)} {_describe_overfitting(sizes, language)}"
            for name, sizes in swept.items()
        ],
        drawings=[_draw(name, sizes, language) for name, sizes in swept.items()],
        tables=[_tabulate(name, sizes, language) for name, sizes in swept.items()],
    )


def _measure(study: Study, model: str) -> list[Size]:
    """Return the sizes of one model, smallest first."""
    return [
        measure_size(
            units, *(study.histories("sweep", model, column, units=units) for column in ("val_accuracy", "val_loss"))
        )
        for units in study.sizes(model)
    ]


def _describe_enough(model: str, sizes: list[Size], language: Language, confidence: float) -> str:
    """Say from how many units on more are not shown to help."""
    sufficient, best = smallest_sufficient(sizes, confidence=confidence)
    return language.say(
        "sweep.alone" if sufficient is best else "sweep.enough",
        model=language.name("model", model),
        units=language.count(sufficient.units),
        accuracy=language.percent(sufficient.accuracies.mean()),
        best=language.count(best.units),
        best_accuracy=language.percent(best.accuracies.mean()),
        seeds=len(best.accuracies),
        level=language.plain(100 * confidence),
    )


def _describe_overfitting(sizes: list[Size], language: Language) -> str:
    """Say after which epoch the smallest and the largest network have their lowest loss on validation."""
    smallest, largest = sizes[0], sizes[-1]
    return language.say(
        "sweep.overfits",
        epochs=len(smallest.loss.mean),
        least=language.count(smallest.units),
        first=_mean_epoch(smallest, language),
        most=language.count(largest.units),
        last=_mean_epoch(largest, language),
    )


def _mean_epoch(size: Size, language: Language) -> str:
    return language.write(f"{size.lowest_epochs.mean():.1f}")


def _draw(model: str, sizes: list[Size], language: Language) -> Drawing:
    name, seeds = language.name("model", model), len(sizes[0].accuracies)
    best = max(sizes, key=lambda size: float(size.accuracies.mean()))
    alternative = language.say(
        "sweep.figure",
        model=name,
        sizes=", ".join(language.count(size.units) for size in sizes),
        units=language.count(best.units),
        accuracy=language.percent(best.accuracies.mean()),
        epoch=best.best_epoch,
    )
    title = language.say("sweep.heading", model=name, seeds=seeds)
    return Drawing(f"sweep_{model}", alternative, study_figures.sizes(sizes, title, language))


def _tabulate(model: str, sizes: list[Size], language: Language) -> Table:
    """Return a row for each number of units: the best epoch and its accuracy, and where overfitting begins."""
    columns = (language.say(f"sweep.{key}") for key in ("accuracy", "best_epoch", "lowest_epoch"))
    table = [[language.say("sweep.model", model=language.name("model", model)), *columns]]
    for size in sizes:
        deviation = size.accuracy.deviation[size.best_epoch - 1]
        epochs = language.say(
            "page.range", low=f"{size.lowest_epochs.min():.0f}", high=f"{size.lowest_epochs.max():.0f}"
        )
        table.append(
            [
                language.count(size.units),
                f"{language.percent(size.accuracies.mean())} ± {language.distance(deviation)}",
                str(size.best_epoch),
                f"{_mean_epoch(size, language)} ({epochs})",
            ]
        )
    return table
