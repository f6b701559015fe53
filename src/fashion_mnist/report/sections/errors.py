"""The errors by class: confusion matrices, the recall of each class, and the pairs of classes confused most often."""

from typing import NamedTuple

from fashion_mnist.data.fashion_mnist import CLASS_NAMES
from fashion_mnist.report import figures
from fashion_mnist.report.drawing import Drawing
from fashion_mnist.report.evidence import Evidence
from fashion_mnist.report.language import Language, Table
from fashion_mnist.scores.comparison import Pair, exchanged_pairs
from fashion_mnist.scores.metrics import ClassScore, confusion, score_classes

PAIRS = 5


class Errors(NamedTuple):
    """What the section on errors shows of the classes."""

    confusion: list[Drawing]
    recall: Drawing
    recalls: Table
    pairs: Table


def errors(evidence: Evidence, language: Language) -> Errors:
    """Return the confusion matrix of each model, its recall by class, and the pairs of classes it confuses."""
    counts = {
        name: confusion(evidence.labels, results.predictions, classes=len(CLASS_NAMES))
        for name, results in evidence.models.items()
    }
    pairs = {name: exchanged_pairs(matrix, top=PAIRS) for name, matrix in counts.items()}
    class_names = language.names("class", CLASS_NAMES)
    drawings = []
    for name, matrix in counts.items():
        title = language.name("model", name)
        first, second = class_names[pairs[name][0].first], class_names[pairs[name][0].second]
        alternative = language.say("errors.confusion", model=title, first=first, second=second)
        figure = figures.confusion_matrix(matrix, title, class_names, language)
        drawings.append(Drawing(f"confusion_{name}", alternative, figure))
    classes = {
        name: score_classes(
            evidence.labels,
            results.predictions,
            class_names=CLASS_NAMES,
            confidence=evidence.params.evaluate.confidence,
        )
        for name, results in evidence.models.items()
    }
    return Errors(
        drawings,
        _draw_recall(classes, evidence.candidate, language),
        _tabulate_recalls(classes, language),
        _tabulate_pairs(pairs, language),
    )


def _draw_recall(classes: dict[str, list[ClassScore]], candidate: str, language: Language) -> Drawing:
    hardest = min(classes[candidate], key=lambda score: score.recall)
    alternative = language.say(
        "errors.recall_figure",
        model=language.name("model", candidate),
        hardest=language.name("class", hardest.name),
        share=language.percent(hardest.recall),
    )
    return Drawing("recall", alternative, figures.recalls(classes, language))


def _tabulate_recalls(classes: dict[str, list[ClassScore]], language: Language) -> Table:
    table = [[language.say("errors.class"), *language.names("model", classes)]]
    for scores in zip(*classes.values(), strict=True):
        name = language.name("class", scores[0].name)
        table.append([name, *(language.estimate(s.recall, s.recall_low, s.recall_high) for s in scores)])
    return table


def _tabulate_pairs(pairs: dict[str, list[Pair]], language: Language) -> Table:
    table = [["", *language.names("model", pairs)]]
    for rank, row in enumerate(zip(*pairs.values(), strict=True), start=1):
        table.append([str(rank), *(_describe_pair(pair, language) for pair in row)])
    return table


def _describe_pair(pair: Pair, language: Language) -> str:
    """Say which two classes are confused, how often in all, and how often each way."""
    return language.say(
        "errors.pair",
        first=language.name("class", CLASS_NAMES[pair.first]),
        second=language.name("class", CLASS_NAMES[pair.second]),
        total=language.count(pair.first_as_second + pair.second_as_first),
        there=language.count(pair.first_as_second),
        back=language.count(pair.second_as_first),
    )
