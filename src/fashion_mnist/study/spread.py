"""How far apart trainings end that differ only by chance: their spread, and where one more would end."""

import math
from typing import NamedTuple

import numpy as np
from scipy.stats import chi2, f, t

from fashion_mnist.scores.metrics import Reals


class Spread(NamedTuple):
    """Figures of several trainings, such as accuracies: mean and standard deviation with intervals, and the ends.

    predicted_low, predicted_high: the prediction interval of one more training.
    """

    trainings: int
    mean: float
    mean_low: float
    mean_high: float
    deviation: float
    deviation_low: float
    deviation_high: float
    lowest: float
    highest: float
    predicted_low: float
    predicted_high: float


class Ratio(NamedTuple):
    """A ratio of two variances, with its interval."""

    value: float
    low: float
    high: float


def measure_spread(values: Reals, *, confidence: float) -> Spread:
    """Describe figures of independent trainings, shape (n,), n at least 2.

    All intervals take the figures for normally distributed: that of the mean is Student's, that of the standard
    deviation follows from chi-square, and one more training ends within mean ± t · deviation · √(1 + 1/n). Source: Hahn
    and Meeker 1991, Statistical Intervals, chapter 4.
    """
    count, mean, deviation = len(values), float(np.mean(values)), float(np.std(values, ddof=1))
    reach = float(t.ppf((1 + confidence) / 2, count - 1)) * deviation
    least, most = (float(chi2.ppf((1 + sign * confidence) / 2, count - 1)) for sign in (-1, 1))
    return Spread(
        trainings=count,
        mean=mean,
        mean_low=mean - reach / math.sqrt(count),
        mean_high=mean + reach / math.sqrt(count),
        deviation=deviation,
        deviation_low=deviation * math.sqrt((count - 1) / most),
        deviation_high=deviation * math.sqrt((count - 1) / least),
        lowest=float(np.min(values)),
        highest=float(np.max(values)),
        predicted_low=mean - reach * math.sqrt(1 + 1 / count),
        predicted_high=mean + reach * math.sqrt(1 + 1 / count),
    )


def variance_ratio(values: Reals, reference: Reals, *, confidence: float) -> Ratio | None:
    """Compare the variance of values with that of a reference, shapes (m,) and (n,), both independent and normal.

    The interval is that of the F test; it holds 1 where the two cannot be told apart. None if the reference does not
    vary at all.
    """
    variances = np.var(values, ddof=1), np.var(reference, ddof=1)
    if not variances[1]:
        return None
    value = float(variances[0] / variances[1])
    least, most = f.ppf([(1 - confidence) / 2, (1 + confidence) / 2], len(values) - 1, len(reference) - 1)
    return Ratio(value, value / float(most), value / float(least))
