"""Folders of images as people have them: handwritten digits, and three unbalanced classes in colour."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]


def write_digits(folder: Path) -> None:
    """Write scikit-learn's 1,797 digits of 8x8 pixels as PNG files, all in train."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    for number, (pixels, label) in enumerate(zip(bunch.images, bunch.target, strict=True)):
        save((pixels * 255 / 16).astype(np.uint8), folder / f"train/{label}/{number:04}.png")


def write_shapes(folder: Path) -> None:
    """Draw discs, bars and crosses of 40x32 pixels in colour, with few of the last; JPEG and PNG, train and test."""
    rng = np.random.default_rng(0)
    counts = {"round disc": (150, 40), "bar": (90, 25), "Kreuz groß": (30, 10)}
    for kind, splits in counts.items():
        for split, count in zip(("train", "test"), splits, strict=True):
            for number in range(count):
                suffix = ("png", "PNG", "jpg", "JPEG")[number % 4]
                save(draw_shape(kind, rng), folder / split / kind / f"{number}.{suffix}")
    (folder / "train/bar/.DS_Store").write_bytes(b"x")
    (folder / "README.txt").write_text("drawn")


def draw_shape(kind: str, rng: np.random.Generator) -> Pixels:
    """Draw one shape on a noisy ground, height 40, width 32."""
    y, x = np.mgrid[:40, :32]
    down, right = y - rng.integers(14, 26), x - rng.integers(12, 20)
    shape = {
        "round disc": down**2 + right**2 < rng.integers(50, 90),
        "bar": (abs(right) < 3) & (abs(down) < 13),
        "Kreuz groß": ((abs(right) < 2) & (abs(down) < 11)) | ((abs(down) < 2) & (abs(right) < 11)),
    }[kind]
    ground, colour = rng.integers(0, 90, 3), rng.integers(130, 256, 3)
    pixels = np.where(shape[..., np.newaxis], colour, ground) + rng.normal(0, 12, (40, 32, 3))
    return np.clip(pixels, 0, 255).astype(np.uint8)


def save(pixels: Pixels, path: Path) -> None:
    """Write pixels as the kind of file that the suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=95)
