"""Measure how often the gate errs, on the replicates of `make study`: trainings that differ in their seed alone.

A false alarm: one training fails against another. A caught drop: it fails once 1.5 points of its right predictions were
made wrong. Both depend on the margin. The rule: of the margins at which false alarms stay within 5 % for one training
of every model, the smallest, since it catches most. Nothing is trained here. Run it in the folder of params.yaml.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest, t

from fashion_mnist.data.split import Labels
from fashion_mnist.errors import StudyError
from fashion_mnist.gate.judgement import Evaluation, difference_of_means, judge
from fashion_mnist.params import GateParams
from fashion_mnist.scores.comparison import least_difference
from fashion_mnist.sources.fashion_mnist import CLASS_NAMES
from fashion_mnist.study.plan import Study
from pipeline.bytes.descriptions import read_description
from pipeline.runtime.command import run
from pipeline.runtime.parameters import read_params
from pipeline.study.tables import find_study

DROP = 0.015
MARGINS = [round(0.006 + 0.001 * step, 3) for step in range(19)]
MOST_FALSE_ALARMS = 0.05
CONFIDENCE = 0.95  # of the intervals
GROUPS = 400  # drawn, for the means of several seeds
Bounds = npt.NDArray[np.float64]


class Share(NamedTuple):
    """A share of comparisons, and its interval."""

    value: float
    low: float
    high: float


class Errors(NamedTuple):
    """How often the gate fails one training against another, as they are and after a planted drop."""

    false_alarms: Share
    caught: Share


def main(argv: Sequence[str] | None = None) -> None:
    """Print the noise of each model, then tables of errors by margin, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args(argv)
    params = read_params()
    study = find_study(params, read_description())
    if study is None:
        raise StudyError("reports/study.json: holds no study of the present data and parameters; run `make study`")
    errors = {model: single_errors(study, model, params.gate) for model in models_of(study)}
    print("\n".join([*describe_noise(study, params.gate), "", *describe_single(errors)]))
    margin = recommended_margin(errors)
    caught = "; ".join(f"{model} {percent(found[margin].caught)}" for model, found in errors.items())
    print(f"\nRecommended: {points(margin)} points. Of drops of {points(DROP)} points it catches: {caught}.")
    print("\n".join(["", *describe_groups(study, params.gate)]))


def models_of(study: Study) -> list[str]:
    """Return the models that the gate judges, in the order of their names; not recipes."""
    return [model for kind, model in study.predictions if kind == "article"]


def single_errors(study: Study, model: str, params: GateParams) -> dict[float, Errors]:
    """Return the errors of the gate on single trainings by margin, over all ordered pairs of a model's trainings."""
    right = study.predictions["replicate", model] == study.labels
    as_they_are = bounds_of_pairs(right, right, confidence=params.confidence)
    dropped = bounds_of_pairs(right, plant(right), confidence=params.confidence)
    return {
        margin: Errors(share_of_pairs(as_they_are < -margin), share_of_pairs(dropped < -margin)) for margin in MARGINS
    }


def bounds_of_pairs(old: npt.NDArray[np.bool_], new: npt.NDArray[np.bool_], *, confidence: float) -> Bounds:
    """Return the gate's bound of the change from each old training (rows) to each new one (columns).

    old, new: which images each gets right, shape (trainings, images). The bound depends on two counts alone, so these
    are computed for all pairs at once.
    """
    images = old.shape[1]
    before, after = old.astype(np.float32), new.astype(np.float32)  # their products count exactly up to 2^24
    lost, gained = before @ (1 - after).T, (1 - before) @ after.T
    bounds = [
        least_difference(
            {"images": images, "only_baseline_right": int(lose), "only_candidate_right": int(gain)},
            confidence=confidence,
        )
        for lose, gain in zip(lost.flat, gained.flat, strict=True)
    ]
    return np.reshape(bounds, lost.shape)


def plant(right: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Make a share of DROP of each training's predictions wrong, among those that are right; shape as given."""
    rng = np.random.default_rng(1)
    spoiled = right.copy()
    for row in spoiled:
        row[rng.choice(np.flatnonzero(row), round(DROP * len(row)), replace=False)] = False
    return spoiled


def share_of_pairs(failing: npt.NDArray[np.bool_]) -> Share:
    """Return the share of ordered pairs of different trainings that fail, with its interval.

    failing: shape (trainings, trainings); its diagonal is not looked at. A binomial interval takes the pairs for
    independent; but each training is in many of them, so one unlucky training fails in all of its pairs at once.
    The interval therefore leaves out one training at a time (jackknife of a U-statistic: Arvesen 1969, Annals of
    Mathematical Statistics 40), on the scale of log odds, with Student's t. Where that changes nothing, as when no pair
    fails, it shows no spread; then it is the binomial interval of the pairs that share no training.
    """
    count = len(failing)
    among = np.where(np.eye(count, dtype=bool), 0, failing)
    total = among.sum()
    share = float(total / (count * (count - 1)))
    without = (total - among.sum(0) - among.sum(1)) / max((count - 1) * (count - 2), 1)
    if np.ptp(without) == 0:
        disjoint = count // 2
        interval = binomtest(round(share * disjoint), disjoint).proportion_ci(CONFIDENCE)
        return Share(share, float(interval.low), float(interval.high))
    error = np.sqrt((count - 1) / count * np.sum((without - without.mean()) ** 2))
    reach = t.ppf((1 + CONFIDENCE) / 2, count - 1) * error / (share * (1 - share))
    odds = np.log(share / (1 - share)) + np.array([-reach, reach])
    low, high = 1 / (1 + np.exp(-odds))
    return Share(share, float(low), float(high))


def recommended_margin(errors: Mapping[str, Mapping[float, Errors]]) -> float:
    """Return the smallest margin at which false alarms stay within 5 % for one training of every model.

    errors: what `single_errors` returns, by model. Raises StudyError if no margin does.
    """
    for margin in MARGINS:
        if all(found[margin].false_alarms.value <= MOST_FALSE_ALARMS for found in errors.values()):
            return margin
    raise StudyError(
        f"no margin up to {points(MARGINS[-1])} points keeps false alarms within {100 * MOST_FALSE_ALARMS:g} %; "
        "compare the means of several seeds"
    )


def group_errors(accuracies: Bounds, size: int, params: GateParams) -> dict[float, tuple[float, float]]:
    """Return by margin the share of false alarms and of caught drops, where means of groups are compared.

    accuracies: of each training. size: the seeds on each side. A drop of every training moves the bound by as much.
    """
    bounds = np.array(
        [
            difference_of_means(accuracies[old].tolist(), accuracies[new].tolist(), confidence=params.confidence)[0]
            for old, new in groups(len(accuracies), size)
        ]
    )
    return {margin: (float(np.mean(bounds < -margin)), float(np.mean(bounds - DROP < -margin))) for margin in MARGINS}


def groups(count: int, size: int) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Draw two disjoint groups of trainings, old and new, by number, again and again."""
    rng = np.random.default_rng(0)
    for _ in range(GROUPS):
        order = rng.permutation(count)
        yield order[:size], order[size : 2 * size]


def sizes_of(count: int) -> list[int]:
    """Return how many seeds on a side are tried with so many trainings: 3, 10 and half of them, where possible."""
    return sorted({size for size in (3, 10, count // 2) if 2 <= size <= count // 2})


def falls_below_a_floor(labels: Labels, predictions: Labels, params: GateParams, model: str) -> bool:
    """Tell whether one training alone fails the gate, which only a floor can cause."""
    alone = Evaluation(predictions)
    return bool(judge(labels, alone, alone, params, model=model, class_names=CLASS_NAMES).failures)


def describe_noise(study: Study, params: GateParams) -> list[str]:
    """Lay out the accuracies of each model's trainings."""
    lines = ["| model | trainings | mean | standard deviation | lowest | highest | below a floor |"]
    lines += ["| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for model in models_of(study):
        runs = study.predictions["replicate", model]
        accuracies = 100 * study.accuracies("replicate", model)
        below = sum(falls_below_a_floor(study.labels, found, params, model) for found in runs)
        lines.append(
            f"| {model} | {len(runs)} | {accuracies.mean():.2f} % | {accuracies.std(ddof=1):.2f} "
            f"| {accuracies.min():.2f} % | {accuracies.max():.2f} % | {below} |"
        )
    return lines


def describe_single(errors: Mapping[str, Mapping[float, Errors]]) -> list[str]:
    """Lay out the errors of single trainings; false alarms within 5 % are bold."""
    titles = [f"{model}, {what}" for model in errors for what in ("false alarms", "drops caught")]
    lines = [f"| margin, points | {' | '.join(titles)} |", "| ---: |" + " ---: |" * len(titles)]
    for margin in MARGINS:
        cells = []
        for false, caught in (found[margin] for found in errors.values()):
            said = percent(false)
            cells += [f"**{said}**" if false.value <= MOST_FALSE_ALARMS else said, percent(caught)]
        lines.append(f"| {points(margin)} | {' | '.join(cells)} |")
    return lines


def describe_groups(study: Study, params: GateParams) -> list[str]:
    """Lay out false alarms / drops caught for the means of several seeds.

    Without intervals: groups of this size overlap, so the trainings cannot tell how far the shares vary.
    """
    columns = {}
    for model in models_of(study):
        accuracies = study.accuracies("replicate", model)
        for size in sizes_of(len(accuracies)):
            columns[f"{model}, {size} seeds"] = group_errors(accuracies, size, params)
    if not columns:
        return []
    lines = [f"| margin, points | {' | '.join(columns)} |", "| ---: |" + " ---: |" * len(columns)]
    for margin in MARGINS:
        cells = (
            f"{100 * false:.0f} % / {100 * caught:.0f} %" for false, caught in (c[margin] for c in columns.values())
        )
        lines.append(f"| {points(margin)} | {' | '.join(cells)} |")
    return lines


def percent(share: Share) -> str:
    """Write a share and its interval in percent."""
    return f"{100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f})"


def points(share: float) -> str:
    """Write a share in points."""
    return f"{100 * share:.1f}"


if __name__ == "__main__":
    run(main)
