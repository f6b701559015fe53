"""How much of its accuracy a classifier keeps when images are moved, turned or made noisy.

Every function returns the columns of a table: the amount of change, then `accuracy` with its interval, `low` and
`high`. Where an image is changed in several ways, the mean over them counts once for that image: the interval is that
of the mean over images, by the normal approximation.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.ndimage import rotate
from scipy.stats import norm, sem

from fashion_mnist.data.split import Floats, Labels, Split
from fashion_mnist.scores.metrics import Reals

Classifier = Callable[[Floats], Labels]
Table = dict[str, Reals]

# Rows down and columns to the right, for each pixel of the distance.
DIRECTIONS = {
    "up": (-1, 0),
    "up_right": (-1, 1),
    "right": (0, 1),
    "down_right": (1, 1),
    "down": (1, 0),
    "down_left": (1, -1),
    "left": (0, -1),
    "up_left": (-1, -1),
}

# The columns of the table of each kind of change; the first is the amount of change.
CHANGES = {
    "position": ("pixels", "accuracy", "low", "high", *DIRECTIONS),
    "rotation": ("degrees", "accuracy", "low", "high"),
    "noise": ("deviation", "accuracy", "low", "high"),
}


def shift(images: Floats, *, down: int, right: int) -> Floats:
    """Move images of shape (n, height, width, 1) by whole pixels; what enters is black, what leaves is lost."""
    moved = np.zeros_like(images)
    height, width = images.shape[1:3]
    moved[:, max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)] = images[
        :, max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)
    ]
    return moved


def position_curve(classify: Classifier, split: Split, *, pixels: int, confidence: float) -> Table:
    """Measure accuracy when images move by 0 to `pixels`, in each of eight directions; diagonally, along both axes.

    Besides the mean over directions, the table holds the accuracy in each.
    """
    still = _right(classify, split, split.images)
    rows = [np.tile(still, (len(DIRECTIONS), 1))]
    for distance in range(1, pixels + 1):
        moves = (
            shift(split.images, down=down * distance, right=right * distance) for down, right in DIRECTIONS.values()
        )
        rows.append(np.stack([_right(classify, split, images) for images in moves]))
    by_direction = zip(DIRECTIONS, np.array(rows).mean(axis=2).T, strict=True)
    return _curve("pixels", range(pixels + 1), rows, confidence) | dict(by_direction)


def rotation_curve(classify: Classifier, split: Split, *, degrees: Sequence[float], confidence: float) -> Table:
    """Measure accuracy when images turn about their middle, each way; bilinear, and black where nothing was."""
    rows = [np.tile(_right(classify, split, split.images), (2, 1))]
    for angle in degrees:
        turned = (rotate(split.images, turn, axes=(1, 2), reshape=False, order=1) for turn in (-angle, angle))
        rows.append(np.stack([_right(classify, split, images) for images in turned]))
    return _curve("degrees", (0, *degrees), rows, confidence)


def noise_curve(
    classify: Classifier, split: Split, *, deviations: Sequence[float], seed: int, confidence: float
) -> Table:
    """Measure accuracy when normal noise is added to every pixel, which stays in [0, 1].

    deviations: standard deviations, on the scale of the pixels. The noise is the same picture at each, only stronger.
    """
    noise = np.random.default_rng(seed).standard_normal(split.images.shape, np.float32)
    rows = [
        _right(classify, split, np.clip(split.images + np.float32(deviation) * noise, 0, 1))[np.newaxis]
        for deviation in (0, *deviations)
    ]
    return _curve("deviation", (0, *deviations), rows, confidence)


def _right(classify: Classifier, split: Split, images: Floats) -> npt.NDArray[np.bool_]:
    right: npt.NDArray[np.bool_] = classify(images) == split.labels
    return right


def _curve(name: str, amounts: Sequence[float], rows: Sequence[npt.NDArray[np.bool_]], confidence: float) -> Table:
    """Tabulate mean and interval by amount; rows: for each amount, who was right, shape (ways of change, n)."""
    by_image = np.array([row.mean(axis=0) for row in rows])
    mean, error = by_image.mean(axis=1), sem(by_image, axis=1)
    reach = float(norm.ppf((1 + confidence) / 2)) * error
    return {
        name: np.array(amounts, float),
        "accuracy": mean,
        "low": np.clip(mean - reach, 0, 1),
        "high": np.clip(mean + reach, 0, 1),
    }
