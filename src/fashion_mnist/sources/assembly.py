"""Make splits of a folder's images: cut test if there is none, look for duplicates, mix the order."""

from collections.abc import Mapping, Sequence
from functools import partial
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
    """A split, what it is called, and the names of its files."""

    name: str
    files: Sequence[str]
    split: RawSplit

    def take(self, name: str, indices: npt.NDArray[np.int64]) -> "_Part":
        """Return some of its images as a split of that name, in the order of the indices."""
        split = RawSplit(*(part[indices] for part in self.split))
        return _Part(name, [self.files[index] for index in indices], split)


def assemble(layout: Layout, pictures: Mapping[str, Bytes], params: NormalizeParams, *, name: str) -> Source:
    """Make a data set of decoded pictures by file; the same seed gives the same cut and the same order.

    name: that of the data set. Raises DataError that names an image that is in two splits, unless duplicates are to be
    dropped; then test keeps them, or val those that are in train, too.
    """
    labels: Labels = np.array([label for _, label in layout.files]).astype(label_type(len(layout.classes)))
    images = stack_images({path: pictures[path] for path, _ in layout.files})
    everything = _Part(name, [path for path, _ in layout.files], RawSplit(images, labels))
    train, val, test = _separate(layout, everything, test_share=params.test_share, seed=params.seed)
    separate = partial(_without_duplicates, drop=params.duplicates == "drop", classes=layout.classes)
    train = separate(train, test, least=1 if val else 2)
    if val:
        val = separate(val, test, least=1)
        train = separate(train, val, least=1)
    near = find_near(train.split.images, test.split.images)[:MOST_LISTED]
    _, height, width, channels = images.shape
    dataset = DataSet(
        dataset="folder",
        name=name,
        classes=layout.classes,
        image_shape=(height, width, channels),
        is_resampled=params.size is not None,
    )
    alike = tuple((test.files[number], train.files[twin]) for number, twin in near)
    return Source(dataset, train.split, test.split, alike, val.split if val else None)


def _separate(layout: Layout, everything: _Part, *, test_share: float, seed: int) -> tuple[_Part, _Part | None, _Part]:
    """Return train, val if there is one, and test, each in a random order.

    The order is random because evaluate looks more closely at the first images of test.
    """
    ends = np.cumsum([len(layout.train), len(layout.val or [])])
    train, val, test = np.split(np.arange(len(everything.files)), ends)
    if layout.test is None:
        images = max(len(layout.classes), round(test_share * len(train)))
        kept, cut = cut_indices(everything.split.labels[train], images=images, seed=seed)
        train, test = train[kept], train[cut]
    rng = np.random.default_rng(seed)
    train, test, val = (rng.permutation(indices) for indices in (train, test, val))
    parts = everything.take("train", train), everything.take("val", val), everything.take("test", test)
    return parts[0], parts[1] if layout.val else None, parts[2]


def _without_duplicates(part: _Part, kept: _Part, *, least: int, drop: bool, classes: Sequence[str]) -> _Part:
    """Return a part without the images that are in the one that is kept whole.

    least: how many images of each class must remain. Raises DataError for duplicates, unless told to drop them.
    """
    exact = find_exact(part.split.images, kept.split.images)
    if not exact:
        return part
    if not drop:
        number, twin = exact[0]
        raise DataError(
            f"{part.files[twin]} and {kept.files[number]} are the same image, and {len(exact) - 1} more of them; "
            "expected none. Delete them, or set normalize.duplicates: drop to keep them in one split alone"
        )
    twins = {kept.split.images[number].tobytes() for number, _ in exact}
    rest = part.take(part.name, np.flatnonzero([image.tobytes() not in twins for image in part.split.images]))
    for label, count in enumerate(class_counts(rest.split.labels, len(classes))):
        if count < least:
            raise DataError(
                f"class {classes[label]}: {count} images of {part.name} are not in {kept.name}; "
                f"expected at least {least}"
            )
    return rest
