"""Check images and labels that come in the files of Fashion-MNIST: the published ones, and drawn garments."""

from fashion_mnist.data.dataset import array_digest, class_counts
from fashion_mnist.data.description import DataSet
from fashion_mnist.data.split import RawSplit
from fashion_mnist.errors import DataError
from fashion_mnist.sources.fashion_mnist import CLASS_NAMES, DIGESTS, IMAGE_SHAPE, MNIST_CLASS_COUNTS, NAME

FASHION_MNIST = DataSet(
    dataset="fashion_mnist", name=NAME, classes=CLASS_NAMES, image_shape=IMAGE_SHAPE, is_resampled=False
)
DRAWN_GARMENTS = FASHION_MNIST.model_copy(update={"dataset": "synthetic", "name": "synthetic garments"})


def check_split(split: RawSplit, *, images: int, name: str) -> None:
    """Raise DataError unless a split has so many images of Fashion-MNIST's size, equally many of each class.

    name: what an error calls the split. MNIST digits are named as such.
    """
    counts = class_counts(split.labels, len(CLASS_NAMES))
    if tuple(counts) in MNIST_CLASS_COUNTS:
        raise DataError(f"{name} labels: these are MNIST digits; expected {NAME}. Replace the four files.")
    if split.images.shape != (images, *IMAGE_SHAPE):
        raise DataError(f"{name} images: shape is {split.images.shape}; expected {(images, *IMAGE_SHAPE)}")
    share = images // len(CLASS_NAMES)
    if counts != [share] * len(CLASS_NAMES):
        raise DataError(
            f"{name} labels: {split.labels.size} of them, {counts} of each class; expected {images}, "
            f"{share} of each of {len(CLASS_NAMES)} classes"
        )


def check_fashion_mnist(train: RawSplit, test: RawSplit) -> None:
    """Raise DataError unless pixels and labels are the published ones; it names the part that differs."""
    parts = (train.images, train.labels, test.images, test.labels)
    for (name, expected), values in zip(DIGESTS.items(), parts, strict=True):
        if (found := array_digest(values)) != expected:
            raise DataError(
                f"{name}: sha256 of the values is {found[:12]}…, expected {expected[:12]}…; this is not {NAME}. "
                "Replace the four files."
            )
