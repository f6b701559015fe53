"""How much of its accuracy a classifier keeps when images are moved, turned or made noisy.

Each `*_curves` function changes the images once, asks every classifier, and returns a curve for each, by name. The
columns of a curve are the amount of change, then `accuracy` with its interval, `low` and `high`. An image that is
changed in several ways counts once, with the mean over them. The interval is that of the mean over images, by the
normal approximation.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.ndimage import rotate
from scipy.stats import norm, sem

from fashion_mnist.data.split import Floats, Labels, Split
from fashion_mnist.scores.metrics import Reals

Classifier = Callable[[Floats], Labels]
Classifiers = Mapping[str, Classifier]
Curve = dict[str, Reals]
Correct = npt.NDArray[np.bool_]

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


def position_curves(classifiers: Classifiers, split: Split, *, pixels: int, confidence: float) -> dict[str, Curve]:
    """Measure accuracy when images move by 0 to `pixels`, in each of eight directions; diagonally, along both axes.

    Besides the mean over directions, a curve holds the accuracy in each.
    """
    still = _correct(classifiers, split, split.images)
    rows = [[still] * len(DIRECTIONS)]
    for distance in range(1, pixels + 1):
        moves = (
            shift(split.images, down=down * distance, right=right * distance) for down, right in DIRECTIONS.values()
        )
        rows.append([_correct(classifiers, split, images) for images in moves])
    correct = np.array(rows)
    curves = _curves("pixels", range(pixels + 1), correct, classifiers, confidence)
    by_direction = correct.mean(axis=3)
    return {
        name: curves[name] | dict(zip(DIRECTIONS, by_direction[:, :, number].T, strict=True))
        for number, name in enumerate(classifiers)
    }


def rotation_curves(
    classifiers: Classifiers, split: Split, *, degrees: Sequence[float], confidence: float
) -> dict[str, Curve]:
    """Measure accuracy when images turn about their centre, both ways; bilinear, with black corners."""
    rows = [[_correct(classifiers, split, split.images)] * 2]
    for angle in degrees:
        turned = (rotate(split.images, turn, axes=(1, 2), reshape=False, order=1) for turn in (-angle, angle))
        rows.append([_correct(classifiers, split, images) for images in turned])
    return _curves("degrees", (0, *degrees), np.array(rows), classifiers, confidence)


def noise_curves(
    classifiers: Classifiers, split: Split, *, deviations: Sequence[float], seed: int, confidence: float
) -> dict[str, Curve]:
    """Measure accuracy when normal noise is added to every pixel, which stays in [0, 1].

    deviations: standard deviations, on the scale of the pixels. The noise is the same picture at each, only stronger.
    """
    noise = np.random.default_rng(seed).standard_normal(split.images.shape, np.float32)
    rows = [
        [_correct(classifiers, split, np.clip(split.images + np.float32(deviation) * noise, 0, 1))]
        for deviation in (0, *deviations)
    ]
    return _curves("deviation", (0, *deviations), np.array(rows), classifiers, confidence)


def _correct(classifiers: Classifiers, split: Split, images: Floats) -> Correct:
    """Return which images each classifier gets right, shape (classifiers, n)."""
    return np.stack([classify(images) == split.labels for classify in classifiers.values()])


def _curves(
    amount: str, amounts: Sequence[float], correct: Correct, classifiers: Classifiers, confidence: float
) -> dict[str, Curve]:
    """Tabulate mean and interval by amount; correct: shape (amounts, ways of change, classifiers, n)."""
    by_image = correct.mean(axis=1)
    mean, error = by_image.mean(axis=2), sem(by_image, axis=2)
    reach = float(norm.ppf((1 + confidence) / 2)) * error
    columns = {"accuracy": mean, "low": np.clip(mean - reach, 0, 1), "high": np.clip(mean + reach, 0, 1)}
    return {
        name: {amount: np.array(amounts, float), **{key: values[:, number] for key, values in columns.items()}}
        for number, name in enumerate(classifiers)
    }
