"""Claims about writing files, and about errors that are wrapped in others."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from fashion_mnist.errors import ArtifactError, innermost, shorten
from pipeline.runtime.files import atomic_write, write_bytes

# Above what Linux gives to processes, unless it is told to give more than 4 million.
GONE = 2**22 + 1


def test_what_a_killed_process_left_is_deleted_when_the_file_is_written_again(tmp_path: Path) -> None:
    left = tmp_path / f".scores.json.{GONE}.tmp"
    left.write_bytes(b"{")
    write_bytes(b"{}\n", tmp_path / "scores.json")
    assert [path.name for path in tmp_path.iterdir()] == ["scores.json"]


@pytest.mark.parametrize("name", [f".scores.json.{os.getppid()}.tmp", f".other.json.{GONE}.tmp", ".scores.json.tmp"])
def test_what_others_are_writing_stays(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"{")
    write_bytes(b"{}\n", tmp_path / "scores.json")
    assert (tmp_path / name).exists()


def test_leftover_that_another_process_deletes_first_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "glob", lambda *_: iter([tmp_path / f".scores.json.{GONE}.tmp"]))
    write_bytes(b"{}\n", tmp_path / "scores.json")
    assert (tmp_path / "scores.json").exists()


def test_innermost_cause_is_one_line() -> None:
    outer = RuntimeError("HTTPConnectionPool(host='127.0.0.1'): Max retries exceeded")
    outer.__cause__ = ConnectionRefusedError(111, "Connection\n refused")
    assert innermost(outer) == "[Errno 111] Connection refused"
    assert innermost(TimeoutError()) == "TimeoutError"


def test_innermost_cause_is_a_sentence_where_there_is_one() -> None:
    outer = ValueError("the scheme s3 is not supported")
    outer.__cause__ = KeyError("s3")
    assert innermost(outer) == "the scheme s3 is not supported"


def test_long_reason_ends_with_its_last_whole_sentence() -> None:
    text = "It is full. Delete some of it. " + "See the long page " * 20
    assert shorten(text, 40) == "It is full. Delete some of it."
    assert shorten("one " * 20, 10) == "one one …"
    assert shorten("short", 10) == "short"


@contextmanager
def small_disk() -> Iterator[None]:
    """Files of 150 bytes at most, as if the disk were full then; ended before pytest writes to a file of its own."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_array_whose_last_block_does_not_fit_is_no_success(tmp_path: Path) -> None:
    path = tmp_path / "labels.npy"
    refused = pytest.raises(ArtifactError, match=r"labels\.npy: cannot be written")
    with refused, small_disk(), atomic_write(path) as file:
        np.save(file, np.zeros(50, np.uint8))  # a header of 128 bytes, which fits, and 50 that do not
    assert list(tmp_path.iterdir()) == []
