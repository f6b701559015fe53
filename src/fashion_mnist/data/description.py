"""What a data set is, as one value: `normalize` finds it once, and everything after it reads it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fashion_mnist.data.dataset import array_digest, class_counts
from fashion_mnist.data.split import RawSplit, Shape
from fashion_mnist.errors import DataError

SPLITS: tuple[Literal["train", "validation", "test"], ...] = ("train", "validation", "test")
Described = TypeVar("Described", bound=BaseModel)
Count = Annotated[int, Field(ge=0)]


class _Value(BaseModel):
    """Exactly these fields; they do not change."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DataSet(_Value):
    """What all images of a data set have in common.

    dataset: fashion_mnist, synthetic or folder. name: what pages and runs call it. classes: their names, in the order
    of their numbers. image_shape: height, width, channels. is_resampled: whether images of any size are scaled to that.
    """

    dataset: Literal["fashion_mnist", "synthetic", "folder"]
    name: str
    classes: Annotated[tuple[str, ...], Field(min_length=2)]
    image_shape: Shape
    is_resampled: bool

    @property
    def is_article(self) -> bool:
        """Whether these are the images that the source article is about."""
        return self.dataset == "fashion_mnist"

    @property
    def label(self) -> str:
        """What runs and their data sets are marked with: the kind, or the name of a folder's images."""
        return self.name if self.dataset == "folder" else self.dataset

    @property
    def is_drawn(self) -> bool:
        """Whether the project drew the images."""
        return self.dataset == "synthetic"


class Source(NamedTuple):
    """A data set as it came; where it has no validation, that is cut from train later.

    near_duplicates: pairs of a file in test and one in train that look alike, most alike first, at most a hundred.
    """

    dataset: DataSet
    train: RawSplit
    test: RawSplit
    near_duplicates: tuple[tuple[str, str], ...] = ()
    validation: RawSplit | None = None


class SplitDescription(_Value):
    """One split in numbers: statistics of pixels from 0 to 1, digests of pixels from 0 to 255 as they came."""

    images: Count
    class_counts: tuple[Count, ...]
    pixel_mean: float
    pixel_std: float
    images_sha256: str
    labels_sha256: str


class DataDescription(DataSet):
    """A data set and its splits.

    duplicates_within_train: how many images of train, before validation is cut from it, equal an earlier one pixel by
    pixel. test_images_in_train: the indices of test images that are in train, too. near_duplicates: as in Source.
    """

    train: SplitDescription
    validation: SplitDescription
    test: SplitDescription
    duplicates_within_train: Count
    test_images_in_train: tuple[Count, ...]
    near_duplicates: tuple[tuple[str, str], ...]

    @property
    def splits(self) -> dict[str, SplitDescription]:
        """The splits by name."""
        return {name: getattr(self, name) for name in SPLITS}


def parse_description(kind: type[Described], document: Any, *, name: str) -> Described:
    """Turn a JSON document into a description; name: what an error calls it. Raises DataError if that fails."""
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(map(str, problem["loc"])) or "the document"
        raise DataError(
            f"{name}: {key}: {problem['msg'][:1].lower()}{problem['msg'][1:]}; run `dvc repro` to make it again"
        ) from error


def describe_split(split: RawSplit, *, classes: int) -> SplitDescription:
    """Describe a split by numbers and digests that runs can be compared by."""
    return SplitDescription(
        images=len(split.labels),
        class_counts=tuple(class_counts(split.labels, classes)),
        pixel_mean=round(float(split.images.mean() / 255), 6),
        pixel_std=round(float(split.images.std() / 255), 6),
        images_sha256=array_digest(split.images),
        labels_sha256=array_digest(split.labels),
    )


def describe(source: Source, splits: Mapping[str, RawSplit]) -> DataDescription:
    """Describe a data set; splits: by name, what it was cut into."""
    known = {image.tobytes() for image in source.train.images}
    described = {name: describe_split(split, classes=len(source.dataset.classes)) for name, split in splits.items()}
    return DataDescription(
        **source.dataset.model_dump(),
        train=described["train"],
        validation=described["validation"],
        test=described["test"],
        duplicates_within_train=len(source.train.images) - len(known),
        test_images_in_train=tuple(n for n, image in enumerate(source.test.images) if image.tobytes() in known),
        near_duplicates=source.near_duplicates,
    )
