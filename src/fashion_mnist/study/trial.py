"""Run one training of a study."""

from typing import NamedTuple

import numpy as np

from fashion_mnist.data.dataset import cut_indices
from fashion_mnist.data.split import Labels, Split
from fashion_mnist.networks import build
from fashion_mnist.study.plan import Trial
from fashion_mnist.training.inference import predict
from fashion_mnist.training.loop import EpochResult, fit
from fashion_mnist.training.objective import most_probable


class TrialResult(NamedTuple):
    """A result for each epoch, and the predicted class of each test image, shape (n,); None if test stays closed."""

    history: list[EpochResult]
    predictions: Labels | None


def run_trial(trial: Trial, train: Split, validation: Split, test: Split | None, *, classes: int) -> TrialResult:
    """Train as a trial says. TensorFlow must be configured with the trial's seed before.

    train, validation: as `normalize` cut them; the trial may join or cut them anew. test: None if it stays closed.
    classes: how many there are.
    """
    used, watched = choose_splits(trial, train, validation)
    height, width, channels = used.images.shape[1:]
    model = build(trial.params, shape=(height, width, channels), classes=classes)
    history = fit(model, used, watched, trial.params)
    return TrialResult(history, None if test is None else most_probable(predict(model, test.images)))


def choose_splits(trial: Trial, train: Split, validation: Split) -> tuple[Split, Split | None]:
    """Return what a trial trains on, and its validation split, if it has one."""
    if trial.kind == "article":
        return join(train, validation), None
    if trial.cut is None:
        return train, validation
    everything = join(train, validation)
    kept, cut = cut_indices(everything.labels, images=len(validation.labels), seed=trial.cut)
    return (
        Split(everything.images[kept], everything.labels[kept]),
        Split(everything.images[cut], everything.labels[cut]),
    )


def join(first: Split, second: Split) -> Split:
    """Join two splits into one, the images of the first before those of the second."""
    return Split(np.concatenate([first.images, second.images]), np.concatenate([first.labels, second.labels]))
