"""Run the benchmarks of speed one after the other, then print one table of every target: `python -m benchmarks`.

--json FILE keeps all that was measured, with the name of the processor.

Each is a command of its own: `python -m benchmarks.NAME --help`. Run it in the folder of params.yaml after
`make repro`, on a machine that does nothing else; it takes half an hour to an hour. Exit code 1: a target is missed.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.turns import ENVIRONMENT, SCRATCH, Row, finish
from pipeline.runtime.machine import cpu_model

BENCHMARKS = ("training", "before", "pipeline", "tracking")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the chosen benchmarks and print what they measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS), help="default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every measurement to FILE")
    options = parser.parse_args(argv)
    found = {name: measure(name) for name in options.only}
    rows = [Row(**entry) for document in found.values() for entry in document.get("table", [])]
    print(f"\n{cpu_model()}, {os.cpu_count()} cores")
    code = finish(rows, options.json, **{name: document.get("measurements") for name, document in found.items()})
    sys.exit(code if all(found.values()) else 1)


def measure(name: str) -> dict[str, Any]:
    """Run a benchmark and return what it wrote; empty if it failed, which it has said."""
    file = SCRATCH / f"{name}.json"
    file.unlink(missing_ok=True)
    subprocess.run([sys.executable, "-m", f"benchmarks.{name}", "--json", file], env=ENVIRONMENT, check=False)
    return dict(json.loads(file.read_text())) if file.exists() else {}


if __name__ == "__main__":
    main()
