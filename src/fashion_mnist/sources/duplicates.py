"""Images of the test split that are in train, too: pixel by pixel, or nearly."""

import numpy as np
import numpy.typing as npt

from fashion_mnist.data.split import Bytes

Hashes = npt.NDArray[np.uint64]

ROWS, COLUMNS = 8, 9
NEAR = 2  # of 64 bits
CHUNK = 1000  # images hashed at a time
PAIRS = 10_000_000  # compared at a time


def find_exact(train: Bytes, test: Bytes) -> list[tuple[int, int]]:
    """List the test images that are in train, as the pair of their indices: (of test, of the first in train)."""
    known: dict[bytes, int] = {}
    for number, image in enumerate(train):
        known.setdefault(image.tobytes(), number)
    found = ((number, known.get(image.tobytes())) for number, image in enumerate(test))
    return [(number, twin) for number, twin in found if twin is not None]


def find_near(train: Bytes, test: Bytes) -> list[tuple[int, int]]:
    """List the test images that look like one in train, nearest first, as the pair of their indices; exact ones too.

    Two images look alike if their difference hashes differ in at most two of 64 bits.
    """
    hashes, of_test = difference_hashes(train), difference_hashes(test)
    found = []
    step = max(1, PAIRS // len(train))
    for start in range(0, len(test), step):
        bits = np.bitwise_count(of_test[start : start + step, np.newaxis] ^ hashes)
        nearest = bits.argmin(axis=1)
        for place in np.flatnonzero(bits.min(axis=1) <= NEAR):
            found.append((int(bits[place, nearest[place]]), start + int(place), int(nearest[place])))
    return [(number, twin) for _, number, twin in sorted(found)]


def difference_hashes(images: Bytes) -> Hashes:
    """Return a perceptual hash of each image, shape (n,): similar images have similar bits.

    An image shrinks to 8 rows of 9 grey cells; a bit says whether a cell is brighter than the one before it. Source:
    Krawetz 2013, "Kind of Like That" (dHash).
    """
    hashes = []
    height, width = images.shape[1:3]
    rows, columns = _shares(ROWS, height), _shares(COLUMNS, width).T
    for start in range(0, len(images), CHUNK):
        grey = images[start : start + CHUNK].mean(axis=3, dtype=np.float32)
        cells = rows @ grey @ columns
        hashes.append(np.packbits(cells[:, :, 1:] > cells[:, :, :-1], axis=2).reshape(-1, ROWS).view(np.uint64)[:, 0])
    return np.concatenate(hashes)


def _shares(cells: int, pixels: int) -> npt.NDArray[np.float32]:
    """Return the share that each pixel has in each of some equal cells along an axis, shape (cells, pixels)."""
    edges, starts = np.linspace(0, pixels, cells + 1)[:, np.newaxis], np.arange(pixels)
    overlap = np.clip(np.minimum(edges[1:], starts + 1) - np.maximum(edges[:-1], starts), 0, None)
    shares: npt.NDArray[np.float32] = (overlap / overlap.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares
