"""Read and write files: every write is atomic, every failure one line that names the file.

A file is written beside its target and then moved over it, so a reader sees the old content or the new, never half of
it. An interrupted stage leaves nothing behind. Leftovers of a killed one are deleted when the file is written again.
"""

import csv
import hashlib
import os
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import IO

import psutil

from fashion_mnist.errors import ArtifactError

# What parsers raise for damaged content.
UNREADABLE = (
    OSError, ValueError, EOFError, OverflowError, RecursionError, IndexError, KeyError, TypeError, AttributeError,
    NotImplementedError, zipfile.BadZipFile, zlib.error, csv.Error,
)  # fmt: skip


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Open a file beside `path` that takes its place once the block ends, and vanishes if the block fails.

    Raises ArtifactError if the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        try:
            # Also readable: into a file that is only writable, NumPy writes by C's stdio and overlooks that the last
            # block does not fit on the disk.
            with temporary.open("w+b") as file:
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


def _remove_leftovers(path: Path) -> None:
    """Delete what killed processes left beside a file that they were writing."""
    for left in path.parent.glob(f".{escape(path.name)}.*.tmp"):
        process = left.name.removeprefix(f".{path.name}.").removesuffix(".tmp")
        if process.isdigit() and not psutil.pid_exists(int(process)):
            left.unlink(missing_ok=True)


def write_bytes(content: bytes, path: Path) -> None:
    """Write bytes atomically."""
    with atomic_write(path) as file:
        file.write(content)


def read_bytes(path: Path) -> bytes:
    """Read a whole file. Raises ArtifactError if it cannot be read."""
    with reading(str(path)):
        return path.read_bytes()


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """Return the digest of a file. Raises ArtifactError if it cannot be read."""
    with reading(str(path)), path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


@contextmanager
def reading(name: str, *, advice: str = "run `dvc repro` to make it again") -> Iterator[None]:
    """Turn a failure to read or parse a file into ArtifactError; name: what the error calls the file."""
    try:
        with warnings.catch_warnings():
            # NumPy warns of tables without rows or numbers too large; their results are refused here.
            warnings.simplefilter("ignore")
            yield
    except UNREADABLE as error:
        reason = getattr(error, "strerror", None) or (str(error) or type(error).__name__).splitlines()[0][:200]
        # Leave out NumPy's advice to programmers, such as to load unsafely or fewer columns.
        reason = re.split(r"\. If |; use ", reason)[0]
        raise ArtifactError(f"{name}: cannot be read ({reason}); {advice}") from error
