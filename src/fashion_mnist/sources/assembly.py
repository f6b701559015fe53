"""Make train and test of a folder's images: cut test if there is none, look for duplicates, mix the order."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fashion_mnist.data.dataset import class_counts, cut_indices
from fashion_mnist.data.description import DataSet, Source
from fashion_mnist.data.split import Bytes, Labels, RawSplit, label_type
from fashion_mnist.errors import DataError
from fashion_mnist.params import NormalizeParams
from fashion_mnist.sources.duplicates import find_exact, find_near
from fashion_mnist.sources.folder import Layout
from fashion_mnist.sources.images import stack_images

MOST_LISTED = 100


class _Part(NamedTuple):
    """A split with the names of its files."""

    names: Sequence[str]
    split: RawSplit

    def take(self, indices: npt.NDArray[np.int64]) -> "_Part":
        """Return some of its images, in the order of the indices."""
        return _Part([self.names[index] for index in indices], RawSplit(*(part[indices] for part in self.split)))


def assemble(layout: Layout, pictures: Mapping[str, Bytes], params: NormalizeParams, *, name: str) -> Source:
    """Make a data set of decoded pictures by file; the same seed gives the same cut and the same order.

    name: that of the data set. Raises DataError that names a test image that is in train, too, unless duplicates are to
    be dropped; then only test keeps them.
    """
    labels: Labels = np.array([label for _, label in layout.files]).astype(label_type(len(layout.classes)))
    images = stack_images({path: pictures[path] for path, _ in layout.files})
    everything = _Part([path for path, _ in layout.files], RawSplit(images, labels))
    train, test = _separate(layout, everything, test_share=params.test_share, seed=params.seed)
    train = _without_duplicates(train, test, drop=params.duplicates == "drop", classes=layout.classes)
    near = find_near(train.split.images, test.split.images)[:MOST_LISTED]
    _, height, width, channels = images.shape
    dataset = DataSet(
        dataset="folder",
        name=name,
        classes=layout.classes,
        image_shape=(height, width, channels),
        is_resampled=params.size is not None,
    )
    alike = tuple((test.names[number], train.names[twin]) for number, twin in near)
    return Source(dataset, train.split, test.split, alike)


def _separate(layout: Layout, everything: _Part, *, test_share: float, seed: int) -> tuple[_Part, _Part]:
    """Return train and test, each in a random order: evaluate looks more closely at the first images of test."""
    count = len(everything.names)
    if layout.test is None:
        images = max(len(layout.classes), round(test_share * count))
        kept, cut = cut_indices(everything.split.labels, images=images, seed=seed)
    else:
        kept, cut = np.split(np.arange(count), [len(layout.train)])
    rng = np.random.default_rng(seed)
    return everything.take(rng.permutation(kept)), everything.take(rng.permutation(cut))


def _without_duplicates(train: _Part, test: _Part, *, drop: bool, classes: Sequence[str]) -> _Part:
    """Return train without the images that are in test. Raises DataError if there are any, unless told to drop them."""
    exact = find_exact(train.split.images, test.split.images)
    if not exact:
        return train
    if not drop:
        number, twin = exact[0]
        raise DataError(
            f"{train.names[twin]} and {test.names[number]} are the same image, and {len(exact) - 1} more of test are "
            "in train; expected none. Delete them, or set normalize.duplicates: drop to leave them out of train"
        )
    twins = {test.split.images[number].tobytes() for number, _ in exact}
    kept = train.take(np.flatnonzero([image.tobytes() not in twins for image in train.split.images]))
    for label, count in enumerate(class_counts(kept.split.labels, len(classes))):
        if count < 2:
            raise DataError(f"class {classes[label]}: {count} images of train are not in test; expected at least two")
    return kept
