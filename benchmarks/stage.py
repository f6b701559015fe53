"""Run one stage of the pipeline and say where its time goes: `python -m benchmarks.stage train cnn`."""

import importlib
import json
import sys
import time

import psutil


def main() -> None:
    """Run a stage as its command does; prints the seconds until its main begins, and of its main, as JSON."""
    if len(sys.argv) < 2:
        sys.exit("error: no argument; expected a stage, such as train, and its arguments")
    born = psutil.Process().create_time()
    stage = importlib.import_module(f"pipeline.{sys.argv[1]}")
    imported = time.time()
    stage.main(sys.argv[2:])
    print(json.dumps({"start": round(imported - born, 2), "work": round(time.time() - imported, 2)}))


if __name__ == "__main__":
    main()
