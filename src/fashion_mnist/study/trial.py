"""Run one training of a study."""

from typing import NamedTuple

import numpy as np

from fashion_mnist.data.dataset import cut_indices, scale_pixels
from fashion_mnist.data.split import Labels, Shape, Split, label_type
from fashion_mnist.networks import build
from fashion_mnist.study.plan import KINDS, Trial
from fashion_mnist.training.determinism import seed_everything
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


def run_short(trial: Trial, *, shape: Shape, classes: int) -> list[TrialResult]:
    """Train on a few random images, once as each kind of trial does: what this gives stands for the code.

    shape, classes: of the data that the study is about.
    """
    rng = np.random.default_rng(0)

    def draw(images: int) -> Split:
        pixels = rng.integers(0, 256, (images, *shape), np.uint8)
        return Split(scale_pixels(pixels), (np.arange(images) % classes).astype(label_type(classes)))

    # Several batches and a smaller one; several images of each class, so that a validation split can be cut.
    splits = draw(max(5 * trial.params.batch_size + 3, 4 * classes)), draw(2 * classes), draw(2 * classes)
    results = []
    for kind in KINDS[:3]:  # a sweep trains as a replicate does
        seed_everything(trial.params.seed)
        changed = trial._replace(kind=kind, cut=1 if kind == "other_cut" else None)
        results.append(run_trial(changed, *splits, classes=classes))
    return results


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
