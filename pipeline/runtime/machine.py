"""What machine this is, and how much of it may be used."""

import os
import platform
import re
from contextlib import suppress
from pathlib import Path

from fashion_mnist.errors import ParamsError

LIMIT = "FASHION_MNIST_WORKERS"


def cpu_model() -> str:
    """Return the name of the processor, on Linux that in /proc/cpuinfo."""
    with suppress(OSError):
        if found := re.search(r"^model name\s*: (.+)", Path("/proc/cpuinfo").read_text(), re.MULTILINE):
            return found[1].strip()
    return platform.processor() or platform.machine()


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def available_workers() -> int:
    """Return how many computations may run at once: the cores of this process, fewer if FASHION_MNIST_WORKERS says so.

    Raises ParamsError if that variable is no whole number from 1.
    """
    limit = os.environ.get(LIMIT) or str(cores())
    if not limit.isdecimal() or int(limit) < 1:
        raise ParamsError(f"{LIMIT} is {limit!r}; expected a whole number from 1, of computations that run at once")
    return min(cores(), int(limit))
