"""What a stage cost: written beside the run store by the stage when it ends, read by `track`.

DVC outputs must not contain timings, and a restored stage never runs. So a record names files that the stage wrote by
their digests, and counts as long as the files still have these digests.
"""

import os
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from fashion_mnist.errors import ArtifactError
from pipeline.bytes.formats import read_json, write_json
from pipeline.runtime.files import file_digest
from pipeline.runtime.paths import store_folder

FOLDER = "costs"  # of the records, in the store's folder: deleting the store deletes them too
# What stages cost, by stage as DVC names it, then by measure.
Costs = Mapping[str, Mapping[str, float]]


class Work(NamedTuple):
    """What a stage did: small files that identify its result, and how many images it worked on.

    seconds: the time that the throughput is computed from, if not that of the whole stage.
    """

    files: Sequence[Path]
    images: int
    seconds: float | None = None


def record_cost(work: Work) -> None:
    """Record what this process cost. Does nothing outside `dvc repro`, so tests leave no records.

    If that fails, it only warns, because the stage has succeeded.
    """
    if "DVC_STAGE" not in os.environ:
        return
    stage = os.environ["DVC_STAGE"].rpartition(":")[2]  # which may begin with the path of dvc.yaml
    # Since the process began: what a stage imports may take longer than what it does.
    seconds = time.time() - psutil.Process().create_time()
    # Queued experiments run side by side: one must not write over another's.
    experiment = os.environ.get("DVC_EXP_NAME", "").replace("/", "-")
    speed = work.images / (work.seconds or seconds)
    cost = {"seconds": seconds, "images_per_second": speed, "peak_memory_mebibytes": peak_memory()}
    try:
        sha256 = {path.as_posix(): file_digest(path) for path in work.files}
        path = store_folder() / FOLDER / f"{experiment or 'workspace'}.{stage}.json"
        write_json({"stage": stage, "cost": cost, "sha256": sha256}, path)
    except ArtifactError as error:
        print(f"warning: the cost of this stage was not recorded. {error}", file=sys.stderr)  # noqa: T201


def read_costs() -> Costs:
    """Return what stages cost, if their files are still what they wrote."""
    costs: dict[str, Mapping[str, float]] = {}
    # If an experiment wrote the same as the workspace did, the later record counts.
    for path in sorted((store_folder() / FOLDER).glob("*.json"), key=lambda path: path.stat().st_mtime):
        with suppress(ArtifactError):  # skip a record that cannot be read: costs are optional
            record = read_json(path)
            if all(file_digest(Path(name)) == sha256 for name, sha256 in record["sha256"].items()):
                costs[record["stage"]] = record["cost"]
    return costs


def peak_memory() -> float:
    """Return the most memory that this process held at a time, in MiB.

    On Linux, ru_maxrss survives `exec`, so DVC's memory would count as the stage's.
    """
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
