"""The learning curves of every model, and the epochs at which it was best on validation."""

from collections.abc import Iterable
from itertools import cycle
from typing import NamedTuple

import numpy as np

from fashion_mnist.report import figures
from fashion_mnist.report.drawing import COLOURS, Drawing
from fashion_mnist.report.evidence import Columns, Evidence
from fashion_mnist.report.language import Language, Table


class LearningCurves(NamedTuple):
    """What the section on learning shows."""

    drawings: list[Drawing]
    best_epochs: Table


def learning_curves(evidence: Evidence, language: Language) -> LearningCurves:
    """Return a drawing for each model, and a table of their best epochs."""
    histories = {name: results.history for name, results in evidence.models.items()}
    limits = {metric: _limits(histories.values(), metric) for metric in ("accuracy", "loss")}
    drawings = []
    for (name, history), colour in zip(histories.items(), cycle(COLOURS)):
        title = language.name("model", name)
        figure = figures.learning_curves(history, title, colour, language, limits=limits)
        best, lowest = _most_accurate_epoch(history), _lowest_loss_epoch(history)
        alternative = language.say("curves.figure", model=title, best=best, lowest=lowest)
        drawings.append(Drawing(f"learning_curves_{name}", alternative, figure))
    return LearningCurves(drawings, _tabulate_epochs(evidence, language))


def _tabulate_epochs(evidence: Evidence, language: Language) -> Table:
    say, percent = language.say, language.percent
    histories = [results.history for results in evidence.models.values()]
    return [
        ["", *language.names("model", evidence.models)],
        [say("curves.best"), *(percent(history["val_accuracy"].max()) for history in histories)],
        [say("curves.after"), *(str(_most_accurate_epoch(history)) for history in histories)],
        [say("curves.lowest"), *(str(_lowest_loss_epoch(history)) for history in histories)],
        [say("curves.last"), *map(percent, evidence.scores("validation_accuracy").values())],
        [say("curves.gap"), *map(language.points, evidence.scores("train_validation_gap").values())],
    ]


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
