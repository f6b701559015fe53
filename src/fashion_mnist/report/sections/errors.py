"""The errors by class: confusion matrices, the recall of each class, and the pairs of classes confused most often."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fashion_mnist.report import figures
from fashion_mnist.report.drawing import Drawing
from fashion_mnist.report.evidence import Evidence
from fashion_mnist.report.language import Language, Table
from fashion_mnist.scores.comparison import Pair, exchanged_pairs
from fashion_mnist.scores.metrics import ClassScore, confusion, score_classes

Counts = npt.NDArray[np.int64]

PAIRS = 5
# Of more classes, no figure is legible.
MOST_SHOWN = 20


class Errors(NamedTuple):
    """What the section on errors shows of the classes."""

    explanation: str
    confusion: list[Drawing]
    recall: Drawing
    recalls: Table
    pairs_explanation: str
    pairs: Table


def errors(evidence: Evidence, language: Language) -> Errors:
    """Return the confusion matrix of each model, its recall by class, and the pairs of classes it confuses.

    Where there are many classes, those that the candidate finds least often stand for all.
    """
    names = evidence.class_names(language)
    counts = {
        name: confusion(evidence.labels, results.predictions, classes=len(names))
        for name, results in evidence.models.items()
    }
    classes = {
        name: score_classes(
            evidence.labels,
            results.predictions,
            class_names=names,
            confidence=evidence.params.evaluate.confidence,
        )
        for name, results in evidence.models.items()
    }
    hardest = sorted(classes[evidence.candidate], key=lambda score: score.recall)[:MOST_SHOWN]
    shown = {score.name for score in hardest}
    chosen = {name: [score for score in scores if score.name in shown] for name, scores in classes.items()}
    pairs = {name: exchanged_pairs(matrix, top=PAIRS) for name, matrix in counts.items()}
    height, width, _ = evidence.data.image_shape
    return Errors(
        _explain(len(classes[evidence.candidate]), evidence, language),
        _draw_confusion(counts, pairs, [number for number, name in enumerate(names) if name in shown], names, language),
        _draw_recall(chosen, evidence.candidate, language),
        _tabulate_recalls(chosen, language),
        language.say("errors.pairs_see", height=height, width=width),
        _tabulate_pairs(pairs, names, language),
    )


def _explain(classes: int, evidence: Evidence, language: Language) -> str:
    """Say how to read the matrix, and which classes it is about where it cannot show all."""
    explanation = language.say("errors.see")
    if classes <= MOST_SHOWN:
        return explanation
    model = language.name("model", evidence.candidate)
    return f"{explanation} {language.say('errors.few', classes=classes, shown=MOST_SHOWN, model=model)}"


def _draw_confusion(
    counts: dict[str, Counts], pairs: dict[str, list[Pair]], shown: list[int], names: list[str], language: Language
) -> list[Drawing]:
    """Draw the confusion of some classes, by number, for each model."""
    drawings = []
    for name, matrix in counts.items():
        title = language.name("model", name)
        first, second = names[pairs[name][0].first], names[pairs[name][0].second]
        alternative = language.say("errors.confusion", model=title, first=first, second=second)
        part, totals = matrix[np.ix_(shown, shown)], matrix.sum(axis=1)[shown]
        figure = figures.confusion_matrix(part, totals, title, [names[number] for number in shown], language)
        drawings.append(Drawing(f"confusion_{name}", alternative, figure))
    return drawings


def _draw_recall(classes: dict[str, list[ClassScore]], candidate: str, language: Language) -> Drawing:
    hardest = min(classes[candidate], key=lambda score: score.recall)
    alternative = language.say(
        "errors.recall_figure",
        model=language.name("model", candidate),
        hardest=hardest.name,
        share=language.percent(hardest.recall),
    )
    return Drawing("recall", alternative, figures.recalls(classes, language))


def _tabulate_recalls(classes: dict[str, list[ClassScore]], language: Language) -> Table:
    table = [[language.say("errors.class"), *language.names("model", classes)]]
    for scores in zip(*classes.values(), strict=True):
        table.append([scores[0].name, *(language.estimate(s.recall, s.recall_low, s.recall_high) for s in scores)])
    return table


def _tabulate_pairs(pairs: dict[str, list[Pair]], names: list[str], language: Language) -> Table:
    table = [["", *language.names("model", pairs)]]
    for rank, row in enumerate(zip(*pairs.values(), strict=True), start=1):
        table.append([str(rank), *(_describe_pair(pair, names, language) for pair in row)])
    return table


def _describe_pair(pair: Pair, names: list[str], language: Language) -> str:
    """Say which two classes are confused, how often in all, and how often each way."""
    return language.say(
        "errors.pair",
        first=names[pair.first],
        second=names[pair.second],
        total=language.count(pair.first_as_second + pair.second_as_first),
        there=language.count(pair.first_as_second),
        back=language.count(pair.second_as_first),
    )
