"""Judge whether a change made a model worse, beyond what chance and another training run explain.

The question for each model is one of non-inferiority: not "is the new accuracy at least the old one", which noise
answers at random, but "do the test images rule out a loss larger than the margin". What cannot be ruled out fails.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest, ttest_ind

from fashion_mnist.data.split import Labels
from fashion_mnist.params import Floors
from fashion_mnist.scores.comparison import compare, least_difference

NEW = "new: the baseline holds no such model"


class Evaluation(NamedTuple):
    """What one model predicted, and with other seeds: uint8, shape (n,) each, over the same images as the labels."""

    predictions: Labels
    replicates: Sequence[Labels] = ()


class Verdict(NamedTuple):
    """The judgement of one model; it fails if `failures` holds a sentence.

    Accuracies are shares; `change` is new minus old, `at_worst` and `at_best` its one-sided bounds, `p` McNemar's exact
    one; all are None without a baseline. `exchanged` counts, by class, the images that were right and are wrong now
    (lost) and the reverse (gained).
    """

    accuracy: float
    baseline_accuracy: float | None
    change: float | None
    at_worst: float | None
    at_best: float | None
    p: float | None
    exchanged: Mapping[str, Mapping[str, int]]
    failures: Sequence[str]
    remarks: Sequence[str]


def judge(
    labels: Labels,
    new: Evaluation,
    old: Evaluation | None,
    *,
    margin: float,
    confidence: float,
    floors: Floors | None,
    class_names: Sequence[str],
    why_not_compared: str = NEW,
) -> Verdict:
    """Judge one model against the same model at the baseline, and against its floors.

    labels: uint8, shape (n,). margin: the tolerated loss of accuracy, a share. confidence: one-sided.
    why_not_compared: the remark if there is no old evaluation. With replicates on both sides, the means over seeds are
    compared instead of single runs; p, floors and the exchanged images remain those of the single runs. Raises
    DataError when lengths differ.
    """
    accuracy = float(np.mean(new.predictions == labels))
    below, open_ = _below_floors(labels, new.predictions, floors, confidence=confidence, class_names=class_names)
    if old is None:
        remarks = [why_not_compared, *open_]
        return Verdict(accuracy, None, None, None, None, None, {}, below, remarks)
    paired = compare(labels, old.predictions, new.predictions, confidence=confidence)
    change = _measure_change(labels, new, old, paired, confidence=confidence)
    failures, remarks = _judge_change(change, margin=margin, confidence=confidence)
    return Verdict(
        change.accuracy,
        change.baseline_accuracy,
        change.accuracy - change.baseline_accuracy,
        change.at_worst,
        change.at_best,
        paired["mcnemar_p"],
        _exchanged(labels, old.predictions, new.predictions, class_names),
        failures + below,
        remarks + open_,
    )


def least_lead(labels: Labels, baseline: Labels, candidate: Labels, *, confidence: float) -> float:
    """Return the share by which one model is more accurate than another, at least, with one-sided confidence.

    labels, baseline, candidate: uint8, shape (n,). Below zero where the test images leave it open.
    """
    return least_difference(compare(labels, baseline, candidate, confidence=confidence), confidence=confidence)


class _Change(NamedTuple):
    """Accuracies, the one-sided bounds of their difference, and the runs that they are means of, in words."""

    accuracy: float
    baseline_accuracy: float
    at_worst: float
    at_best: float
    runs: str


def _measure_change(
    labels: Labels, new: Evaluation, old: Evaluation, paired: Mapping[str, Any], *, confidence: float
) -> _Change:
    """Measure the change of accuracy: of the means over replicates if both sides have some, else of the single runs."""
    if new.replicates and old.replicates:
        before, after = ([float(np.mean(run == labels)) for run in side.replicates] for side in (old, new))
        bounds = difference_of_means(before, after, confidence=confidence)
        runs = f", the mean of {len(after)} seeds against {len(before)}"
        return _Change(float(np.mean(after)), float(np.mean(before)), *bounds, runs)
    return _Change(
        float(np.mean(new.predictions == labels)),
        float(np.mean(old.predictions == labels)),
        least_difference(paired, confidence=confidence),
        -least_difference(_swapped(paired), confidence=confidence),
        "",
    )


def _judge_change(change: _Change, *, margin: float, confidence: float) -> tuple[list[str], list[str]]:
    """Say what fails, and what else is worth knowing."""
    difference = change.accuracy - change.baseline_accuracy
    moved = f"{abs(100 * difference):.2f} points {'lost' if difference < 0 else 'gained'}{change.runs}"
    if change.at_worst < -margin:
        failure = (
            f"accuracy: {moved} ({100 * change.baseline_accuracy:.2f} % to {100 * change.accuracy:.2f} %); with "
            f"{100 * confidence:g} % confidence the loss is at most {-100 * change.at_worst:.2f}, "
            f"and {100 * margin:.2f} are tolerated"
        )
        return [failure], []
    if change.at_worst > 0:
        return [], [f"better: {moved}, with {100 * confidence:g} % confidence at least {100 * change.at_worst:.2f}"]
    return [], [f"worse within the margin: {moved}"] if change.at_best < 0 else []


def _swapped(paired: Mapping[str, Any]) -> dict[str, Any]:
    """Exchange the roles of the two models in what `compare` returns."""
    roles = {
        "only_baseline_right": paired["only_candidate_right"],
        "only_candidate_right": paired["only_baseline_right"],
    }
    return {**paired, **roles}


def difference_of_means(before: Sequence[float], after: Sequence[float], *, confidence: float) -> tuple[float, float]:
    """Return the one-sided bounds of the difference of mean accuracies, by Welch's t: below, above."""
    if np.ptp(before) == np.ptp(after) == 0:  # t is not defined without any spread
        return (float(np.mean(after) - np.mean(before)),) * 2
    tests = (ttest_ind(after, before, equal_var=False, alternative=side) for side in ("greater", "less"))
    below, above = (test.confidence_interval(confidence) for test in tests)
    return float(below.low), float(above.high)


def _below_floors(
    labels: Labels, predictions: Labels, floors: Floors | None, *, confidence: float, class_names: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Say which floors are not exceeded with confidence, and which classes are too small to show it.

    Many classes are looked at, so each is held to a confidence that makes a false alarm among all of them as unlikely
    as one for the accuracy (Bonferroni's correction). A class with so few images that even all of them right would not
    do fails nothing.
    """
    if floors is None:
        return [], []
    failures, small = [], []
    right = predictions == labels
    if (least := _least_share(right, confidence)) < floors.accuracy:
        failures.append(
            f"accuracy is {100 * right.mean():.2f} %, with {100 * confidence:g} % confidence at least "
            f"{100 * least:.2f} %; the floor is {100 * floors.accuracy:.2f} %"
        )
    corrected = 1 - (1 - confidence) / len(class_names)
    for number, name in enumerate(class_names):
        of_class = right[labels == number]
        if not len(of_class) or _least_share(np.ones_like(of_class), corrected) < floors.recall:
            small.append(name)
        elif (least := _least_share(of_class, corrected)) < floors.recall:
            failures.append(
                f"recall of {name} is {100 * of_class.mean():.1f} %, with {100 * corrected:g} % confidence at least "
                f"{100 * least:.1f} %; the floor is {100 * floors.recall:.1f} %"
            )
    return failures, _describe_small(small, floors.recall)


def _describe_small(names: Sequence[str], floor: float) -> list[str]:
    """Say which classes have too few test images to be held to the floor of the recall."""
    if not names:
        return []
    named = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return [f"too few test images to show a recall of {100 * floor:.1f} %, so not held to it: {named}"]


def _least_share(right: npt.NDArray[np.bool_], confidence: float) -> float:
    """Return Wilson's one-sided lower bound of a share."""
    exceeds = binomtest(int(right.sum()), len(right), alternative="greater")
    return float(exceeds.proportion_ci(confidence, method="wilson").low)


def _exchanged(labels: Labels, old: Labels, new: Labels, class_names: Sequence[str]) -> dict[str, dict[str, int]]:
    """Count by class the images that only the old (lost) or only the new model (gained) got right."""
    lost, gained = (old == labels) & (new != labels), (old != labels) & (new == labels)
    return {
        name: {"lost": int(lost[labels == number].sum()), "gained": int(gained[labels == number].sum())}
        for number, name in enumerate(class_names)
    }
