"""Claims about writing files, and about errors that are wrapped in others."""

import os
from pathlib import Path

import pytest

from fashion_mnist.errors import innermost
from pipeline.runtime.files import write_bytes

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


def test_innermost_cause_is_one_line() -> None:
    outer = RuntimeError("HTTPConnectionPool(host='127.0.0.1'): Max retries exceeded")
    outer.__cause__ = ConnectionRefusedError(111, "Connection\n refused")
    assert innermost(outer) == "[Errno 111] Connection refused"
    assert innermost(TimeoutError()) == "TimeoutError"
