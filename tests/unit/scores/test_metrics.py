"""Claims about scores, on examples that a person can compute by hand."""

import math
import re

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from fashion_mnist.errors import DataError
from fashion_mnist.scores.metrics import (
    METRICS,
    Answers,
    confusion,
    expected_calibration_error,
    metric,
    reliability,
    score,
    score_classes,
    score_predictions,
    share_interval,
)
from fashion_mnist.training.objective import accuracy_score, cross_entropy, most_probable

# Three of four right, the second image wrong.
LABELS = np.array([0, 0, 1, 1], np.uint8)
PROBABILITIES = np.array([[0.75, 0.25], [0.25, 0.75], [0.25, 0.75], [0.25, 0.75]], np.float32)
CLASS_NAMES = ("T-shirt/top", "Ankle boot")


def scores(labels: npt.NDArray[np.uint8], probabilities: npt.NDArray[np.float32]) -> dict[str, float]:
    return score(labels, probabilities, classes=2, confidence=0.95, bins=10)


def two_classes(*confidences: float) -> npt.NDArray[np.float32]:
    """Return probabilities of images that are all taken for the first of two classes."""
    first = np.array(confidences)
    return np.stack([first, 1 - first], axis=1).astype(np.float32)


def calibration_error(labels: npt.NDArray[np.uint8], probabilities: npt.NDArray[np.float32], *, bins: int) -> float:
    return expected_calibration_error(Answers(labels, most_probable(probabilities), 2, probabilities, bins))


def test_accuracy_is_the_share_of_right_predictions() -> None:
    assert accuracy_score(LABELS, np.array([0, 1, 1, 1], np.uint8)) == 0.75


@pytest.mark.parametrize(
    ("right", "confidence", "interval"),
    [
        (8, 0.95, (0.490162, 0.943318)),  # (0.8 + z²/20 ± z √(0.016 + z²/400)) / (1 + z²/10), z = 1.959964
        (8, 0.50, (0.702491, 0.871401)),  # z = 0.674490
        (10, 0.95, (0.722467, 1.0)),
    ],
)
def test_interval_is_wilsons(right: int, confidence: float, interval: tuple[float, float]) -> None:
    assert share_interval(right, 10, confidence=confidence) == pytest.approx(interval, abs=1e-6)


def test_cross_entropy_is_the_mean_surprise_at_the_true_class_in_nats() -> None:
    probabilities = np.array([[0.5, 0.5], [0.25, 0.75]], np.float32)
    assert cross_entropy(np.array([1, 0], np.uint8), probabilities) == pytest.approx(1.5 * math.log(2))


def test_cross_entropy_of_an_impossible_label_is_finite() -> None:
    probabilities = np.array([[0, 1]], np.float32)
    assert cross_entropy(np.array([0], np.uint8), probabilities) == pytest.approx(7 * math.log(10))


def test_confidence_that_equals_accuracy_has_no_calibration_error() -> None:
    labels = np.array([0, 0, 0, 1], np.uint8)
    assert calibration_error(labels, two_classes(0.75, 0.75, 0.75, 0.75), bins=10) == 0


def test_overconfidence_in_one_bin_does_not_offset_doubt_in_another() -> None:
    # Two with 0.95, one right: off by 0.45. Two with 0.65, both right: off by 0.35.
    labels = np.array([0, 1, 0, 0], np.uint8)
    error = calibration_error(labels, two_classes(0.95, 0.95, 0.65, 0.65), bins=10)
    assert error == pytest.approx(0.4)


def test_confidence_on_the_edge_of_two_bins_belongs_to_the_lower() -> None:
    # 0.5 is right and stands in (0, 0.5], 0.75 is wrong and stands in (0.5, 1].
    error = calibration_error(np.array([0, 1], np.uint8), two_classes(0.5, 0.75), bins=2)
    assert error == pytest.approx((0.5 + 0.75) / 2)


def test_certainty_belongs_to_the_last_bin() -> None:
    assert calibration_error(np.array([1, 0], np.uint8), two_classes(1, 0.95), bins=10) == pytest.approx(0.475)


def test_scores_are_those_computed_by_hand() -> None:
    assert scores(LABELS, PROBABILITIES) == pytest.approx(
        {
            "accuracy": 0.75,
            "balanced_accuracy": 0.75,
            "accuracy_low": 0.300642,
            "accuracy_high": 0.954413,
            "loss": (3 * math.log(4 / 3) + math.log(4)) / 4,
            "macro_f1": (2 / 3 + 4 / 5) / 2,
            "expected_calibration_error": 0.0,
        },
        abs=1e-6,
    )


def test_classes_are_scored_by_hand() -> None:
    shirt, boot = score_classes(LABELS, np.array([0, 1, 1, 1], np.uint8), class_names=CLASS_NAMES, confidence=0.95)
    assert (shirt.name, shirt.images, shirt.recall, shirt.precision) == ("T-shirt/top", 2, 0.5, 1.0)
    assert (boot.name, boot.images, boot.recall, boot.precision) == ("Ankle boot", 2, 1.0, 2 / 3)
    # One of two: (0.5 + z²/4 ± z √(0.125 + z²/16)) / (1 + z²/2), z = 1.959964.
    assert (shirt.recall_low, shirt.recall_high) == pytest.approx((0.094531, 0.905469), abs=1e-6)


def test_class_that_is_never_predicted_scores_zero() -> None:
    _, boot = score_classes(LABELS, np.zeros(4, np.uint8), class_names=CLASS_NAMES, confidence=0.95)
    assert boot.recall == boot.precision == 0


def test_class_that_does_not_occur_has_no_score() -> None:
    (shirt,) = score_classes(LABELS[:2], LABELS[:2], class_names=CLASS_NAMES, confidence=0.95)
    assert shirt.name == "T-shirt/top"


def test_reliability_sets_confidence_beside_accuracy_bin_by_bin() -> None:
    right = np.array([True, False, True, True])
    found = reliability(np.array([0.95, 0.93, 0.5, 1.0]), right, bins=2)
    assert found.images.tolist() == [1, 3]  # 0.5 belongs to the lower bin
    assert found.confidence.tolist() == pytest.approx([0.5, 0.96])
    assert found.accuracy.tolist() == pytest.approx([1, 2 / 3])


def test_confidence_of_zero_belongs_to_the_first_bin_and_of_one_to_the_last() -> None:
    assert reliability(np.array([0.0, 1.0, 1.0]), np.array([False, True, True]), bins=3).images.tolist() == [1, 0, 2]


def test_empty_bin_holds_nothing() -> None:
    found = reliability(np.array([0.9]), np.array([True]), bins=3)
    assert [values.tolist() for values in found] == [[0, 0, 1], [0, 0, 0.9], [0, 0, 1]]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_probability_that_is_not_finite_is_refused(value: float) -> None:
    probabilities = PROBABILITIES.copy()
    probabilities[2, 0] = value
    message = "probabilities hold NaN or infinity; the model diverged. Lower its learning rate."
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        scores(LABELS, probabilities)


@pytest.mark.parametrize("shape", [(3, 2), (4, 3), (4,)])
def test_probabilities_that_do_not_fit_labels_and_classes_are_refused(shape: tuple[int, ...]) -> None:
    message = f"probabilities have shape {shape}; expected (4, 2), a row per label and a column per class"
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        scores(LABELS, np.zeros(shape, np.float32))


def test_function_marked_as_a_metric_is_a_score_under_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fashion_mnist.scores.metrics.METRICS", dict(METRICS))

    def errors(outcome: Answers) -> float:
        return float(np.sum(outcome.labels != outcome.predictions))

    metric("number")(errors)
    assert scores(LABELS, PROBABILITIES)["errors"] == 1
    assert score_predictions(LABELS, LABELS, classes=2, confidence=0.95)["errors"] == 0


def test_scores_of_predictions_are_those_that_need_no_probabilities() -> None:
    found = score_predictions(LABELS, most_probable(PROBABILITIES), classes=2, confidence=0.95)
    whole = scores(LABELS, PROBABILITIES)
    assert found == {name: value for name, value in whole.items() if name in found}
    assert set(whole) - set(found) == {"loss", "expected_calibration_error"}


def test_confusion_counts_true_classes_in_rows_and_predictions_in_columns() -> None:
    labels, predictions = np.array([0, 0, 1, 2, 2, 2], np.uint8), np.array([0, 1, 1, 2, 2, 0], np.uint8)
    assert confusion(labels, predictions, classes=3).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 2]]


def test_confusion_has_a_row_for_a_class_that_does_not_occur() -> None:
    assert confusion(np.array([0], np.uint8), np.array([0], np.uint8), classes=2).tolist() == [[1, 0], [0, 0]]


@pytest.mark.parametrize("present", [10, 7])
def test_scores_of_classes_are_those_of_scikit_learn(present: int) -> None:
    rng = np.random.default_rng(present)
    labels, predictions = rng.integers(0, present, (2, 500)).astype(np.uint8)
    names = tuple(f"class {number}" for number in range(10))
    found = score_predictions(labels, predictions, classes=10, confidence=0.95)
    precision, recall, f1, _ = precision_recall_fscore_support(labels, predictions, labels=range(10), zero_division=0)
    classes = score_classes(labels, predictions, class_names=names, confidence=0.95)
    assert [score.precision for score in classes] == pytest.approx(precision[:present])
    assert [score.recall for score in classes] == pytest.approx(recall[:present])
    assert found["macro_f1"] == pytest.approx(f1.mean())
    expected = confusion_matrix(labels, predictions, labels=range(10))
    assert np.array_equal(confusion(labels, predictions, classes=10), expected)
