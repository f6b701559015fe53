"""Scores of one classifier, from labels and predicted probabilities.

A metric is one function marked with `metric`. Its name is its key in reports/metrics, in MLflow and on the page.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from fashion_mnist.data.split import Floats, Labels
from fashion_mnist.errors import DataError
from fashion_mnist.training.objective import accuracy_score, cross_entropy, most_probable

Reals = npt.NDArray[np.float64]


class Answers(NamedTuple):
    """What one model answers for one split.

    labels, predictions: shape (n,). classes: how many there are. probabilities: float32, shape (n, classes);
    None if only the predicted classes are known. bins: of the calibration error, if there are probabilities.
    """

    labels: Labels
    predictions: Labels
    classes: int
    probabilities: Floats | None = None
    bins: int = 0


class Metric(NamedTuple):
    """A score: its function, how it is written, and whether it needs more than the predicted classes."""

    compute: Callable[[Answers], float]
    unit: Literal["share", "number"]
    of_probabilities: bool


METRICS: dict[str, Metric] = {}


def metric(
    unit: Literal["share", "number"], *, of_probabilities: bool = False
) -> Callable[[Callable[[Answers], float]], Callable[[Answers], float]]:
    """Enter a function into METRICS under its own name."""

    def enter(compute: Callable[[Answers], float]) -> Callable[[Answers], float]:
        METRICS[compute.__name__] = Metric(compute, unit, of_probabilities)
        return compute

    return enter


@metric("share")
def accuracy(answers: Answers) -> float:
    """Return the share of right predictions."""
    return accuracy_score(answers.labels, answers.predictions)


@metric("share")
def balanced_accuracy(answers: Answers) -> float:
    """Return the mean over classes of recall; equal to accuracy if all classes are equally frequent."""
    counts = confusion(answers.labels, answers.predictions, classes=answers.classes)
    images = counts.sum(axis=1)
    return float((counts.diagonal()[images > 0] / images[images > 0]).mean())


@metric("number")
def macro_f1(answers: Answers) -> float:
    """Return the mean over classes of F1; a class that never occurs, or is never predicted, scores 0."""
    counts = confusion(answers.labels, answers.predictions, classes=answers.classes)
    f1 = 2 * counts.diagonal() / np.maximum(counts.sum(axis=1) + counts.sum(axis=0), 1)
    return float(f1.mean())


@metric("number", of_probabilities=True)
def loss(answers: Answers) -> float:
    """Return the cross-entropy, in nats."""
    assert answers.probabilities is not None  # noqa: S101 - else it is not called
    return cross_entropy(answers.labels, answers.probabilities)


@metric("number", of_probabilities=True)
def expected_calibration_error(answers: Answers) -> float:
    """Return the mean distance between confidence and accuracy, over equally wide bins of confidence.

    0 means that of the images predicted with 80 % confidence, 80 % are right. Source: Guo et al. 2017, section 2.
    """
    assert answers.probabilities is not None  # noqa: S101 - else it is not called
    confidence = answers.probabilities.max(axis=1).astype(np.float64)
    binned = reliability(confidence, answers.predictions == answers.labels, bins=answers.bins)
    return float(np.average(np.abs(binned.accuracy - binned.confidence), weights=binned.images))


def score(labels: Labels, probabilities: Floats, *, classes: int, confidence: float, bins: int) -> dict[str, float]:
    """Score one model on one split: every metric, and the interval of the accuracy, by name.

    labels: shape (n,). probabilities: float32, shape (n, classes). confidence: of the interval. bins: of the
    calibration error. Raises DataError when shapes differ or a probability is not finite.
    """
    if probabilities.shape != (len(labels), classes):
        raise DataError(
            f"probabilities have shape {probabilities.shape}; expected {(len(labels), classes)}, "
            "a row per label and a column per class"
        )
    if not np.isfinite(probabilities).all():
        raise DataError("probabilities hold NaN or infinity; the model diverged. Lower its learning rate.")
    return _compute(Answers(labels, most_probable(probabilities), classes, probabilities, bins), confidence)


def score_predictions(labels: Labels, predictions: Labels, *, classes: int, confidence: float) -> dict[str, float]:
    """Return the scores that need no probabilities, by name; labels, predictions: shape (n,)."""
    return _compute(Answers(labels, predictions, classes), confidence)


def _compute(answers: Answers, confidence: float) -> dict[str, float]:
    right = int(np.count_nonzero(answers.labels == answers.predictions))
    low, high = share_interval(right, len(answers.labels), confidence=confidence)
    scores: dict[str, float] = {}
    for name, (compute, _, of_probabilities) in METRICS.items():
        if answers.probabilities is not None or not of_probabilities:
            scores[name] = compute(answers)
        if name == "accuracy":
            scores |= {"accuracy_low": low, "accuracy_high": high}
    return scores


class ClassScore(NamedTuple):
    """One class: its images, its recall with an interval, and its precision."""

    name: str
    images: int
    recall: float
    recall_low: float
    recall_high: float
    precision: float


class Reliability(NamedTuple):
    """By bin of confidence, lowest first: images, their mean confidence and accuracy (0 if a bin is empty)."""

    images: npt.NDArray[np.int64]
    confidence: Reals
    accuracy: Reals


def share_interval(right: int, images: int, *, confidence: float) -> tuple[float, float]:
    """Return Wilson's interval of the share right / images, which stays within [0, 1] and holds its level near 1."""
    low, high = binomtest(right, images).proportion_ci(confidence, method="wilson")
    return float(low), float(high)


def reliability(confidence: npt.NDArray[np.floating], right: npt.NDArray[np.bool_], *, bins: int) -> Reliability:
    """Compare confidence with accuracy over equally wide bins of confidence.

    confidence: probability of the predicted class, shape (n,). right: whether that is the label, shape (n,).
    """
    # Bins are open on the left, as in Guo et al. 2017: a confidence of exactly 1 belongs to the last.
    bin_of = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    images = np.bincount(bin_of, minlength=bins)
    sums = (np.bincount(bin_of, weights=values, minlength=bins) for values in (confidence, right))
    return Reliability(images, *(total / np.maximum(images, 1) for total in sums))


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
