"""Claims about the drawn garments that stand in for Fashion-MNIST."""

import hashlib

import numpy as np
import numpy.typing as npt
import pytest

from fashion_mnist.sources.synthetic import draw_garments

Garments = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]
TROUSER, SNEAKER, BAG = 1, 7, 8


@pytest.fixture(scope="module")
def garments() -> Garments:
    return draw_garments(500, seed=7)


def centres_of_mass(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return (row, column) of each image's cloth, shape (n, 2)."""
    return np.array([np.argwhere(image[..., 0]).mean(axis=0) for image in images])


def test_images_and_labels_have_fashion_mnist_shape_and_dtype(garments: Garments) -> None:
    images, labels = garments
    assert images.shape == (500, 28, 28, 1)
    assert labels.shape == (500,)
    assert images.dtype == labels.dtype == np.dtype(np.uint8)


def test_same_seed_gives_same_bytes() -> None:
    first, second = draw_garments(20, seed=3), draw_garments(20, seed=3)
    assert [array.tobytes() for array in first] == [array.tobytes() for array in second]


def test_garments_stay_as_they_were_first_drawn() -> None:
    """All results on synthetic data follow from these bytes; no test of a property sees every corner and seam."""
    drawn = b"".join(array.tobytes() for array in draw_garments(100, seed=1))
    assert hashlib.sha256(drawn).hexdigest() == "6c6022d10fee9f179ff4147c3111b002ad1299d81c0eb172160464ce638f9f83"


def test_other_seed_gives_other_images_and_order() -> None:
    images, labels = draw_garments(20, seed=3)
    other_images, other_labels = draw_garments(20, seed=4)
    assert not np.array_equal(images, other_images)
    assert not np.array_equal(labels, other_labels)


def test_classes_are_balanced(garments: Garments) -> None:
    assert np.bincount(garments[1]).tolist() == [50] * 10


def test_classes_come_in_random_order(garments: Garments) -> None:
    assert set(garments[1][:100].tolist()) == set(range(10))


def test_no_image_occurs_twice(garments: Garments) -> None:
    assert len({image.tobytes() for image in garments[0]}) == 500


def test_labels_name_what_is_drawn(garments: Garments) -> None:
    images, labels = garments[0][..., 0], garments[1]
    rows = np.any(images, axis=2).sum(axis=1)
    columns = np.any(images, axis=1).sum(axis=1)
    width_to_height = columns / rows
    assert width_to_height[labels == TROUSER].max() < 1 < width_to_height[labels == SNEAKER].min()


def test_bag_has_an_opening_under_its_handle(garments: Garments) -> None:
    bag = garments[0][garments[1] == BAG][0, ..., 0]
    gaps_per_row = [np.count_nonzero(np.diff(np.flatnonzero(row)) > 1) for row in bag]
    assert max(gaps_per_row) == 1


def test_position_varies_by_several_pixels(garments: Garments) -> None:
    images, labels = garments
    for label in range(10):
        assert np.ptp(centres_of_mass(images[labels == label]), axis=0).min() > 5


def test_background_is_black_and_cloth_bright(garments: Garments) -> None:
    images, _ = garments
    assert np.median(images) == 0
    assert not images[:, [0, 0, -1, -1], [0, -1, 0, -1]].any()
    assert images.max(axis=(1, 2)).min() > 80


def test_brightness_varies_between_images(garments: Garments) -> None:
    brightest = garments[0].max(axis=(1, 2))
    assert brightest.min() < 150
    assert brightest.max() > 220
