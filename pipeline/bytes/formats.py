"""The formats of artifacts: JSON, CSV, YAML and arrays. Equal values give equal bytes."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from fashion_mnist.data.split import Split
from fashion_mnist.errors import ArtifactError
from pipeline.runtime.files import atomic_write, read_bytes, reading, write_bytes
from pipeline.runtime.paths import NORMALIZED

if TYPE_CHECKING:
    import pandas as pd


def write_json(document: Mapping[str, Any], path: Path) -> None:
    """Write a mapping as indented JSON, in its own order; NaN and infinity are refused."""
    write_bytes((json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode(), path)


def read_json(path: Path) -> Any:
    """Read a JSON document. Raises ArtifactError when it cannot be read or parsed."""
    return parse_json(read_bytes(path), name=str(path))


def parse_json(content: bytes, *, name: str) -> Any:
    """Parse a JSON document; name: what an error calls it. Raises ArtifactError when it is none."""
    with reading(name):
        return json.loads(content)


def parse_yaml(content: bytes, *, name: str, advice: str = "run `dvc repro` to make it again") -> Any:
    """Parse a YAML document; name: what an error calls it. Raises ArtifactError, which ends in the advice."""
    try:
        return YAML(typ="safe").load(content)
    except YAMLError as error:
        raise ArtifactError(f"{name}: is not YAML ({' '.join(str(error).split())}); {advice}") from error


def write_arrays(arrays: Mapping[str, npt.NDArray[Any]], path: Path) -> None:
    """Write arrays by name into one file; equal arrays give equal bytes."""
    with atomic_write(path) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # mypy takes allow_pickle for an array


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read what `write_arrays` wrote. Raises ArtifactError when it cannot be read."""
    with reading(str(path)), path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


def write_csv(table: "pd.DataFrame", path: Path) -> None:
    """Write a table without its index; numbers with six decimals."""
    write_bytes(table.to_csv(index=False, float_format="%.6f", lineterminator="\n").encode(), path)


def read_csv(path: Path, *, columns: Mapping[str, str]) -> dict[str, npt.NDArray[Any]]:
    """Read a table of numbers; columns: the dtype of each by name. Raises ArtifactError for anything else."""
    return parse_csv(read_bytes(path), columns=columns, name=str(path))


def parse_csv(content: bytes, *, columns: Mapping[str, str], name: str) -> dict[str, npt.NDArray[Any]]:
    """Parse a table of numbers; columns: the dtype of each by name; name: what an error calls the table.

    Raises ArtifactError when columns differ, a value does not fit its dtype, or the last line is not whole.
    """
    with reading(name):
        header, _, body = content.decode().partition("\n")
        if header.split(",") != list(columns):
            raise ValueError(f"columns are {header}; expected {','.join(columns)}")
        if not body.endswith("\n"):
            raise ValueError("it ends within a line")
        rows = np.loadtxt(io.StringIO(body), delimiter=",", ndmin=2)
        if rows.shape[1] != len(columns):
            raise ValueError(f"its rows hold {rows.shape[1]} values; expected {len(columns)}")
        if not np.isfinite(rows).all():
            raise ValueError("it holds NaN or infinity")
        table = {column: values.astype(dtype) for (column, dtype), values in zip(columns.items(), rows.T, strict=True)}
        for (column, values), found in zip(table.items(), rows.T, strict=True):
            if not np.array_equal(values, found):
                raise ValueError(f"{column} holds values other than {values.dtype}")
        return table


def write_split(split: Split, name: str) -> None:
    """Write the images and labels of a normalized split."""
    for part, values in split._asdict().items():
        with atomic_write(NORMALIZED / name / f"{part}.npy") as file:
            np.save(file, values)


def read_split(name: str) -> Split:
    """Map the images and labels of a normalized split into memory: pages load when used, and changes reach no file."""
    return Split(*(_read_array(NORMALIZED / name / f"{part}.npy") for part in Split._fields))


def _read_array(path: Path) -> npt.NDArray[Any]:
    with reading(str(path)):
        array: npt.NDArray[Any] = np.load(path, mmap_mode="c", allow_pickle=False)
        return array
