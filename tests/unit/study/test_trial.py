"""What a trial trains on, and what it returns."""

import numpy as np
import pytest

from fashion_mnist.data.split import Split
from fashion_mnist.networks.dense import Params
from fashion_mnist.study.plan import Kind, Trial
from fashion_mnist.study.trial import choose_splits, run_trial
from tests.unit.small_networks import SMALL


@pytest.fixture(scope="module")
def train() -> Split:
    return numbered(0, 80)


@pytest.fixture(scope="module")
def validation() -> Split:
    return numbered(80, 20)


def numbered(first: int, count: int) -> Split:
    """Make images that each hold their number, of ten classes in turn."""
    numbers = np.arange(first, first + count)
    images = np.broadcast_to(numbers[:, None, None, None] / np.float32(100), (count, 28, 28, 1)).astype(np.float32)
    return Split(images, (numbers % 10).astype(np.uint8))


def numbers_in(split: Split) -> set[int]:
    return {round(100 * float(image[0, 0, 0])) for image in split.images}


def trial(kind: Kind, cut: int | None = None) -> Trial:
    return Trial(kind, "dense", Params(network="dense", units=2, **SMALL), cut)


@pytest.mark.parametrize("kind", ["replicate", "sweep"])
def test_replicate_and_sweep_use_the_splits_as_they_are(kind: Kind, train: Split, validation: Split) -> None:
    used, watched = choose_splits(trial(kind), train, validation)
    assert used is train
    assert watched is validation


def test_article_trains_on_all_images_and_watches_none(train: Split, validation: Split) -> None:
    used, watched = choose_splits(trial("article"), train, validation)
    assert numbers_in(used) == set(range(100))
    assert watched is None


def test_other_cut_is_stratified_complete_and_another_one(train: Split, validation: Split) -> None:
    cuts = []
    for seed in (1, 2):
        used, watched = choose_splits(trial("other_cut", seed), train, validation)
        assert watched is not None
        assert numbers_in(used) | numbers_in(watched) == set(range(100))
        assert not numbers_in(used) & numbers_in(watched)
        assert np.bincount(watched.labels).tolist() == [2] * 10
        for image, label in zip(watched.images, watched.labels, strict=True):
            assert round(100 * float(image[0, 0, 0])) % 10 == label
        cuts.append(numbers_in(watched))
    assert cuts[0] != cuts[1] != numbers_in(validation)


def test_trial_returns_a_result_for_each_epoch_and_opens_test_only_if_it_gets_it(
    train: Split, validation: Split
) -> None:
    closed = run_trial(trial("sweep"), train, validation, None, classes=10)
    assert closed.predictions is None
    assert [result.epoch for result in closed.history] == [1]
    assert 0 <= closed.history[0].val_accuracy <= 1
    opened = run_trial(trial("article"), train, validation, validation, classes=10)
    assert opened.predictions is not None
    assert opened.predictions.shape == (20,)
    assert np.isnan(opened.history[0].val_loss)
    assert np.isfinite(opened.history[0].loss)
