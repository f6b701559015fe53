"""Hidden units against epochs, judged only on validation: where a network begins to overfit, and how large is enough.

The test split has no part in this, so that it stays fit for judging what is chosen here.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import ttest_ind

from fashion_mnist.scores.metrics import Reals


class Band(NamedTuple):
    """The mean over seeds in each epoch, and the standard deviation; shape (epochs,) each."""

    mean: Reals
    deviation: Reals


class Size(NamedTuple):
    """The trainings of one number of hidden units.

    accuracy, loss: on validation. best_epoch: that of the highest mean accuracy; accuracies: of each seed in it, shape
    (seeds,). lowest_epochs: the epoch of each seed's lowest loss, shape (seeds,), after which it overfits;
    lowest_epoch: that of the lowest mean loss. Epochs count from 1.
    """

    units: int
    accuracy: Band
    loss: Band
    best_epoch: int
    accuracies: Reals
    lowest_epoch: int
    lowest_epochs: Reals


def measure_size(units: int, accuracy: Reals, loss: Reals) -> Size:
    """Describe the trainings of one size; accuracy, loss: on validation, shape (seeds, epochs)."""
    means = accuracy.mean(axis=0), loss.mean(axis=0)
    best = int(means[0].argmax())
    return Size(
        units,
        Band(means[0], _deviation(accuracy)),
        Band(means[1], _deviation(loss)),
        best_epoch=best + 1,
        accuracies=accuracy[:, best],
        lowest_epoch=int(means[1].argmin()) + 1,
        lowest_epochs=loss.argmin(axis=1) + 1.0,
    )


def smallest_sufficient(sizes: Sequence[Size], *, confidence: float) -> tuple[Size, Size]:
    """Return the smallest size that is not shown to be worse than the best one, and the best one.

    The best has the highest mean accuracy, each size in its own best epoch. A size is worse if Welch's one-sided t test
    says so at this confidence. That proves no equality: with few seeds, a small loss stays hidden. Nor does it correct
    for the number of sizes, or for choosing epochs by the trainings that are compared, which flatters every size.
    """
    best = max(sizes, key=lambda size: float(size.accuracies.mean()))
    alike = [size for size in sizes if size is best or not _is_worse(size, best, confidence=confidence)]
    return min(alike, key=lambda size: size.units), best


def _deviation(values: Reals) -> Reals:
    """Return the standard deviation over seeds in each epoch; 0 where there is one seed."""
    return values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1])


def _is_worse(size: Size, best: Size, *, confidence: float) -> bool:
    if min(len(size.accuracies), len(best.accuracies)) < 2:  # chance cannot be told from one training
        return False
    if np.ptp(size.accuracies) == np.ptp(best.accuracies) == 0:  # t is not defined without any spread
        return bool(size.accuracies[0] < best.accuracies[0])
    test = ttest_ind(best.accuracies, size.accuracies, equal_var=False, alternative="greater")
    return bool(test.pvalue < 1 - confidence)
