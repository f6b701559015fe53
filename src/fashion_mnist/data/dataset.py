"""Prepare images and labels: scale pixels, cut a stratified part, count classes, take digests."""

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from fashion_mnist.data.split import Bytes, Floats, Labels, RawSplit

Indices = npt.NDArray[np.int64]


def array_digest(values: npt.NDArray[Any]) -> str:
    """Return the sha256 of an array's bytes, in hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(values).data).hexdigest()


def class_counts(labels: Labels, classes: int) -> list[int]:
    """Count the images of each class; labels: shape (n,), from 0."""
    return [int(count) for count in np.bincount(labels, minlength=classes)]


def scale_pixels(images: Bytes) -> Floats:
    """Map 8-bit pixels to float32 in [0, 1]; the input is unchanged.

    images: uint8, shape (n, height, width, channels).
    """
    return images.astype(np.float32) / np.float32(255)


def restore_pixels(images: Floats) -> Bytes:
    """Undo `scale_pixels`, exactly: float32 in [0, 1] to uint8, of the same shape."""
    return np.rint(images * 255).astype(np.uint8)


def cut_validation(train: RawSplit, *, images: int, seed: int) -> tuple[RawSplit, RawSplit]:
    """Cut a stratified validation split of `images` from train; both keep the order of train.

    Returns what remains of train, and validation. The same seed cuts the same images.
    """
    kept, cut = cut_indices(train.labels, images=images, seed=seed)
    return (
        RawSplit(train.images[kept], train.labels[kept]),
        RawSplit(train.images[cut], train.labels[cut]),
    )


def cut_indices(labels: Labels, *, images: int, seed: int) -> tuple[Indices, Indices]:
    """Return the indices that remain in train, and those of a stratified validation split; both ascending.

    Every class with at least two images is on both sides, even if its share rounds to none.
    """
    # Imported here, since it takes a second or two and no other stage needs it.
    from sklearn.model_selection import train_test_split

    kept, cut = train_test_split(np.arange(len(labels)), test_size=images, stratify=labels, random_state=seed)
    _exchange_for_missing(kept, cut, labels)
    _exchange_for_missing(cut, kept, labels)
    return np.sort(kept), np.sort(cut)


def _exchange_for_missing(giving: Indices, lacking: Indices, labels: Labels) -> None:
    """For each class that one side of a cut lacks, swap in an image of it for one of that side's largest class."""
    for missing in np.setdiff1d(labels[giving], labels[lacking]):
        given = np.flatnonzero(labels[giving] == missing)[0]
        taken = np.flatnonzero(labels[lacking] == np.bincount(labels[lacking]).argmax())[0]
        giving[given], lacking[taken] = lacking[taken], giving[given]
