"""Claims about the sweep: best epochs, where overfitting begins, and which size is enough."""

import numpy as np
import pytest

from fashion_mnist.study.sweep import Size, measure_size, smallest_sufficient

ACCURACY = np.array([[0.80, 0.86, 0.85], [0.82, 0.88, 0.89]])
LOSS = np.array([[0.5, 0.3, 0.4], [0.6, 0.5, 0.35]])


def reaching(units: int, *accuracies: float) -> Size:
    """A size of which each seed reaches one of these accuracies in the only epoch."""
    reached = np.array(accuracies)[:, np.newaxis]
    return measure_size(units, reached, 1 - reached)


def test_size_is_described_by_means_over_its_seeds() -> None:
    size = measure_size(64, ACCURACY, LOSS)
    assert size.units == 64
    assert size.accuracy.mean.tolist() == pytest.approx([0.81, 0.87, 0.87])
    assert size.accuracy.deviation.tolist() == pytest.approx([np.sqrt(2) * 0.01, np.sqrt(2) * 0.01, np.sqrt(2) * 0.02])
    assert size.loss.mean.tolist() == pytest.approx([0.55, 0.4, 0.375])


def test_best_epoch_is_that_of_the_mean_and_overfitting_begins_after_each_seeds_own() -> None:
    size = measure_size(64, ACCURACY + np.array([0, 0.001, 0]), LOSS)
    assert size.best_epoch == 2
    assert size.accuracies.tolist() == pytest.approx([0.861, 0.881])
    assert size.lowest_epoch == 3
    assert size.lowest_epochs.tolist() == [2, 3]


def test_smaller_size_suffices_where_chance_explains_the_difference() -> None:
    sizes = [reaching(16, 0.80, 0.81, 0.82), reaching(64, 0.88, 0.90, 0.89), reaching(256, 0.89, 0.88, 0.91)]
    sufficient, best = smallest_sufficient(sizes, confidence=0.95)
    assert (sufficient.units, best.units) == (64, 256)


def test_best_size_alone_suffices_where_all_smaller_ones_are_worse() -> None:
    sizes = [reaching(16, 0.80, 0.81, 0.82), reaching(64, 0.88, 0.90, 0.89), reaching(256, 0.80, 0.81, 0.80)]
    sufficient, best = smallest_sufficient(sizes, confidence=0.95)
    assert (sufficient.units, best.units) == (64, 64)


@pytest.mark.parametrize(("confidence", "units"), [(0.95, 16), (0.85, 64)])
def test_test_is_one_sided_at_the_confidence_asked_for(confidence: float, units: int) -> None:
    # Means 0.01 apart, and a standard error of 0.01 √(2/3): t is 1.2247 with 4 degrees of freedom, p 0.144.
    sizes = [reaching(16, 0.80, 0.81, 0.82), reaching(64, 0.81, 0.82, 0.83)]
    assert smallest_sufficient(sizes, confidence=confidence)[0].units == units


def test_one_seed_shows_nothing() -> None:
    single = measure_size(16, np.array([[0.5, 0.6]]), np.array([[0.5, 0.4]]))
    assert single.accuracy.deviation.tolist() == [0, 0]
    assert smallest_sufficient([single, reaching(64, 0.9)], confidence=0.95)[0].units == 16


@pytest.mark.parametrize(("accuracy", "units"), [(0.9, 16), (0.8, 64)])
def test_seeds_without_any_spread_are_compared_by_their_value(accuracy: float, units: int) -> None:
    sizes = [reaching(16, accuracy, accuracy), reaching(64, 0.9, 0.9)]
    assert smallest_sufficient(sizes, confidence=0.95)[0].units == units
