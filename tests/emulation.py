"""The known answers on emulated CPUs: python -m tests.emulation, which needs Debian's package qemu-user.

QEMU emulates AVX2 and FMA but not AVX-512. The CPUs differ in vendor, age, and size of caches.
"""

import json
import platform
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from tests.known_answer import TESTS, known

CPUS = ("Haswell", "Skylake-Client-v3", "EPYC-Rome")
AT_ONCE = 2


def differences(cpu: str) -> list[str]:
    """Return the names of the computations with other bits on an emulated CPU."""
    command = ["qemu-x86_64", "-cpu", cpu, sys.executable, "-m", "tests.known_answer"]
    done = subprocess.run(command, cwd=TESTS.parent, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"error: qemu-x86_64 -cpu {cpu} ended with exit code {done.returncode}\n{done.stderr[-2000:]}")
    found, expected = json.loads(done.stdout.splitlines()[-1]), known()
    return [name for name in expected if found.get(name) != expected[name]]


def main() -> int:
    """Run the known answers on each CPU; returns 1 if any bit differs."""
    if platform.machine() != "x86_64" or not shutil.which("qemu-x86_64"):
        print("skipped: qemu-x86_64 is not here; on Debian and Ubuntu: apt-get install qemu-user")
        return 0
    started = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = dict(zip(CPUS, pool.map(differences, CPUS), strict=True))
    for cpu, differing in results.items():
        said = f"other bits: {', '.join(differing)}" if differing else f"the same bits in all {len(known())} answers"
        print(f"{cpu:18} {said}")
    print(f"{len(CPUS)} emulated CPUs in {time.monotonic() - started:.0f} s")
    return int(any(results.values()))


if __name__ == "__main__":
    sys.exit(main())
