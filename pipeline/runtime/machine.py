"""What machine this is."""

import platform
import re
from contextlib import suppress
from pathlib import Path


def cpu_model() -> str:
    """Return the name of the processor, on Linux that in /proc/cpuinfo."""
    with suppress(OSError):
        if found := re.search(r"^model name\s*: (.+)", Path("/proc/cpuinfo").read_text(), re.MULTILINE):
            return found[1].strip()
    return platform.processor() or platform.machine()
