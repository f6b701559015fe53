"""Images and labels as arrays: the types that every other module speaks of."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]


class RawSplit(NamedTuple):
    """Images, uint8, shape (n, 28, 28), and their labels, uint8, shape (n,)."""

    images: Bytes
    labels: Labels


class Split(NamedTuple):
    """Images, float32 in [0, 1], shape (n, 28, 28, 1), and their labels, uint8, shape (n,)."""

    images: Floats
    labels: Labels
