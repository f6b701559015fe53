"""A local store whose folder was moved, renamed or copied: point it to the artifacts that lie beside it now."""

import sqlite3
from contextlib import closing
from pathlib import Path

# Where MLflow keeps the absolute addresses of artifacts.
ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)


def relocate(database: Path, artifacts: str) -> None:
    """Replace the former address of a store's artifacts by the present one, everywhere or nowhere.

    artifacts: the address of the folder `artifacts` beside the database. Experiments that this project did not make
    keep theirs. Raises OSError if the database cannot be read.
    """
    last = "/".join(artifacts.rsplit("/", 2)[1:])
    try:
        # The first `with` closes, the second commits or takes all back.
        with closing(sqlite3.connect(database)) as connection, connection:
            found = connection.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall()
            for (former,) in found:
                if former != artifacts and former.startswith("file:") and former.endswith(f"/{last}"):
                    replace(connection, former, artifacts)
    except sqlite3.Error as error:
        raise OSError(f"SQLite: {error}") from error


def replace(connection: sqlite3.Connection, former: str, present: str) -> None:
    """Replace the beginning of each address that lies at or below the former one."""
    for table, column in ADDRESSES:
        connection.execute(
            f"UPDATE {table} SET {column} = ? || substr({column}, ?) "  # noqa: S608 - names of ours
            f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
            (present, len(former) + 1, former, len(former) + 1, f"{former}/"),
        )
