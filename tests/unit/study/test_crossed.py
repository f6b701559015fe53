"""Claims about the difference over seeds and images: by hand on two seeds and four images, and by simulation."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import norm, t

from fashion_mnist.study.crossed import CrossedDifference, crossed_difference

BASELINE = np.array([[0, 0, 0, 1], [1, 1, 1, 1]], bool)
CANDIDATE = np.array([[1, 1, 1, 1], [1, 1, 1, 0]], bool)
Bools = npt.NDArray[np.bool_]


def crossed(baseline: Bools = BASELINE, candidate: Bools = CANDIDATE, confidence: float = 0.95) -> CrossedDifference:
    return crossed_difference(baseline, candidate, confidence=confidence)


def test_mean_difference_and_its_variance_are_those_computed_by_hand() -> None:
    # Accuracies 1/4 and 1 of the baseline, 1 and 3/4 of the candidate: variances 9/32 and 1/32. Either has a rest of
    # 1/8. The differences by image are 1/2, 1/2, 1/2 and -1/2: variance 1/4. So the seeds of the baseline have the
    # component 9/32 - 1/8/4 = 1/4 and those of the candidate 0, and the images 1/4 - 1/16 - 1/16 = 1/8.
    found = crossed()
    assert found.difference == 0.25
    assert (found.by_seeds, found.by_images, found.by_both) == pytest.approx((1 / 4 / 2, 1 / 8 / 4, 1 / 4 / 2 / 4))
    assert found.degrees_of_freedom == pytest.approx(18 / 11)
    assert found.high - found.difference == pytest.approx(t.ppf(0.975, 18 / 11) * np.sqrt(3 / 16))
    assert found.difference - found.low == pytest.approx(found.high - found.difference)


def test_prediction_adds_one_seed_of_each_and_new_images() -> None:
    # To the variance of the mean, 3/16, the seeds' 1/4, and the images' 1/8 and two rests of 1/8 on four images.
    found = crossed()
    variance = 3 / 16 + 1 / 4 + (1 / 8 + 2 / 8) / 4
    parts = np.array([9 / 32 * 1.5, 1 / 32 * 1.5, 1 / 4 * 2 / 4, 1 / 32, 1 / 32])
    degrees = variance**2 / (parts**2 / [1, 1, 3, 3, 3]).sum()
    assert found.predicted_high - found.difference == pytest.approx(t.ppf(0.975, degrees) * np.sqrt(variance))


def test_exchanged_models_differ_by_as_much_the_other_way() -> None:
    forth, back = crossed(), crossed(CANDIDATE, BASELINE)
    assert (back.low, back.high) == pytest.approx((-forth.high, -forth.low))
    assert (back.predicted_low, back.predicted_high) == pytest.approx((-forth.predicted_high, -forth.predicted_low))


def test_trainings_that_never_differ_have_an_interval_without_width() -> None:
    same = np.ones((3, 5), bool)
    assert crossed(same, same)[:5] == (0, 0, 0, 0, 0)


def test_equal_seeds_leave_the_variance_of_the_images() -> None:
    # Every seed predicts the same, so the paired difference of one run has the same variance.
    rng = np.random.default_rng(1)
    one, other = rng.random(400) < 0.8, rng.random(400) < 0.9
    found = crossed(np.tile(one, (3, 1)), np.tile(other, (3, 1)))
    assert (found.by_seeds, found.by_both) == (0, 0)
    assert found.by_images == pytest.approx(np.var(other.astype(float) - one, ddof=1) / 400)


def simulated(rng: np.random.Generator, seeds: int, shift: float, images: npt.NDArray[np.float64]) -> Bools:
    """Which images are right: where skill, the seed's luck, the image's ease and a rest add up to more than 0."""
    luck, rest = rng.normal(0, 0.2, (seeds, 1)), rng.normal(0, 0.5, (seeds, len(images)))
    right: Bools = shift + luck + images + rest > 0
    return right


@pytest.mark.parametrize(("baseline", "candidate"), [(12, 5), (3, 3)])
def test_intervals_hold_the_truth_as_often_as_promised(baseline: int, candidate: int) -> None:
    # 600 repetitions at 95 %: the standard error of the share is 0.9 points, so 2.7 points are three of these.
    rng = np.random.default_rng(2)
    truth = float(np.subtract(*norm.cdf(np.array([1.6, 1.2]) / np.sqrt(0.2**2 + 0.5**2 + 1 + 0.6**2))))
    held, predicted, by_images_alone = [], [], []
    for _ in range(600):
        (before, after), (one_before, one_after) = (
            [
                simulated(rng, seeds, shift, shared + rng.normal(0, 0.6, 300))
                for seeds, shift in zip(counts, (1.2, 1.6), strict=True)
            ]
            for counts, shared in (((baseline, candidate), rng.normal(size=300)), ((1, 1), rng.normal(size=300)))
        )
        found = crossed(before, after)
        one_more = one_after.mean() - one_before.mean()
        held.append(found.low < truth < found.high)
        predicted.append(found.predicted_low < one_more < found.predicted_high)
        by_images_alone.append(abs(found.difference - truth) < 1.96 * np.sqrt(found.by_images))
    assert np.mean(held) == pytest.approx(0.95, abs=0.027)
    assert np.mean(predicted) == pytest.approx(0.95, abs=0.027)
    assert np.mean(by_images_alone) < 0.9  # what an interval that leaves the seeds out would give
