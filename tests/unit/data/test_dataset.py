"""Claims about the data set: what is refused, how pixels are scaled, how validation is cut."""

import re

import numpy as np
import numpy.typing as npt
import pytest

from fashion_mnist.data import dataset
from fashion_mnist.data.dataset import (
    array_digest,
    check_fashion_mnist,
    check_split,
    class_counts,
    cut_validation,
    restore_pixels,
    scale_pixels,
    summarize,
)
from fashion_mnist.data.split import RawSplit
from fashion_mnist.data.synthetic import draw_garments
from fashion_mnist.errors import DataError

MNIST_TRAIN_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
MNIST_TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def grey(*levels: int) -> npt.NDArray[np.uint8]:
    """Return one image of a single grey level for each of the levels; views that cost no memory."""
    return np.broadcast_to(np.array(levels, np.uint8)[:, None, None], (len(levels), 28, 28))


def labelled(labels: npt.NDArray[np.uint8]) -> RawSplit:
    """Return images of which each shows its own index modulo 256, with these labels."""
    return RawSplit(grey(*(np.arange(len(labels)) % 256)), labels)


def repeated(counts: list[int]) -> npt.NDArray[np.uint8]:
    return np.repeat(np.arange(10, dtype=np.uint8), counts)


SIXTY = labelled(np.random.default_rng(0).permutation(repeated([6] * 10)))


def places(split: RawSplit) -> list[int]:
    """Return where the images of a cut stood before."""
    return split.images[:, 0, 0].tolist()


def test_split_with_equally_many_of_each_class_is_accepted() -> None:
    check_split(SIXTY, images=60, name="train")


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (SIXTY._replace(images=SIXTY.images[:50]), "train images: shape is (50, 28, 28); expected (60, 28, 28)"),
        (
            SIXTY._replace(images=SIXTY.images[:, :, :27]),
            "train images: shape is (60, 28, 27); expected (60, 28, 28)",
        ),
        (SIXTY._replace(labels=SIXTY.labels[:50]), "train labels: 50 of them; expected 60, one for each image"),
        (SIXTY._replace(labels=SIXTY.labels + np.uint8(1)), "train labels: highest is 10; expected 0 to 9"),
        (
            labelled(repeated([7, 5, 6, 6, 6, 6, 6, 6, 6, 6])),
            "train labels: images per class are [7, 5, 6, 6, 6, 6, 6, 6, 6, 6]; expected 6 of each",
        ),
        (
            labelled(np.repeat(np.arange(9, dtype=np.uint8), [12, *[6] * 8])),
            "train labels: images per class are [12, 6, 6, 6, 6, 6, 6, 6, 6, 0]; expected 6 of each",
        ),
    ],
    ids=["few images", "narrow images", "few labels", "eleventh class", "unbalanced", "class absent"],
)
def test_split_that_is_no_balanced_set_of_ten_classes_is_refused(split: RawSplit, message: str) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        check_split(split, images=60, name="train")


@pytest.mark.parametrize("counts", [MNIST_TRAIN_COUNTS, MNIST_TEST_COUNTS], ids=["train", "test"])
def test_mnist_digits_are_named_as_such(counts: list[int]) -> None:
    message = "test labels: these are MNIST digits; expected Fashion-MNIST. Replace the four files."
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        check_split(labelled(repeated(counts)), images=sum(counts), name="test")


def test_synthetic_garments_are_not_taken_for_fashion_mnist() -> None:
    garments = RawSplit(*draw_garments(10, seed=0))
    message = r"^train images: sha256 of the values is \w{12}…, expected 2e487a6c8912…; this is not Fashion-MNIST\."
    with pytest.raises(DataError, match=message):
        check_fashion_mnist(garments, garments)


@pytest.mark.parametrize("stranger", ["train images", "train labels", "test images", "test labels"])
def test_only_the_published_parts_pass_and_the_one_that_differs_is_named(
    stranger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = dict(zip(dataset.DIGESTS, (*SIXTY, grey(7), repeated([1] * 10)), strict=True))
    monkeypatch.setattr(dataset, "DIGESTS", {name: array_digest(values) for name, values in parts.items()})

    def check() -> None:
        train_images, train_labels, test_images, test_labels = parts.values()
        check_fashion_mnist(RawSplit(train_images, train_labels), RawSplit(test_images, test_labels))

    check()
    parts[stranger] = parts[stranger] ^ np.uint8(1)
    with pytest.raises(DataError, match=f"^{stranger}: sha256 of the values is"):
        check()


def test_digest_is_the_sha256_of_the_bytes() -> None:
    known = "039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81"  # of 01 02 03
    assert array_digest(np.array([1, 2, 3], np.uint8)) == known
    assert array_digest(np.array([1, 0, 2, 0, 3, 0], np.uint8)[::2]) == known


def test_class_counts_hold_a_zero_for_an_absent_class() -> None:
    assert class_counts(np.array([0, 2, 2], np.uint8)) == [1, 0, 2, 0, 0, 0, 0, 0, 0, 0]


def test_pixels_are_scaled_to_a_channel_of_floats() -> None:
    scaled = scale_pixels(grey(0, 51, 255))
    assert scaled.shape == (3, 28, 28, 1)
    assert scaled.dtype == np.float32
    assert scaled[:, 5, 5, 0].tolist() == [0.0, np.float32(0.2), 1.0]


def test_scaling_leaves_the_input_unchanged() -> None:
    images = grey(0, 128, 255).copy()
    scale_pixels(images)
    assert images[:, 0, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize(
    ("images", "found"),
    [
        (np.zeros((2, 28, 28), np.float32), "float32 of shape (2, 28, 28)"),
        (np.zeros((2, 28, 28, 1), np.uint8), "uint8 of shape (2, 28, 28, 1)"),
        (np.zeros((28, 28), np.uint8), "uint8 of shape (28, 28)"),
    ],
)
def test_pixels_that_are_scaled_already_or_of_another_shape_are_refused(
    images: npt.NDArray[np.uint8], found: str
) -> None:
    message = f"images are {found}; expected uint8 of shape (n, 28, 28)"
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        scale_pixels(images)


def test_restored_pixels_are_those_that_were_scaled() -> None:
    images = np.arange(256, dtype=np.uint8).repeat(784).reshape(256, 28, 28)
    assert np.array_equal(restore_pixels(scale_pixels(images)), images)


def test_cut_is_disjoint_and_complete() -> None:
    train, validation = cut_validation(SIXTY, images=20, seed=1)
    assert len(train.labels) == 40
    assert len(validation.labels) == 20
    assert sorted(places(train) + places(validation)) == list(range(60))


def test_cut_takes_equally_many_of_each_class() -> None:
    train, validation = cut_validation(SIXTY, images=20, seed=1)
    assert class_counts(train.labels) == [4] * 10
    assert class_counts(validation.labels) == [2] * 10


def test_cut_keeps_the_published_order_and_each_label_with_its_image() -> None:
    for split in cut_validation(SIXTY, images=20, seed=1):
        assert places(split) == sorted(places(split))
        assert split.labels.tolist() == SIXTY.labels[places(split)].tolist()


def test_same_seed_cuts_the_same_images_and_another_seed_others() -> None:
    cuts = [places(cut_validation(SIXTY, images=20, seed=seed)[1]) for seed in (1, 1, 2)]
    assert cuts[0] == cuts[1] != cuts[2]


def test_summary_holds_counts_statistics_and_digests_of_each_split() -> None:
    split = RawSplit(grey(0, 255, 0, 255), np.array([0, 1, 1, 9], np.uint8))
    assert summarize(split, split, {"train": split})["train"] == {
        "images": 4,
        "class_counts": [1, 2, 0, 0, 0, 0, 0, 0, 0, 1],
        "pixel_mean": 0.5,
        "pixel_std": 0.5,
        "images_sha256": array_digest(split.images),
        "labels_sha256": array_digest(split.labels),
    }


def test_duplicates_are_counted_within_train_and_listed_between_test_and_train() -> None:
    train = RawSplit(grey(1, 2, 1, 1, 3), np.zeros(5, np.uint8))
    test = RawSplit(grey(1, 4, 1, 4), np.zeros(4, np.uint8))
    summary = summarize(train, test, {})
    assert summary == {"duplicates_within_train": 2, "test_images_in_train": [0, 2]}
