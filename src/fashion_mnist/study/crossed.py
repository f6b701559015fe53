"""The difference of two networks where both the seeds and the test images are left to chance.

Every training of either network judges the same test images: seeds and images are crossed, as readers and cases are in
studies of medical images. A difference that holds for other seeds and for other images needs the variance of both.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import t

Right = npt.NDArray[np.bool_]


class CrossedDifference(NamedTuple):
    """A mean difference in accuracy, candidate - baseline, with its interval over seeds and test images.

    predicted_low, predicted_high: the prediction interval of the difference that one more training of each would show
    on as many other test images. by_seeds, by_images, by_both: the parts of the variance of the mean difference that
    come from the seeds, from the images, and from what a seed makes of a single image. degrees_of_freedom: of the
    interval.
    """

    difference: float
    low: float
    high: float
    predicted_low: float
    predicted_high: float
    by_seeds: float
    by_images: float
    by_both: float
    degrees_of_freedom: float


class _Trainings(NamedTuple):
    """One network: its trainings, and the mean squares of their accuracies and of what is left, for each image."""

    trainings: int
    accuracies: float
    rest: float


class _Term(NamedTuple):
    """A mean square times its coefficient in a variance, and its degrees of freedom."""

    value: float
    degrees_of_freedom: float


def crossed_difference(baseline: Right, candidate: Right, *, confidence: float) -> CrossedDifference:
    """Estimate the mean difference of two networks over seeds and images.

    baseline, candidate: which images each training gets right, bool, shapes (m, images) and (n, images), m and n at
    least 2. Seeds of the two are independent, images are shared. What one training scores on one image is taken as the
    sum of a mean, an effect of the seed, one of the image and a rest, all uncorrelated; the components are estimated
    without bias from mean squares (Searle, Casella and McCulloch 1992, Variance Components, chapter 4), and those below
    0 count as 0. Degrees of freedom: Satterthwaite 1946, Biometrics Bulletin 2. A bootstrap over both seeds and images
    answers the same question: Owen 2007, Annals of Applied Statistics 1, the pigeonhole bootstrap.
    """
    images = baseline.shape[1]
    sides = [_analyse(right) for right in (baseline, candidate)]
    by_image = candidate.mean(axis=0) - baseline.mean(axis=0)
    mean, shared = float(by_image.mean()), float(by_image.var(ddof=1))

    # The mean squares of seeds and of images both hold the rest, which would count twice.
    of_seeds = [max(0.0, side.accuracies - side.rest / images) for side in sides]
    of_images = max(0.0, shared - sum(side.rest / side.trainings for side in sides))
    by_seeds = sum(part / side.trainings for part, side in zip(of_seeds, sides, strict=True))
    by_both = sum(side.rest / side.trainings for side in sides) / images
    variance = by_seeds + of_images / images + by_both
    further = variance + sum(of_seeds) + (of_images + sum(side.rest for side in sides)) / images

    degrees = _degrees_of_freedom(variance, _terms(sides, shared, images))
    degrees_further = _degrees_of_freedom(further, _terms(sides, shared, images, one_more=1))
    reach = _reach(variance, degrees, confidence)
    reach_further = _reach(further, degrees_further, confidence)
    return CrossedDifference(
        mean,
        *(mean - reach, mean + reach),
        *(mean - reach_further, mean + reach_further),
        *(by_seeds, of_images / images, by_both),
        degrees,
    )


def _analyse(right: Right) -> _Trainings:
    """Return the mean squares of one network; right: shape (seeds, images)."""
    seeds, images = right.shape
    accuracies = right.mean(axis=1, keepdims=True)
    rest = right - accuracies - right.mean(axis=0) + right.mean()
    return _Trainings(seeds, float(accuracies.var(ddof=1)), float((rest**2).sum() / ((seeds - 1) * (images - 1))))


def _terms(sides: Sequence[_Trainings], shared: float, images: int, *, one_more: int = 0) -> list[_Term]:
    """Return what the variance of the mean difference is a sum of, by mean squares.

    one_more: 1 for the variance of its distance to one more training of each on as many other images.
    """
    terms = [_Term((1 + one_more) / images * shared, images - 1)]
    for side in sides:
        terms.append(_Term((1 / side.trainings + one_more) * side.accuracies, side.trainings - 1))
        degrees = (side.trainings - 1) * (images - 1)
        terms.append(_Term(-(1 + one_more) / (side.trainings * images) * side.rest, degrees))
    return terms


def _degrees_of_freedom(variance: float, terms: Sequence[_Term]) -> float:
    """Return Satterthwaite's degrees of freedom of a variance; infinite where nothing varies."""
    spread = sum(term.value**2 / term.degrees_of_freedom for term in terms)
    return variance**2 / spread if spread else math.inf


def _reach(variance: float, degrees_of_freedom: float, confidence: float) -> float:
    return float(t.ppf((1 + confidence) / 2, degrees_of_freedom)) * math.sqrt(variance)
