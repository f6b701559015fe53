"""Judge whether a change made a model worse, beyond what chance and another training run explain.

The question for each model is one of non-inferiority: not "is the new accuracy at least the old one", which noise
answers at random, but "do the test images rule out a loss larger than the margin". What cannot be ruled out fails.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest, ttest_ind

from fashion_mnist.data.split import Labels
from fashion_mnist.params import Floors, GateParams, ReportParams
from fashion_mnist.report.language import points
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
    baseline_accuracy: float | None = None
    change: float | None = None
    at_worst: float | None = None
    at_best: float | None = None
    p: float | None = None
    exchanged: Mapping[str, Mapping[str, int]] = {}
    failures: Sequence[str] = ()
    remarks: Sequence[str] = ()


def judge(
    labels: Labels,
    new: Evaluation,
    old: Evaluation | None,
    gate: GateParams,
    *,
    model: str,
    class_names: Sequence[str],
    why_not_compared: str = NEW,
) -> Verdict:
    """Judge one model against the same model at the baseline, and against its floors.

    labels: uint8, shape (n,). why_not_compared: the remark if there is no old evaluation. With replicates on both
    sides, the means over seeds are compared instead of single runs; p, floors and the exchanged images remain those of
    the single runs. Raises DataError when lengths differ.
    """
    confidence = gate.confidence
    below, small = _below_floors(labels, new.predictions, gate.floors.get(model), confidence, class_names)
    if old is None:
        return Verdict(_accuracy(labels, new.predictions), failures=below, remarks=[why_not_compared, *small])
    before, after = [_accuracy(labels, old.predictions)], [_accuracy(labels, new.predictions)]
    at_worst = least_lead(labels, old.predictions, new.predictions, confidence=confidence)
    at_best = -least_lead(labels, new.predictions, old.predictions, confidence=confidence)
    runs = ""
    if new.replicates and old.replicates:
        before, after = ([_accuracy(labels, run) for run in side.replicates] for side in (old, new))
        at_worst, at_best = difference_of_means(before, after, confidence=confidence)
        runs = f", the mean of {len(after)} seeds against {len(before)}"
    was, now = float(np.mean(before)), float(np.mean(after))
    failures, remarks = _describe_change(was, now, (at_worst, at_best), runs, gate)
    if not runs and not ((old.predictions == labels) & (new.predictions != labels)).any():
        failures = []  # nothing was lost; few test images would call even the same model worse
    p = compare(labels, old.predictions, new.predictions, confidence=confidence)["mcnemar_p"]
    exchanged = _exchanged(labels, old.predictions, new.predictions, class_names)
    return Verdict(now, was, now - was, at_worst, at_best, p, exchanged, failures + below, remarks + small)


def _describe_change(
    was: float, now: float, bounds: tuple[float, float], runs: str, gate: GateParams
) -> tuple[list[str], list[str]]:
    """Return failures and remarks on a change of accuracy; runs: the trainings that the means are of, in words."""
    (at_worst, at_best), with_confidence = bounds, f"with {100 * gate.confidence:g} % confidence"
    moved = f"{abs(100 * (now - was)):.2f} points {'lost' if now < was else 'gained'}{runs}"
    if at_worst < -gate.margin:
        failure = (
            f"accuracy: {moved} ({100 * was:.2f} % to {100 * now:.2f} %); {with_confidence} the loss is at most "
            f"{-100 * at_worst:.2f}, and {100 * gate.margin:.2f} are tolerated"
        )
        return [failure], []
    if at_worst > 0:
        return [], [f"better: {moved}, {with_confidence} at least {100 * at_worst:.2f}"]
    return [], [f"worse within the margin: {moved}"] if at_best < 0 else []


def lacks_lead(labels: Labels, evaluations: Mapping[str, Evaluation], report: ReportParams, confidence: float) -> str:
    """Return a sentence unless the candidate is shown to be more accurate than the baseline model; empty if it is.

    evaluations: by model, of the same images as the labels.
    """
    baseline, candidate = report.baseline, report.candidate
    if not {baseline, candidate} <= evaluations.keys():
        return f"{candidate} and {baseline} are not both evaluated"
    before, after = (evaluations[model].predictions for model in (baseline, candidate))
    lead = least_lead(labels, before, after, confidence=confidence)
    if lead > 0:
        return ""
    return (
        f"{candidate} is not shown to be more accurate than {baseline}: with {100 * confidence:g} % confidence its "
        f"lead is at least {points(lead)} points; expected more than 0"
    )


def least_lead(labels: Labels, baseline: Labels, candidate: Labels, *, confidence: float) -> float:
    """Return the share by which one model is more accurate than another, at least, with one-sided confidence.

    labels, baseline, candidate: uint8, shape (n,). Below zero if the test images leave it open.
    """
    return least_difference(compare(labels, baseline, candidate, confidence=confidence), confidence=confidence)


def difference_of_means(before: Sequence[float], after: Sequence[float], *, confidence: float) -> tuple[float, float]:
    """Return the one-sided bounds of the difference of mean accuracies, by Welch's t: below, above."""
    if np.ptp(before) == np.ptp(after) == 0:  # t is not defined without any spread
        return (float(np.mean(after) - np.mean(before)),) * 2
    tests = (ttest_ind(after, before, equal_var=False, alternative=side) for side in ("greater", "less"))
    below, above = (test.confidence_interval(confidence) for test in tests)
    return float(below.low), float(above.high)


def _below_floors(
    labels: Labels, predictions: Labels, floors: Floors | None, confidence: float, class_names: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Return failures for floors that are not exceeded with confidence, and a remark on classes too small to show it.

    For recall, the level is corrected because every class is checked (Bonferroni). A class too small to reach its floor
    even with every image right is listed, but does not fail.
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
    if not small:
        return failures, []
    named = ", ".join(small[:5]) + (f" and {len(small) - 5} more" if len(small) > 5 else "")
    return failures, [
        f"too few test images to show a recall of {100 * floors.recall:.1f} %, so not held to it: {named}"
    ]


def _accuracy(labels: Labels, predictions: Labels) -> float:
    return float(np.mean(predictions == labels))


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
