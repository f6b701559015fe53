"""The page that explains convolution by hand: its numbers, by NumPy and by Keras' own layers."""

import re
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

PAGE = (Path(__file__).parents[2] / "docs/convolution.md").read_text()
IMAGE, KERNEL, CONVOLVED, BLOCKS, POOLED = (
    np.array([[int(value) for value in row.split()] for row in block.splitlines()], np.float32)
    for block in re.findall(r"```\n(.*?)\n```", PAGE, re.DOTALL)
)


def one_image(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return values[np.newaxis, :, :, np.newaxis]


def test_convolution_on_the_page_is_that_of_numpy_and_of_keras() -> None:
    padded = np.pad(IMAGE, 1)
    by_hand = [[(padded[row : row + 3, column : column + 3] * KERNEL).sum() for column in range(6)] for row in range(6)]
    assert np.array_equal(by_hand, CONVOLVED)
    layer = keras.layers.Conv2D(1, 3, padding="same")
    layer.build((None, 6, 6, 1))
    layer.set_weights([KERNEL[:, :, np.newaxis, np.newaxis], np.zeros(1)])
    assert np.array_equal(np.asarray(layer(one_image(IMAGE)))[0, :, :, 0], CONVOLVED)
    assert f"= {CONVOLVED[1, 1]:.0f}." in PAGE


def test_pooling_on_the_page_is_that_of_numpy_and_of_keras() -> None:
    assert BLOCKS[:3, :3].ravel().tolist() == [1, 0, 4, 8, 2, 5, 20, 13, 25]
    assert np.array_equal(BLOCKS.reshape(2, 3, 2, 3).max(axis=(1, 3)), POOLED)
    pooled = keras.layers.MaxPooling2D(pool_size=3, strides=3)(one_image(BLOCKS))
    assert np.array_equal(np.asarray(pooled)[0, :, :, 0], POOLED)
    assert POOLED[0, 0] == 25
