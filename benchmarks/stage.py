"""Run one stage of the pipeline and say where its time goes: `python -m benchmarks.stage train cnn`."""

import importlib
import json
import os
import sys
import time

from benchmarks.turns import STARTED


def main() -> None:
    """Run a stage as its command does; prints the seconds until its main begins, and of its main, as JSON.

    Started by hand, it does not know what Python itself took to start.
    """
    if len(sys.argv) < 2:
        sys.exit("error: no argument; expected a stage, such as train, and its arguments")
    started = float(os.environ.get(STARTED, time.perf_counter()))
    stage = importlib.import_module(f"pipeline.{sys.argv[1]}")
    imported = time.perf_counter()
    stage.main(sys.argv[2:])
    print(json.dumps({"start": round(imported - started, 2), "work": round(time.perf_counter() - imported, 2)}))


if __name__ == "__main__":
    main()
