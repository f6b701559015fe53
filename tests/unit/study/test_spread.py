"""Claims about the spread of trainings, on three figures whose quantiles are in any table."""

import numpy as np
import pytest

from fashion_mnist.study.spread import measure_spread, variance_ratio

VALUES = np.array([3.0, 1.0, 2.0])


def test_spread_is_that_computed_by_hand() -> None:
    # Student's t with 2 degrees of freedom: 4.302653. Chi-square with 2: 0.0506356 and 7.377759.
    spread = measure_spread(VALUES, confidence=0.95)
    assert (spread.trainings, spread.mean, spread.deviation) == (3, 2, 1)
    assert (spread.lowest, spread.highest) == (1, 3)
    assert (spread.mean_low, spread.mean_high) == pytest.approx((2 - 2.484138, 2 + 2.484138), abs=1e-6)
    assert (spread.deviation_low, spread.deviation_high) == pytest.approx((0.52066, 6.28473), abs=1e-5)
    assert (spread.predicted_low, spread.predicted_high) == pytest.approx((2 - 4.968275, 2 + 4.968275), abs=1e-5)


def test_one_more_training_ends_in_its_interval_as_often_as_promised() -> None:
    # 2000 repetitions at 95 %: the share has a standard error of half a percent, so 1.5 points are three of these.
    samples = np.random.default_rng(5).normal(0.9, 0.01, (2000, 11))
    spreads = [measure_spread(sample[:10], confidence=0.95) for sample in samples]
    pairs = zip(spreads, samples[:, 10], strict=True)
    inside = [spread.predicted_low < more < spread.predicted_high for spread, more in pairs]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.015)


def test_ratio_of_variances_is_that_computed_by_hand() -> None:
    # With 2 and 2 degrees of freedom, the 97.5 % quantile of F is 39.
    ratio = variance_ratio(VALUES, 2 * VALUES, confidence=0.95)
    assert ratio == pytest.approx((0.25, 0.25 / 39, 0.25 * 39))


def test_ratio_depends_on_which_sample_is_the_larger() -> None:
    # The 97.5 % quantiles: 10.6491 of F with 2 and 4 degrees of freedom, 39.2484 with 4 and 2.
    ratio = variance_ratio(VALUES, np.array([1.0, 2, 3, 4, 5]), confidence=0.95)
    assert ratio == pytest.approx((0.4, 0.4 / 10.6491, 0.4 * 39.2484), rel=1e-4)


def test_what_does_not_vary_is_no_reference() -> None:
    assert variance_ratio(VALUES, np.ones(3), confidence=0.95) is None
