"""The data set: what makes it Fashion-MNIST, how pixels are scaled, how validation is cut from train."""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fashion_mnist.errors import DataError

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

SIDE = 28
CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

# Images per digit in MNIST, which has been served under Fashion-MNIST's address. Source: the published label files.
MNIST_CLASS_COUNTS = {
    (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
    (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
}

# sha256 of the pixels or labels as they stand in the published files, without their headers.
FASHION_MNIST_DIGESTS = {
    "train images": "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
    "train labels": "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
    "test images": "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
    "test labels": "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
}


class RawSplit(NamedTuple):
    """Images, uint8, shape (n, 28, 28), and their labels, uint8, shape (n,)."""

    images: Bytes
    labels: Bytes


class Split(NamedTuple):
    """Images, float32 in [0, 1], shape (n, 28, 28, 1), and their labels, uint8, shape (n,)."""

    images: Floats
    labels: Bytes


def digest(values: npt.NDArray[Any]) -> str:
    """Return the sha256 of an array's bytes, in hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(values).data).hexdigest()


def class_counts(labels: Bytes) -> list[int]:
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
    for (name, expected), values in zip(FASHION_MNIST_DIGESTS.items(), parts, strict=True):
        if digest(values) != expected:
            raise DataError(
                f"{name}: sha256 of the values is {digest(values)[:12]}…, expected {expected[:12]}…; "
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
    # Imported here: it takes a second or two, and every other stage does without.
    from sklearn.model_selection import train_test_split

    kept, cut = train_test_split(
        np.arange(len(train.labels)), test_size=images, stratify=train.labels, random_state=seed
    )
    kept.sort()
    cut.sort()
    return (
        RawSplit(train.images[kept], train.labels[kept]),
        RawSplit(train.images[cut], train.labels[cut]),
    )


def summarize(train: RawSplit, test: RawSplit, splits: Mapping[str, RawSplit]) -> dict[str, Any]:
    """Describe the data as numbers and digests that can be compared between runs.

    train, test: the published files. splits: by name, what they were cut into. Pixel statistics are of the scaled
    pixels of each split. A duplicate within train is an image that an earlier one equals pixel by pixel; the test
    images that also stand in train are listed by number.
    """
    known = {image.tobytes() for image in train.images}
    return {
        **{
            name: {
                "images": len(split.labels),
                "class_counts": class_counts(split.labels),
                "pixel_mean": round(float(split.images.mean() / 255), 6),
                "pixel_std": round(float(split.images.std() / 255), 6),
                "images_sha256": digest(split.images),
                "labels_sha256": digest(split.labels),
            }
            for name, split in splits.items()
        },
        "duplicates_within_train": len(train.images) - len(known),
        "test_images_in_train": [number for number, image in enumerate(test.images) if image.tobytes() in known],
    }
