"""Claims about what is accepted in the files of Fashion-MNIST."""

import re

import numpy as np
import numpy.typing as npt
import pytest

from fashion_mnist.data.dataset import array_digest, class_counts
from fashion_mnist.data.split import RawSplit
from fashion_mnist.errors import DataError
from fashion_mnist.sources import published
from fashion_mnist.sources.fashion_mnist import DIGESTS
from fashion_mnist.sources.published import DRAWN_GARMENTS, FASHION_MNIST, check_fashion_mnist, check_split
from fashion_mnist.sources.synthetic import draw_garments

MNIST_TRAIN_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
MNIST_TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def grey(*levels: int) -> npt.NDArray[np.uint8]:
    """Return one image of a single grey level for each of the levels; views that cost no memory."""
    return np.broadcast_to(np.array(levels, np.uint8)[:, None, None, None], (len(levels), 28, 28, 1))


def labelled(labels: npt.NDArray[np.uint8]) -> RawSplit:
    """Return images of which each shows its own index modulo 256, with these labels."""
    return RawSplit(grey(*(np.arange(len(labels)) % 256)), labels)


def repeated(counts: list[int]) -> npt.NDArray[np.uint8]:
    return np.repeat(np.arange(10, dtype=np.uint8), counts)


SIXTY = labelled(np.random.default_rng(0).permutation(repeated([6] * 10)))


def test_split_with_equally_many_of_each_class_is_accepted() -> None:
    check_split(SIXTY, images=60, name="train")


def wrong_labels(count: int, *counts: int) -> str:
    """Return the line about labels, so many of each class, of which 60 were expected."""
    return f"train labels: {count} of them, {list(counts)} of each class; expected 60, 6 of each of 10 classes"


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (SIXTY._replace(images=SIXTY.images[:50]), "train images: shape is (50, 28, 28, 1); expected (60, 28, 28, 1)"),
        (
            SIXTY._replace(images=SIXTY.images[:, :, :27]),
            "train images: shape is (60, 28, 27, 1); expected (60, 28, 28, 1)",
        ),
        (
            SIXTY._replace(labels=SIXTY.labels[:50]),
            wrong_labels(50, *class_counts(SIXTY.labels[:50], 10)),
        ),
        (SIXTY._replace(labels=SIXTY.labels + np.uint8(1)), wrong_labels(60, 0, *[6] * 10)),
        (labelled(repeated([7, 5, *[6] * 8])), wrong_labels(60, 7, 5, *[6] * 8)),
        (labelled(repeated([12, *[6] * 8, 0])), wrong_labels(60, 12, *[6] * 8, 0)),
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
    parts = dict(zip(DIGESTS, (*SIXTY, grey(7), repeated([1] * 10)), strict=True))
    monkeypatch.setattr(published, "DIGESTS", {name: array_digest(values) for name, values in parts.items()})

    def check() -> None:
        train_images, train_labels, test_images, test_labels = parts.values()
        check_fashion_mnist(RawSplit(train_images, train_labels), RawSplit(test_images, test_labels))

    check()
    parts[stranger] = parts[stranger] ^ np.uint8(1)
    with pytest.raises(DataError, match=f"^{stranger}: sha256 of the values is"):
        check()


def test_garments_have_the_classes_of_fashion_mnist_and_another_name() -> None:
    assert DRAWN_GARMENTS.classes == FASHION_MNIST.classes
    assert FASHION_MNIST.is_article
    assert not DRAWN_GARMENTS.is_article
