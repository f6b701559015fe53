"""Run the benchmarks of speed one after the other, then print one table of every target: `python -m benchmarks`.

Each is a command of its own: `python -m benchmarks.NAME --help`. Run it in the folder of params.yaml after
`make repro`, on a machine that does nothing else; it takes half an hour to an hour. Exit code 1: a target is missed.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence

from benchmarks.turns import ENVIRONMENT, SCRATCH, Row, table_of
from pipeline.runtime.machine import cpu_model

BENCHMARKS = ("training", "pipeline", "tracking")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the chosen benchmarks and print what they measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS), help="default: all")
    options = parser.parse_args(argv)
    rows: list[Row] = []
    failed = False
    for name in options.only:
        file = SCRATCH / f"{name}.json"
        file.unlink(missing_ok=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}", "--json", file], env=ENVIRONMENT, check=False)
        # Without a file it failed, and has said why; the others still count.
        failed |= not file.exists()
        rows += [Row(*row) for row in json.loads(file.read_text())["rows"]] if file.exists() else []
    print(f"\n{cpu_model()}, {os.cpu_count()} cores\n\n{table_of(rows)}")
    sys.exit(1 if failed or not all(row.met for row in rows) else 0)


if __name__ == "__main__":
    main()
