"""Make TensorFlow believe in other cache sizes than the CPU's: python -m checks.pretended_caches 48 2048 107520 (KiB).

Prints the known answers as computed under that belief. Eigen and oneDNN keep the sizes that they have read from the CPU
in memory; these are found by their names in the library and overwritten. A check for developers of this project, tied
to TensorFlow 2.21 on Linux.
"""

import pipeline  # noqa: F401 - first, since it fixes the numerics before NumPy is imported

# isort: split
import ctypes
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from checks.known_answer import main as print_known_answers

EIGEN = "Eigen::internal::manage_caching_sizes(Eigen::Action, long*, long*, long*)::m_cacheSizes"
ONEDNN, ONEDNN_READ = "dnnl::impl::cpu::x64::cpu()::cpu_", "dnnl::impl::cpu::platform::get_per_core_cache_size(int)"
# Within oneDNN's description of the CPU: sizes by level, cores that share a level, number of levels.
SIZES, SHARING, LEVELS = 0x1C, 0x44, 0x6C


def pretend(sizes: Sequence[int]) -> list[int]:
    """Overwrite the sizes of L1, L2 and L3, in bytes; returns what oneDNN then reads. Call it before computing."""
    library = next(path for path in mapped() if path.name == "libtensorflow_cc.so.2")
    start, symbols = mapped()[library], symbols_of(library)
    (ctypes.c_long * 3).from_address(start + symbols[EIGEN])[:] = list(sizes)
    ctypes.c_byte.from_address(start + symbols[f"guard variable for {EIGEN}"]).value = 1
    read = ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_int)(start + symbols[ONEDNN_READ])
    read(1)  # makes oneDNN describe the CPU
    described = start + symbols[ONEDNN]
    (ctypes.c_uint * 3).from_address(described + SIZES)[:] = list(sizes)
    (ctypes.c_uint * 3).from_address(described + SHARING)[:] = [1, 1, 1]
    ctypes.c_uint.from_address(described + LEVELS).value = 3
    return [int(read(level)) for level in (1, 2, 3)]


def mapped() -> dict[Path, int]:
    """Return where each library of this process begins."""
    lines = (line.split() for line in Path("/proc/self/maps").read_text().splitlines())
    return {Path(line[5]): int(line[0].split("-")[0], 16) for line in lines if len(line) > 5 and int(line[2], 16) == 0}


def symbols_of(library: Path) -> dict[str, int]:
    """Return the places of the symbols that are overwritten or called, by name."""
    listed = subprocess.run(["nm", "-C", str(library)], capture_output=True, text=True, check=True).stdout
    wanted = {EIGEN, f"guard variable for {EIGEN}", ONEDNN, ONEDNN_READ}
    found = (re.match(r"(\w+) \w (.*)", line) for line in listed.splitlines())
    return {match[2]: int(match[1], 16) for match in found if match and match[2] in wanted}


if __name__ == "__main__":
    kibibytes = [int(value) for value in sys.argv[1:]]
    believed = pretend([1024 * value for value in kibibytes])
    assert believed == [1024 * value for value in kibibytes], believed
    print_known_answers([])
