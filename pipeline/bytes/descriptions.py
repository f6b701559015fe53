"""What the data is, as files: reports/data.json on all of it, and beside the arrays of each split what it is."""

from pathlib import Path

from fashion_mnist.data.description import DataDescription, DataSet, SplitDescription, parse_description
from pipeline.bytes.formats import read_json, write_json
from pipeline.runtime.paths import DATA, NORMALIZED

BESIDE = "data.json"


class DescribedSplit(DataSet, SplitDescription):
    """A data set and one of its splits: what is written beside its arrays."""


def write_description(description: DataDescription) -> None:
    """Write what the data is: beside the arrays of each split, and for all of them in reports/."""
    shared = DataSet(**{key: getattr(description, key) for key in DataSet.model_fields}).model_dump()
    for name, split in description.splits.items():
        write_json(DescribedSplit(**shared, **split.model_dump()).model_dump(mode="json"), _beside(name))
    write_json(description.model_dump(mode="json"), DATA)


def read_description() -> DataDescription:
    """Read what the data is. Raises ArtifactError or DataError where the file is not what `normalize` writes."""
    return parse_description(DataDescription, read_json(DATA), name=str(DATA))


def read_dataset(split: str) -> DescribedSplit:
    """Read what is written beside the arrays of a split; for stages that must not know the others."""
    return parse_description(DescribedSplit, read_json(_beside(split)), name=str(_beside(split)))


def _beside(split: str) -> Path:
    return NORMALIZED / split / BESIDE
