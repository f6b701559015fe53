"""Time what the page costs: evaluate and report here, against the same stages at a git revision.

Run after `dvc repro`; the stages of both take turns in scratch folders, on this
folder's data and models, so that reports/ stays as it is.
"""

import argparse
import io
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).parent.parent
CODE = ("pipeline", "src", "params.yaml", "requirements")
STAGES = ("evaluate", "report")
ROUNDS = 3
LIMIT = 20


def main(argv: Sequence[str] | None = None) -> None:
    """Print the median seconds of each stage, and how much more both cost here."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revision", help="what git calls the other state")
    revision = parser.parse_args(argv).revision
    with tempfile.TemporaryDirectory() as scratch:
        folders = {"before": Path(scratch) / "before", "here": Path(scratch) / "here"}
        archive = subprocess.run(["git", "archive", revision, *CODE], cwd=PROJECT, capture_output=True, check=True)  # noqa: S607
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as code:
            code.extractall(folders["before"], filter="data")
        for name in CODE:
            copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
            folders["here"].mkdir(exist_ok=True)
            copy(PROJECT / name, folders["here"] / name)
        seconds: dict[tuple[str, str], list[float]] = {(place, stage): [] for place in folders for stage in STAGES}
        for folder in folders.values():
            for name in ("data", "models"):
                (folder / name).symlink_to(PROJECT / name)
            shutil.copytree(PROJECT / "reports", folder / "reports")
        for _ in range(ROUNDS):
            for (place, stage), taken in seconds.items():
                taken.append(run(stage, folders[place]))
    medians = {key: statistics.median(taken) for key, taken in seconds.items()}
    for stage in STAGES:
        print(f"{stage:10} before {medians['before', stage]:5.1f} s   here {medians['here', stage]:5.1f} s")
    more = sum(medians["here", stage] - medians["before", stage] for stage in STAGES)
    print(f"together {more:+.1f} s, at most {LIMIT}")


def run(stage: str, folder: Path) -> float:
    """Run a stage in a folder, on that folder's own code; returns the seconds it took."""
    environment = os.environ | {"PYTHONPATH": str(folder / "src")}
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", f"pipeline.{stage}"], cwd=folder, env=environment, check=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
