"""What a worker does: check that it computes what the driver does, then run a trial as a process.

A worker is a thread of the driver, or a process of `dask worker`, started in a checkout of this project.
"""

import time
from collections.abc import Mapping
from typing import Any

from distributed import get_worker

from fashion_mnist.errors import PipelineError
from pipeline.study.key import take_basis
from pipeline.study.process import run_process


def find_difference(expected: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Say what differs here from the driver's basis, given as a mapping; None if nothing does."""
    try:
        found = take_basis(expected["short"])
    except PipelineError as error:
        return str(error)
    for part, sha256 in expected["data"].items():
        if found.data.get(part) != sha256:
            return f"{part} differ from the driver's; expected the same data"
    for model, sha256 in expected["code"].items():
        if found.code.get(model) != sha256:
            return f"a short training of {model} gives other figures than on the driver; expected the same code"
    return None


def work(trial: Mapping[str, Any], expected: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Run a trial, given as JSON values; raises RuntimeError if it fails.

    Returns `result` and `seconds`; or `refused`, what differs here, and `worker`, the address.
    """
    started = time.perf_counter()
    difference = find_difference(expected)
    result = None if difference else run_process(trial)
    # Again, since a file may have been edited while the trial ran.
    if difference := difference or find_difference(expected):
        return {"refused": difference, "worker": get_worker().address}
    return {"result": result, "seconds": time.perf_counter() - started}
