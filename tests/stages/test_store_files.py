"""A run store on disk that a killed process left half-made, and addresses at which there is none."""

import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from pipeline.tools.demo import PROJECT
from tests.processes import run_python

OPEN = "from pipeline.runtime.command import run; from pipeline.tools.rollback import main; run(main)"


def open_in(folder: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    """Ask a store for its champion, in a process of its own: MLflow keeps files open."""
    shutil.copy(PROJECT / "tests/params.yaml", folder)
    environment = {"PYTHONPATH": f"{PROJECT}:{PROJECT / 'src'}", "PATH": "", **more}
    return run_python("-c", OPEN, folder=folder, environment=environment)


def test_store_that_was_killed_while_it_was_made_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "tracking").mkdir()
    for name in (".mlflow.db.new", ".mlflow.db.new-journal"):
        (tmp_path / "tracking" / name).write_bytes(b"half")
    done = open_in(tmp_path)
    assert "has no champion" in done.stderr
    assert sorted(path.name for path in (tmp_path / "tracking").iterdir()) == ["lock", "mlflow.db"]


def test_store_that_is_half_made_is_one_line_that_says_what_to_delete(tmp_path: Path) -> None:
    (tmp_path / "tracking").mkdir()
    with sqlite3.connect(tmp_path / "tracking/mlflow.db") as half:
        half.execute("create table experiments (experiment_id integer)")
    done = open_in(tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert f"delete {tmp_path / 'tracking/mlflow.db'}" in done.stderr


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("postgresql://user:secret@host/runs", "No module named 'psycopg"),
        ("mysql+pymysql://user:secret@host/runs", "No module named 'pymysql'"),
        ("mssql://user:secret@host/runs", "No module named 'pyodbc'"),
        ("oracle://host/runs", "Supported URI schemes are"),
        ("localhost:5000", "Supported URI schemes are"),
        ("127.0.0.1:5000", "Please migrate to a database backend"),
        ("file:///srv/runs", "Please migrate to a database backend"),
        ("http://[::1", "Invalid IPv6 URL"),
        ("http://host:port", "not a valid host or port"),
        ("https://host:99999", "Failed to parse"),
    ],
)
def test_address_of_no_store_is_one_line_that_says_what_to_set(tmp_path: Path, address: str, said: str) -> None:
    done = open_in(tmp_path, MLFLOW_TRACKING_URI=address)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert said in done.stderr
    assert "MLFLOW_TRACKING_URI" in done.stderr
    assert "http://HOST:5000" in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize("address", [None, "sqlite:///tracking/mlflow.db"])
def test_copied_store_is_about_its_own_files_also_if_its_address_is_named(tmp_path: Path, address: str | None) -> None:
    more = {"MLFLOW_TRACKING_URI": address} if address else {}
    first, copy = tmp_path / "first", tmp_path / "copy"
    first.mkdir()
    open_in(first)
    shutil.copytree(first, copy)
    assert "has no champion" in open_in(copy, **more).stderr
    for folder in (first, copy):
        with sqlite3.connect(folder / "tracking/mlflow.db") as store:
            (found,) = store.execute(
                "select artifact_location from experiments where name = 'fashion-mnist'"
            ).fetchone()
        assert found == (folder / "tracking/artifacts").as_uri()
