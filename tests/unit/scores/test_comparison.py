"""Claims about the comparison of two models, on ten images."""

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from fashion_mnist.errors import DataError
from fashion_mnist.scores.comparison import Pair, compare, exchanged_pairs, most_confident

# Both right on 3 images, only the baseline on 2, only the candidate on 4, both wrong on 1.
LABELS = np.zeros(10, np.uint8)
BASELINE = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1], np.uint8)
CANDIDATE = np.array([0, 0, 0, 1, 1, 0, 0, 0, 0, 1], np.uint8)


def compared(baseline: npt.NDArray[np.uint8], candidate: npt.NDArray[np.uint8]) -> dict[str, Any]:
    return compare(LABELS[: len(baseline)], baseline, candidate, confidence=0.95)


def test_comparison_is_that_computed_by_hand() -> None:
    # Six differences of ±1 with mean 0.2: the variance is (6 - 10 * 0.2²) / 9, the standard error 0.249444.
    # McNemar: at most 2 heads in 6 throws, twice.
    assert compared(BASELINE, CANDIDATE) == pytest.approx(
        {
            "images": 10,
            "difference": 0.2,
            "difference_low": 0.2 - 1.959964 * 0.249444,
            "difference_high": 0.2 + 1.959964 * 0.249444,
            "mcnemar_p": 2 * (1 + 6 + 15) / 2**6,
            "only_baseline_right": 2,
            "only_candidate_right": 4,
            "both_right": 3,
            "both_wrong": 1,
        },
        abs=1e-6,
    )


def test_exchanged_models_differ_by_as_much_the_other_way() -> None:
    forth, back = compared(BASELINE, CANDIDATE), compared(CANDIDATE, BASELINE)
    assert back["difference"] == -forth["difference"]
    assert back["difference_low"] == pytest.approx(-forth["difference_high"])
    assert back["mcnemar_p"] == forth["mcnemar_p"]


def test_lower_confidence_narrows_the_interval() -> None:
    narrow = compare(LABELS, BASELINE, CANDIDATE, confidence=0.5)
    assert narrow["difference_high"] == pytest.approx(0.2 + 0.674490 * 0.249444, abs=1e-6)


def test_model_does_not_differ_from_itself() -> None:
    same = compared(BASELINE, BASELINE)
    assert (same["difference"], same["difference_low"], same["difference_high"]) == (0, 0, 0)
    assert same["mcnemar_p"] == 1


def test_five_to_none_is_as_likely_as_five_equal_throws_of_a_coin() -> None:
    assert compared(np.ones(5, np.uint8), np.zeros(5, np.uint8))["mcnemar_p"] == pytest.approx(2 * 0.5**5)


@pytest.mark.parametrize(("baseline", "candidate"), [(9, 10), (10, 9)])
def test_predictions_for_other_images_are_refused(baseline: int, candidate: int) -> None:
    message = f"10 labels, {baseline} and {candidate} predictions; expected equally many"
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        compare(LABELS, BASELINE[:baseline], CANDIDATE[:candidate], confidence=0.95)


def test_pairs_are_counted_both_ways_and_the_most_exchanged_come_first() -> None:
    counts = np.array([[90, 1, 9], [0, 99, 1], [20, 5, 75]])
    assert exchanged_pairs(counts, top=2) == [Pair(0, 2, 9, 20), Pair(1, 2, 1, 5)]


def test_most_confident_of_the_chosen_come_first_and_equals_in_their_order() -> None:
    chosen = np.array([True, False, True, True, True])
    confidence = np.array([0.5, 0.99, 0.9, 0.5, 0.7])
    assert most_confident(chosen, confidence, top=9) == [2, 4, 0, 3]
    assert most_confident(chosen, confidence, top=1) == [2]
