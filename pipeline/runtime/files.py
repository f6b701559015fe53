"""Read and write artifacts: every write is atomic, every failure one line that names the file.

A file is written beside its target and then moved over it, so that a reader sees the old content or the new, never
half of it, and an interrupted stage leaves nothing behind.
"""

import io
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from fashion_mnist.data.dataset import Split
from fashion_mnist.errors import ArtifactError, ParamsError
from fashion_mnist.params import Params, parse_params

if TYPE_CHECKING:
    import pandas as pd

PARAMS = Path("params.yaml")
RAW = Path("data/raw")
NORMALIZED = Path("data/normalized")
MODELS = Path("models")
REPORTS = Path("reports")
TRACKING = Path("tracking")

# The columns of reports/predictions/MODEL.csv and their types.
PREDICTIONS = {"label": "uint8", "prediction": "uint8", "confidence": "float64"}

# The same of models/MODEL/history.csv.
HISTORY = {"epoch": "int64", **dict.fromkeys(("loss", "accuracy", "val_loss", "val_accuracy"), "float64")}

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
    with _reading(str(path)):
        return path.read_bytes()


def write_json(document: Mapping[str, Any], path: Path) -> None:
    """Write a mapping as indented JSON, in its own order; NaN and infinity are refused as no JSON."""
    write_bytes((json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode(), path)


def read_json(path: Path) -> Any:
    """Read a JSON document. Raises ArtifactError when it cannot be read or parsed."""
    return parse_json(read_bytes(path), name=str(path))


def parse_json(content: bytes, *, name: str) -> Any:
    """Parse a JSON document; name: what an error calls it. Raises ArtifactError when it is none."""
    with _reading(name):
        return json.loads(content)


def write_arrays(arrays: Mapping[str, npt.NDArray[Any]], path: Path) -> None:
    """Write arrays by name into one file; equal arrays give equal bytes."""
    with atomic_write(path) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # its flag allow_pickle is no array


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read what `write_arrays` wrote. Raises ArtifactError when it cannot be read."""
    with _reading(str(path)), path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
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
    with _reading(name):
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
                raise ValueError(f"{column} holds values that are no {values.dtype}")
        return table


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


def store_folder() -> Path:
    """Return the folder of the run store: the project's own, also within a queued experiment's copy of the project.

    DVC deletes such a copy when the experiment is done, and says in DVC_ROOT where the project is.
    """
    return Path(os.environ.get("DVC_ROOT", ".")).resolve() / TRACKING


def _read_array(path: Path) -> npt.NDArray[Any]:
    with _reading(str(path)):
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        return array


@contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise ArtifactError(f"{name}: cannot be read ({reason}); run `dvc repro` to make it again") from error
