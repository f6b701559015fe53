"""Two classifiers on the same images: how far apart they are, and whether that could be chance."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest, norm, sem

from fashion_mnist.data.split import Labels
from fashion_mnist.errors import DataError


class Pair(NamedTuple):
    """Two classes that a model takes for each other, by number, and how often it does, either way."""

    first: int
    second: int
    first_as_second: int
    second_as_first: int


def compare(labels: Labels, baseline: Labels, candidate: Labels, *, confidence: float) -> dict[str, Any]:
    """Compare predictions of two models for the same images, pairwise.

    labels, baseline, candidate: uint8, shape (n,), in the same order. Pairing removes what both find hard: the
    interval is that of the mean of the n differences (-1, 0 or 1), by the normal approximation, and p is McNemar's,
    exact. Raises DataError when lengths differ.
    """
    if not len(labels) == len(baseline) == len(candidate):
        raise DataError(
            f"{len(labels)} labels, {len(baseline)} and {len(candidate)} predictions; expected equally many"
        )
    right_before, right_after = baseline == labels, candidate == labels
    difference = right_after.astype(np.int8) - right_before.astype(np.int8)
    mean, error = float(difference.mean()), float(sem(difference))
    lost, gained = int(np.sum(right_before & ~right_after)), int(np.sum(~right_before & right_after))
    return {
        "images": len(labels),
        "difference": mean,
        "difference_low": mean + float(norm.ppf((1 - confidence) / 2)) * error,
        "difference_high": mean + float(norm.ppf((1 + confidence) / 2)) * error,
        "mcnemar_p": float(binomtest(gained, lost + gained).pvalue) if lost + gained else 1.0,
        "only_baseline_right": lost,
        "only_candidate_right": gained,
        "both_right": int(np.sum(right_before & right_after)),
        "both_wrong": int(np.sum(~right_before & ~right_after)),
    }


def least_difference(paired: Mapping[str, Any], *, confidence: float) -> float:
    """Return the one-sided lower bound of the difference in accuracy, from what `compare` returns.

    Half an image is added to each cell of the table, so that the bound keeps its level if few images differ, and
    never rises when one more image goes wrong. Source: Agresti and Min 2005, Statistics in Medicine 24.
    """
    cells = [paired["only_baseline_right"] + 0.5, paired["only_candidate_right"] + 0.5]
    images = paired["images"] + 2
    mean = (cells[1] - cells[0]) / images
    error = np.sqrt((sum(cells) / images - mean**2) / images)
    return float(norm.ppf(1 - confidence, loc=mean, scale=error))


def exchanged_pairs(counts: npt.NDArray[np.int64], *, top: int) -> list[Pair]:
    """Return the pairs of classes that are taken for each other most often, either way, most first.

    counts: images by true (rows) and predicted class (columns), shape (classes, classes).
    """
    first, second = np.triu_indices(len(counts), k=1)
    pairs = [
        Pair(one, other, int(counts[one, other]), int(counts[other, one]))
        for one, other in zip(first.tolist(), second.tolist(), strict=True)
    ]
    return sorted(pairs, key=lambda pair: -(pair.first_as_second + pair.second_as_first))[:top]


def most_confident(chosen: npt.NDArray[np.bool_], confidence: npt.NDArray[np.float64], *, top: int) -> list[int]:
    """Return the indices of the chosen images with the highest confidence, highest first; both of shape (n,)."""
    order = np.argsort(-confidence, kind="stable")
    return [int(index) for index in order[chosen[order]][:top]]
