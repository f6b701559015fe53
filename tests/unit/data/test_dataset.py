"""Claims about arrays of images: how pixels are scaled, and how validation is cut."""

import numpy as np
import numpy.typing as npt

from fashion_mnist.data.dataset import (
    array_digest,
    class_counts,
    cut_indices,
    cut_validation,
    restore_pixels,
    scale_pixels,
)
from fashion_mnist.data.split import RawSplit


def grey(*levels: int) -> npt.NDArray[np.uint8]:
    """Return one image of a single grey level for each of the levels; views that cost no memory."""
    return np.broadcast_to(np.array(levels, np.uint8)[:, None, None, None], (len(levels), 28, 28, 1))


def labelled(labels: npt.NDArray[np.uint8]) -> RawSplit:
    """Return images of which each shows its own index modulo 256, with these labels."""
    return RawSplit(grey(*(np.arange(len(labels)) % 256)), labels)


def repeated(counts: list[int]) -> npt.NDArray[np.uint8]:
    return np.repeat(np.arange(10, dtype=np.uint8), counts)


SIXTY = labelled(np.random.default_rng(0).permutation(repeated([6] * 10)))


def places(split: RawSplit) -> list[int]:
    """Return where the images of a cut stood before."""
    return list(map(int, split.images[:, 0, 0, 0]))


def test_digest_is_the_sha256_of_the_bytes() -> None:
    known = "039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81"  # of 01 02 03
    assert array_digest(np.array([1, 2, 3], np.uint8)) == known
    assert array_digest(np.array([1, 0, 2, 0, 3, 0], np.uint8)[::2]) == known


def test_class_counts_hold_a_zero_for_an_absent_class() -> None:
    assert class_counts(np.array([0, 2, 2], np.uint8), 4) == [1, 0, 2, 0]


def test_pixels_are_scaled_to_a_channel_of_floats() -> None:
    scaled = scale_pixels(grey(0, 51, 255))
    assert scaled.shape == (3, 28, 28, 1)
    assert scaled.dtype == np.float32
    assert scaled[:, 5, 5, 0].tolist() == [0.0, np.float32(0.2), 1.0]


def test_scaling_leaves_the_input_unchanged() -> None:
    images = grey(0, 128, 255).copy()
    scale_pixels(images)
    assert images[:, 0, 0, 0].tolist() == [0, 128, 255]


def test_restored_pixels_are_those_that_were_scaled() -> None:
    images = np.arange(256, dtype=np.uint8).repeat(60).reshape(256, 5, 4, 3)
    assert np.array_equal(restore_pixels(scale_pixels(images)), images)


def test_cut_is_disjoint_and_complete() -> None:
    train, validation = cut_validation(SIXTY, images=20, seed=1)
    assert len(train.labels) == 40
    assert len(validation.labels) == 20
    assert sorted(places(train) + places(validation)) == list(range(60))


def test_cut_takes_equally_many_of_each_class() -> None:
    train, validation = cut_validation(SIXTY, images=20, seed=1)
    assert class_counts(train.labels, 10) == [4] * 10
    assert class_counts(validation.labels, 10) == [2] * 10


def test_cut_keeps_the_published_order_and_each_label_with_its_image() -> None:
    for split in cut_validation(SIXTY, images=20, seed=1):
        assert places(split) == sorted(places(split))
        assert split.labels.tolist() == SIXTY.labels[places(split)].tolist()


def test_same_seed_cuts_the_same_images_and_another_seed_others() -> None:
    cuts = [places(cut_validation(SIXTY, images=20, seed=seed)[1]) for seed in (1, 1, 2)]
    assert cuts[0] == cuts[1] != cuts[2]


def test_every_class_is_on_both_sides_of_a_cut_even_where_its_share_rounds_to_none() -> None:
    labels = np.repeat(np.array([0, 1, 2], np.uint8), [500, 60, 2])
    for seed in range(5):
        kept, cut = cut_indices(labels, images=30, seed=seed)
        assert sorted([*kept, *cut]) == list(range(562))
        assert len(cut) == 30
        assert {*labels[kept]} == {*labels[cut]} == {0, 1, 2}
        assert np.bincount(labels[cut])[1] in (3, 4)
