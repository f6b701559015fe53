"""Images and labels as arrays: the types that all modules share."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.unsignedinteger[Any]]
# Height, width and channels of an image: 1 for grey, 3 for red, green and blue.
Shape = tuple[int, int, int]


class RawSplit(NamedTuple):
    """Images, uint8, shape (n, height, width, channels), and their labels, shape (n,)."""

    images: Bytes
    labels: Labels


class Split(NamedTuple):
    """Images, float32 in [0, 1], shape (n, height, width, channels), and their labels, shape (n,)."""

    images: Floats
    labels: Labels


def label_type(classes: int) -> type[np.uint8] | type[np.uint16]:
    """Return the smallest unsigned type that holds every class number."""
    return np.uint8 if classes <= 256 else np.uint16
