"""Read and write artifacts: every write is atomic, every failure one line that names the file.

A file is written beside its target and then moved over it, so that a reader sees the old content or the new, never
half of it, and an interrupted stage leaves nothing behind.
"""

import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from fashion_mnist.dataset import Split
from fashion_mnist.errors import ArtifactError, ParamsError
from fashion_mnist.params import Params, parse_params

PARAMS = Path("params.yaml")
RAW = Path("data/raw")
NORMALIZED = Path("data/normalized")
MODELS = Path("models")
REPORTS = Path("reports")

# By split, the images and the labels.
RAW_FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Open a file beside `path` that takes its place once the block ends, and vanishes if the block fails.

    Raises ArtifactError when the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise ArtifactError(
            f"{path}: cannot be written ({error.strerror or error}); expected a writable file on a disk with room"
        ) from error


def write_bytes(content: bytes, path: Path) -> None:
    """Write bytes atomically."""
    with atomic_write(path) as file:
        file.write(content)


def read_bytes(path: Path) -> bytes:
    """Read a whole file. Raises ArtifactError when it cannot be read."""
    with _reading(path):
        return path.read_bytes()


def write_json(document: Mapping[str, Any], path: Path) -> None:
    """Write a mapping as indented JSON, in its own order; NaN and infinity are refused as no JSON."""
    write_bytes((json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode(), path)


def read_json(path: Path) -> Any:
    """Read a JSON document. Raises ArtifactError when it cannot be read or parsed."""
    with _reading(path):
        return json.loads(path.read_bytes())


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table without its index; numbers with six decimals."""
    write_bytes(table.to_csv(index=False, float_format="%.6f", lineterminator="\n").encode(), path)


def read_csv(path: Path, *, columns: Mapping[str, str]) -> pd.DataFrame:
    """Read a table; columns: the dtype of each by name. Raises ArtifactError unless these columns stand there."""
    with _reading(path):
        table = pd.read_csv(io.BytesIO(path.read_bytes()))
        if list(table) != list(columns):
            raise ValueError(f"columns are {', '.join(table)}; expected {', '.join(columns)}")
        return table.astype(dict(columns))


def write_split(split: Split, name: str) -> None:
    """Write the images and labels of a normalized split."""
    for part, values in split._asdict().items():
        with atomic_write(NORMALIZED / name / f"{part}.npy") as file:
            np.save(file, values)


def read_split(name: str) -> Split:
    """Map the images and labels of a normalized split into memory, read-only; pages load when they are used."""
    return Split(*(_read_array(NORMALIZED / name / f"{part}.npy") for part in Split._fields))


def read_params() -> Params:
    """Read params.yaml. Raises ParamsError that names the file, the key, its value and what was expected."""
    try:
        document = YAML(typ="safe").load(PARAMS.read_bytes())
    except OSError as error:
        raise ParamsError(f"{PARAMS}: cannot be read ({error.strerror}); run in the folder of dvc.yaml") from error
    except YAMLError as error:
        reason = " ".join(str(error).split())
        raise ParamsError(f"{PARAMS}: is not YAML ({reason}); mend that line") from error
    return parse_params(document, source=str(PARAMS))


def _read_array(path: Path) -> npt.NDArray[Any]:
    with _reading(path):
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        return array


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise ArtifactError(f"{path}: cannot be read ({reason}); run `dvc repro` to make it again") from error
