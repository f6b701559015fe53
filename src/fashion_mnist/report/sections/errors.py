"""The errors by class: confusion matrices, the recall of each class, and the pairs of classes confused most often."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from fashion_mnist.report.drawing import (
    COLOURS,
    INK,
    WIDTH,
    Drawing,
    Estimate,
    draw_estimate,
    percent_ticks,
    shorten,
    styled,
)
from fashion_mnist.report.evidence import Evidence, PageSection
from fashion_mnist.report.language import Language
from fashion_mnist.report.tables import Table
from fashion_mnist.scores.comparison import Pair, exchanged_pairs
from fashion_mnist.scores.metrics import ClassScore, confusion, score_classes

Counts = npt.NDArray[np.int64]

PAIRS = 5
# Of more classes, no figure is legible.
MOST_SHOWN = 20
LONGEST_NAME = 20
SHADE = "#2f7bd9"  # of the confusion matrix


def errors(evidence: Evidence) -> PageSection:
    """Return the confusion matrix of each model, its recall by class, and the pairs of classes it confuses.

    If there are many classes, only those that the candidate finds least often are shown.
    """
    names, labels, language = evidence.class_names, evidence.labels, evidence.language
    counts, classes = {}, {}
    for model, results in evidence.models.items():
        counts[model] = confusion(labels, results.predictions, classes=len(names))
        classes[model] = score_classes(labels, results.predictions, class_names=names, confidence=evidence.confidence)
    by_recall = sorted(classes[evidence.candidate], key=lambda score: score.recall)
    shown = {score.name for score in by_recall[:MOST_SHOWN]}
    chosen = {model: [score for score in scores if score.name in shown] for model, scores in classes.items()}
    pairs = {model: exchanged_pairs(matrix, top=PAIRS) for model, matrix in counts.items()}
    numbers = [number for number, name in enumerate(names) if name in shown]
    hardest = by_recall[0]
    height, width, _ = evidence.data.image_shape
    return PageSection(
        few=evidence.say("errors.few", classes=len(by_recall), shown=MOST_SHOWN) if len(by_recall) > MOST_SHOWN else "",
        confusion=[
            _draw_confusion(model, matrix, pairs[model][0], numbers, evidence) for model, matrix in counts.items()
        ],
        recall=Drawing(
            "recall",
            evidence.say("errors.recall_figure", hardest=hardest.name, share=hardest.recall),
            recalls(chosen, language),
        ),
        recalls=_tabulate_recalls(chosen, language),
        pairs_explanation=evidence.say("errors.pairs_see", height=height, width=width),
        pairs=_tabulate_pairs(pairs, names, language),
    )


def _draw_confusion(model: str, counts: Counts, worst: Pair, shown: list[int], evidence: Evidence) -> Drawing:
    """Draw the confusion of some classes, by number; worst: the pair that the model confuses most often."""
    names, language = evidence.class_names, evidence.language
    alternative = language.say("errors.confusion", model=model, first=names[worst.first], second=names[worst.second])
    part, totals = counts[np.ix_(shown, shown)], counts.sum(axis=1)[shown]
    figure = confusion_matrix(part, totals, language.model(model), [names[number] for number in shown], language)
    return Drawing(f"confusion_{model}", alternative, figure)


@styled
def confusion_matrix(counts: Counts, totals: Counts, title: str, names: Sequence[str], language: Language) -> Figure:
    """Draw how often a class (row) is predicted as another (column), in percent of the row.

    counts: images by true and predicted class, shape (classes, classes). totals: by true class.
    """
    percents = 100 * counts / np.maximum(totals[:, np.newaxis], 1)
    names = [shorten(name, LONGEST_NAME) for name in names]
    figure = Figure(figsize=(WIDTH, WIDTH + 0.2), layout="constrained")
    axis = figure.subplots()
    for (row, column), percent in np.ndenumerate(percents):
        # On a linear scale, errors would be invisible beside a diagonal near 100 %.
        shade = mpl.colors.to_rgba(SHADE, round(float(np.sqrt(percent)) / 10, 3))
        axis.add_patch(mpl.patches.Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=shade, edgecolor="none"))
        if percent > 0.5:
            colour = "#fefefe" if percent > 40 else INK
            axis.text(column, row, f"{percent:.0f}", ha="center", va="center", color=colour, fontsize=8)
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
    """Draw each model's recall by class, with its interval.

    classes: by model, the same classes in the same order for all.
    """
    names = [shorten(score.name, LONGEST_NAME) for score in next(iter(classes.values()))]
    figure = Figure(figsize=(WIDTH, 1.1 + 0.42 * len(names)), layout="constrained")
    axis = figure.subplots()
    spread = np.linspace(-0.16, 0.16, len(classes)) if len(classes) > 1 else [0.0]
    for (model, scores), offset, colour in zip(classes.items(), spread, cycle(COLOURS)):
        for row, score in enumerate(scores):
            name = language.model(model) if row == 0 else ""
            estimate = Estimate(name, score.recall, score.recall_low, score.recall_high)
            draw_estimate(axis, row + offset, estimate, colour)
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_xlabel(language.say("errors.recall"))
    axis.xaxis.set_major_formatter(percent_ticks(language))
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def _tabulate_recalls(classes: Mapping[str, Sequence[ClassScore]], language: Language) -> Table:
    table = [[language.say("errors.class"), *map(language.model, classes)]]
    for scores in zip(*classes.values(), strict=True):
        table.append([scores[0].name, *(language.estimate(s.recall, s.recall_low, s.recall_high) for s in scores)])
    return table


def _tabulate_pairs(pairs: Mapping[str, Sequence[Pair]], names: Sequence[str], language: Language) -> Table:
    """Return a row for each rank: which two classes a model confuses, how often in all, and how often each way."""
    table = [["", *map(language.model, pairs)]]
    for rank, row in enumerate(zip(*pairs.values(), strict=True), start=1):
        said = (
            language.say(
                "errors.pair", first=names[first], second=names[second], total=there + back, there=there, back=back
            )
            for first, second, there, back in row
        )
        table.append([str(rank), *said])
    return table
