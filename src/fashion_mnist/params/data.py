"""Base of all parameters, and those that say what the data is and how it is cut."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from fashion_mnist.errors import ParamsError
from fashion_mnist.sources.fashion_mnist import CLASS_NAMES, NAME, TEST_IMAGES, TRAIN_IMAGES

Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
# Two rounds of pooling leave a pixel of these.
SMALLEST_SIDE = 4


def of_equal_classes(value: int) -> int:
    """Return a number of garments that has equally many of each class. Raises ValueError for any other."""
    if value % len(CLASS_NAMES):
        raise ValueError(f"a multiple of {len(CLASS_NAMES)}, so that classes are balanced")
    return value


BalancedCount = Annotated[Count, AfterValidator(of_equal_classes)]


def written_out(value: str) -> str:
    """Return a path that does not begin with ~. Raises ValueError for one that does, since DVC takes ~ for a name."""
    if value.startswith("~"):
        raise ValueError("a path without ~ at its beginning, which DVC does not resolve: write it out")
    return value


FolderPath = Annotated[str, Field(min_length=1), AfterValidator(written_out)]


class Section(BaseModel):
    """A mapping with exactly these keys; no value is converted to another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SyntheticParams(Section):
    """How many garments to draw when the data set is synthetic."""

    train_images: BalancedCount
    test_images: BalancedCount
    seed: Seed


class DownloadParams(Section):
    """Which data set the pipeline is about."""

    dataset: Literal["fashion_mnist", "synthetic", "folder"]
    synthetic: SyntheticParams
    folder: FolderPath
    name: Annotated[str, Field(pattern=r"^\w[\w .+-]*$", max_length=60)]

    @property
    def train_images(self) -> int | None:
        """Images in the training file, before validation is cut from it; None if only a look into a folder tells."""
        return {"fashion_mnist": TRAIN_IMAGES, "synthetic": self.synthetic.train_images}.get(self.dataset)

    @property
    def test_images(self) -> int | None:
        """Images in the test file; None as above."""
        return {"fashion_mnist": TEST_IMAGES, "synthetic": self.synthetic.test_images}.get(self.dataset)

    @property
    def registered_name(self) -> str:
        """What the registered model is called, and the experiment that its runs are in."""
        return re.sub(r"\W+", "-", (self.name if self.dataset == "folder" else NAME).lower()).strip("-")


Side = Annotated[int, Field(ge=SMALLEST_SIDE, le=4096)]


class NormalizeParams(Section):
    """How validation is cut from train, and how a folder of images becomes arrays.

    size: height and width that every image is scaled to; None if all have the same. test_share: what becomes the test
    split where there is none. duplicates: what happens to an image that is in train and in test.
    """

    validation_images: Count
    seed: Seed
    size: Annotated[tuple[Side, Side] | None, Field(strict=False)]
    test_share: Annotated[float, Field(gt=0, le=0.5)]
    duplicates: Literal["refuse", "drop"]

    def check_fit(self, *, images: int, classes: int) -> None:
        """Raise ParamsError unless train and validation can both hold an image of each class."""
        found, least, most = self.validation_images, classes, images - classes
        if not least <= found <= most:
            expected = f"at most {most}" if found > most else f"at least {least}, one of each class"
            raise ParamsError(
                f"normalize.validation_images is {found}; expected {expected}, since train holds {images} images"
            )
