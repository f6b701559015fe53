"""Say where MLflow's pages show the runs of the present data: tracking/mlflow.db -> the end of an address."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress

from fashion_mnist.sources.known import registered_name
from pipeline.runtime.command import parse_arguments, run, say
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import TRACKING


def main(argv: Sequence[str] | None = None) -> None:
    """Print it; SQLite itself is asked, since MLflow takes seconds to start."""
    parse_arguments(argv, description=__doc__)
    found = None
    with closing(sqlite3.connect(TRACKING / "mlflow.db")) as store, suppress(sqlite3.Error):
        name = registered_name(read_params().download)
        found = store.execute("SELECT experiment_id FROM experiments WHERE name = ?", [name]).fetchone()
    say(f"experiments/{found[0]}/runs" if found else "experiments")


if __name__ == "__main__":
    run(main)
