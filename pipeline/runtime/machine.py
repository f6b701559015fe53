"""What machine this is."""

import platform
from pathlib import Path


def cpu_model() -> str:
    """Return the name of the processor."""
    return cpu_field("model name") or platform.processor() or platform.machine()


def cpu_field(key: str) -> str:
    """Return a field of /proc/cpuinfo for the first core; empty on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.split(":")[0].strip() == key), "")
