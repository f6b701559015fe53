"""Prepare a data set: check it, scale its pixels, cut validation from train, describe what came out."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fashion_mnist.data.fashion_mnist import CLASS_NAMES, DIGESTS, MNIST_CLASS_COUNTS, SIDE
from fashion_mnist.data.split import Bytes, Floats, Labels, RawSplit
from fashion_mnist.errors import DataError


def array_digest(values: npt.NDArray[Any]) -> str:
    """Return the sha256 of an array's bytes, in hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(values).data).hexdigest()


def class_counts(labels: Labels) -> list[int]:
    """Count the images of each class; labels: uint8, shape (n,), 0-9."""
    return [int(count) for count in np.bincount(labels, minlength=len(CLASS_NAMES))]


def check_split(split: RawSplit, *, images: int, name: str) -> None:
    """Refuse a split that is not `images` pictures of 28x28 pixels, equally many of each of ten classes.

    name: what an error calls the split. Raises DataError, which names MNIST digits as such.
    """
    if split.images.shape != (images, SIDE, SIDE):
        raise DataError(f"{name} images: shape is {split.images.shape}; expected {(images, SIDE, SIDE)}")
    if split.labels.shape != (images,):
        raise DataError(f"{name} labels: {split.labels.size} of them; expected {images}, one for each image")
    if split.labels.max() >= len(CLASS_NAMES):
        raise DataError(f"{name} labels: highest is {split.labels.max()}; expected 0 to {len(CLASS_NAMES) - 1}")
    counts = class_counts(split.labels)
    if tuple(counts) in MNIST_CLASS_COUNTS:
        raise DataError(f"{name} labels: these are MNIST digits; expected Fashion-MNIST. Replace the four files.")
    if len(set(counts)) > 1:
        raise DataError(f"{name} labels: images per class are {counts}; expected {images // len(CLASS_NAMES)} of each")


def check_fashion_mnist(train: RawSplit, test: RawSplit) -> None:
    """Refuse anything but the published pixels and labels. Raises DataError that names the part that differs."""
    parts = (train.images, train.labels, test.images, test.labels)
    for (name, expected), values in zip(DIGESTS.items(), parts, strict=True):
        if array_digest(values) != expected:
            raise DataError(
                f"{name}: sha256 of the values is {array_digest(values)[:12]}…, expected {expected[:12]}…; "
                "this is not Fashion-MNIST. Replace the four files."
            )


def scale_pixels(images: Bytes) -> Floats:
    """Map 8-bit pixels to float32 in [0, 1] and add the channel axis; the input is unchanged.

    images: uint8, shape (n, 28, 28). Returns shape (n, 28, 28, 1). Raises DataError on any other dtype or shape.
    """
    if images.dtype != np.uint8 or images.shape[1:] != (SIDE, SIDE):
        raise DataError(f"images are {images.dtype} of shape {images.shape}; expected uint8 of shape (n, 28, 28)")
    return images[..., np.newaxis].astype(np.float32) / np.float32(255)


def restore_pixels(images: Floats) -> Bytes:
    """Undo `scale_pixels`, exactly: float32 in [0, 1], shape (n, 28, 28, 1), to uint8, shape (n, 28, 28)."""
    return np.rint(images[..., 0] * 255).astype(np.uint8)


def cut_validation(train: RawSplit, *, images: int, seed: int) -> tuple[RawSplit, RawSplit]:
    """Cut a stratified validation split of `images` from train; both keep the published order.

    Returns what remains of train, and validation. The same seed cuts the same images.
    """
    kept, cut = cut_indices(train.labels, images=images, seed=seed)
    return (
        RawSplit(train.images[kept], train.labels[kept]),
        RawSplit(train.images[cut], train.labels[cut]),
    )


def cut_indices(labels: Labels, *, images: int, seed: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the indices that remain in train, and those of a stratified validation split; both ascending."""
    # Imported here: it takes a second or two, and every other stage does without.
    from sklearn.model_selection import train_test_split

    kept, cut = train_test_split(np.arange(len(labels)), test_size=images, stratify=labels, random_state=seed)
    return np.sort(kept), np.sort(cut)


def summarize(train: RawSplit, test: RawSplit, splits: Mapping[str, RawSplit]) -> dict[str, Any]:
    """Describe the data as numbers and digests that can be compared between runs.

    train, test: the published files. splits: by name, what they were cut into. Pixel statistics are of the scaled
    pixels of each split. A duplicate within train is an image that an earlier one equals pixel by pixel; the test
    images that are also in train are listed by index.
    """
    known = {image.tobytes() for image in train.images}
    return {
        **{
            name: {
                "images": len(split.labels),
                "class_counts": class_counts(split.labels),
                "pixel_mean": round(float(split.images.mean() / 255), 6),
                "pixel_std": round(float(split.images.std() / 255), 6),
                "images_sha256": array_digest(split.images),
                "labels_sha256": array_digest(split.labels),
            }
            for name, split in splits.items()
        },
        "duplicates_within_train": len(train.images) - len(known),
        "test_images_in_train": [number for number, image in enumerate(test.images) if image.tobytes() in known],
    }
