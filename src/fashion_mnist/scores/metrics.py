"""Scores of one classifier, from labels and predicted probabilities."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from fashion_mnist.errors import DataError

Labels = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]
Reals = npt.NDArray[np.float64]

# Keras clips probabilities here before the logarithm, so that losses agree with its own.
SMALLEST_PROBABILITY = 1e-7


class ClassScore(NamedTuple):
    """One class: its images, the share of them that is found with its interval, and the share of right finds."""

    name: str
    images: int
    recall: float
    recall_low: float
    recall_high: float
    precision: float


class Reliability(NamedTuple):
    """By bin of confidence, lowest first: images, their mean confidence and accuracy (0 where a bin is empty)."""

    images: npt.NDArray[np.int64]
    confidence: Reals
    accuracy: Reals


def accuracy_score(labels: Labels, predictions: Labels) -> float:
    """Return the share of right predictions; both of shape (n,)."""
    return float(np.mean(labels == predictions))


def share_interval(right: int, images: int, *, confidence: float) -> tuple[float, float]:
    """Return Wilson's interval of the share right / images, which stays within [0, 1] and holds its level near 1."""
    low, high = binomtest(right, images).proportion_ci(confidence, method="wilson")
    return float(low), float(high)


def cross_entropy(labels: Labels, probabilities: Probabilities) -> float:
    """Return the mean of -log p(label), in nats, as Keras' sparse categorical cross-entropy does.

    labels: shape (n,). probabilities: shape (n, classes).
    """
    of_label = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.clip(of_label, SMALLEST_PROBABILITY, 1)).mean())


def reliability(confidence: npt.NDArray[np.floating], right: npt.NDArray[np.bool_], *, bins: int) -> Reliability:
    """Compare confidence with accuracy over equally wide bins of confidence.

    confidence: probability of the predicted class, shape (n,). right: whether that is the label, shape (n,).
    """
    # Bins are open on the left, as in Guo et al. 2017: a confidence of exactly 1 belongs to the last.
    bin_of = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    images = np.bincount(bin_of, minlength=bins)
    sums = (np.bincount(bin_of, weights=values, minlength=bins) for values in (confidence, right))
    return Reliability(images, *(total / np.maximum(images, 1) for total in sums))


def expected_calibration_error(labels: Labels, probabilities: Probabilities, *, bins: int) -> float:
    """Return the mean distance between confidence and accuracy, over equally wide bins of confidence.

    0 means that of the images predicted with 80 % confidence, 80 % are right. Source: Guo et al. 2017, section 2.
    """
    right = probabilities.argmax(axis=1) == labels
    binned = reliability(probabilities.max(axis=1).astype(np.float64), right, bins=bins)
    return float(np.average(np.abs(binned.accuracy - binned.confidence), weights=binned.images))


def score(
    labels: Labels, probabilities: Probabilities, *, class_names: tuple[str, ...], confidence: float, bins: int
) -> dict[str, float]:
    """Score one model on one split.

    labels: uint8, shape (n,). probabilities: float32, shape (n, classes). confidence: of the interval of the accuracy.
    bins: of the calibration error. Raises DataError when shapes differ or a probability is not finite.
    """
    if probabilities.shape != (len(labels), len(class_names)):
        raise DataError(
            f"probabilities have shape {probabilities.shape}; expected {(len(labels), len(class_names))}, "
            "a row per label and a column per class"
        )
    if not np.isfinite(probabilities).all():
        raise DataError("probabilities hold NaN or infinity; the model diverged. Lower its learning rate.")
    predictions = probabilities.argmax(axis=1).astype(np.uint8)
    return {
        **score_predictions(labels, predictions, class_names=class_names, confidence=confidence),
        "loss": cross_entropy(labels, probabilities),
        "expected_calibration_error": expected_calibration_error(labels, probabilities, bins=bins),
    }


def score_predictions(
    labels: Labels, predictions: Labels, *, class_names: tuple[str, ...], confidence: float
) -> dict[str, float]:
    """Return those scores of `score` that follow from the predicted classes alone; both of shape (n,)."""
    right = int(np.count_nonzero(labels == predictions))
    low, high = share_interval(right, len(labels), confidence=confidence)
    counts = confusion(labels, predictions, classes=len(class_names))
    # A class that never occurs, or is never predicted, scores 0.
    f1 = 2 * counts.diagonal() / np.maximum(counts.sum(axis=1) + counts.sum(axis=0), 1)
    return {
        "accuracy": accuracy_score(labels, predictions),
        "accuracy_low": low,
        "accuracy_high": high,
        "macro_f1": float(f1.mean()),
    }


def score_classes(
    labels: Labels, predictions: Labels, *, class_names: Sequence[str], confidence: float
) -> list[ClassScore]:
    """Score each class that occurs, in the order of the names; labels, predictions: shape (n,)."""
    counts = confusion(labels, predictions, classes=len(class_names))
    return [
        ClassScore(
            name,
            images,
            right / images,
            *share_interval(right, images, confidence=confidence),
            precision=right / max(predicted, 1),
        )
        for name, right, images, predicted in zip(
            class_names,
            counts.diagonal().tolist(),
            counts.sum(axis=1).tolist(),
            counts.sum(axis=0).tolist(),
            strict=True,
        )
        if images
    ]


def confusion(labels: Labels, predictions: Labels, *, classes: int) -> npt.NDArray[np.int64]:
    """Count images by true class (rows) and predicted class (columns); shape (classes, classes)."""
    pairs = labels.astype(np.int64) * classes + predictions
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
