"""Types of parameters that several sections share."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

SMALLEST_SIDE = 4  # of an image, in pixels: two rounds of pooling leave one of these


def written_out(path: str) -> str:
    """Return a path that does not begin with ~. Raises ValueError for one that does: DVC reads ~ as a plain name."""
    if path.startswith("~"):
        raise ValueError("a path without ~ at its beginning, which DVC does not resolve: write it out")
    return path


Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Side = Annotated[int, Field(ge=SMALLEST_SIDE, le=4096)]
FolderPath = Annotated[str, Field(min_length=1), AfterValidator(written_out)]
Instructions = Literal["avx2", "native"]
ModelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]  # also the name of a file and of a DVC stage
Value = TypeVar("Value")
# A mapping by name that cannot be changed.
ByName = Annotated[Mapping[ModelName, Value], Field(strict=False), AfterValidator(MappingProxyType)]


class Section(BaseModel):
    """A mapping with exactly these keys; no value is converted to another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
