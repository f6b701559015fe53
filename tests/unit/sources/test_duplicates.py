"""Claims about duplicates between test and train."""

import numpy as np
from PIL import Image

from fashion_mnist.sources.duplicates import difference_hashes, find_exact, find_near

RNG = np.random.default_rng(0)


def smooth(count: int, height: int = 24, width: int = 20, channels: int = 1) -> np.ndarray:
    """Return images of soft blots, as photographs have them."""
    coarse = RNG.integers(0, 256, (count, 5, 5, channels), dtype=np.uint8)
    images = [
        np.stack([np.asarray(Image.fromarray(band).resize((width, height))) for band in np.moveaxis(image, -1, 0)], -1)
        for image in coarse
    ]
    return np.stack(images)


def test_exact_duplicates_are_pairs_of_indices_with_the_first_in_train() -> None:
    train, test = smooth(5), smooth(3)
    train[4] = train[2] = test[1]
    assert find_exact(train, test) == [(1, 2)]


def test_images_that_differ_in_brightness_and_noise_look_alike_and_others_do_not() -> None:
    train, test = smooth(50), smooth(40)
    noisy = train[7].astype(float) * 0.9 + RNG.normal(0, 1, train[7].shape) + 10
    test[3] = np.clip(noisy, 0, 255).astype(np.uint8)
    test[20] = train[30]
    assert {(20, 30), (3, 7)} == set(find_near(train, test))


def test_hash_of_an_image_that_grows_brighter_to_the_right_is_all_ones() -> None:
    rising = np.broadcast_to(np.arange(0, 180, 10, dtype=np.uint8)[:, np.newaxis], (1, 16, 18, 1))
    assert difference_hashes(rising).tolist() == [2**64 - 1]
    assert difference_hashes(rising[:, :, ::-1]).tolist() == [0]


def test_hash_takes_small_images_and_colours() -> None:
    assert difference_hashes(smooth(3, 4, 4, 3)).shape == (3,)
