"""What machine this is."""

import platform
from pathlib import Path


def cpu_model() -> str:
    """Return the name of the processor."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def has_avx2() -> bool:
    """Tell whether this is an x86-64 CPU with AVX2, as far as Linux says."""
    return platform.machine() in ("x86_64", "AMD64") and "avx2" in _cpuinfo("flags").split()


def _cpuinfo(key: str) -> str:
    """Return what Linux says of the first core; nothing on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.split(":")[0].strip() == key), "")
