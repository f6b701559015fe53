"""Accuracy and cross-entropy, as training and every score measure them."""

import numpy as np
import numpy.typing as npt

from fashion_mnist.data.split import Floats, Labels, label_type

# Keras clips probabilities here before the logarithm, so that losses agree with its own.
SMALLEST_PROBABILITY = 1e-7


def most_probable(probabilities: Floats) -> Labels:
    """Return the class with the highest probability for each image, shape (n,); the first of equals."""
    classes: Labels = probabilities.argmax(axis=1).astype(label_type(probabilities.shape[1]))
    return classes


def accuracy_score(labels: Labels, predictions: Labels) -> float:
    """Return the share of right predictions; both of shape (n,)."""
    return float(np.mean(labels == predictions))


def cross_entropy(labels: Labels, probabilities: Floats) -> float:
    """Return the mean of -log p(label), in nats, as Keras' sparse categorical cross-entropy does.

    labels: shape (n,). probabilities: shape (n, classes).
    """
    of_label: npt.NDArray[np.float64] = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.clip(of_label, SMALLEST_PROBABILITY, 1)).mean())
