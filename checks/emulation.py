"""The known answers on other kinds of CPU: python -m checks.emulation.

On CPUs that QEMU emulates (Debian's package qemu-user): they differ in vendor, age and size of caches, and have AVX2
but no AVX-512. And on this CPU, with other numbers of workers, on one core alone, and with other sizes of L1, L2 and L3
than it has.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from checks.known_answer import known
from pipeline.bytes.numerics import has_avx2
from pipeline.tools.demo import PROJECT

CPUS = ("Haswell", "EPYC-Rome", "EPYC-Milan")
# KiB of L1, L2 and L3, as in Ice Lake, Sapphire Rapids, Zen 4 and Haswell.
CACHES = (("48", "1280", "49152"), ("48", "2048", "107520"), ("32", "1024", "32768"), ("32", "256", "8192"))
WORKERS = (1, 3, 4, 8)  # 2 is the default
AT_ONCE = 2


def compute(name: str, command: Sequence[str]) -> tuple[str, list[str]]:
    """Return the name, and the computations that give other bits with a command; exits where that fails."""
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"error: {name} ended with exit code {done.returncode}\n{done.stderr[-2000:]}")
    found, expected = json.loads(done.stdout.splitlines()[-1]), known()
    return name, [answer for answer in expected if found.get(answer) != expected[answer]]


def commands() -> dict[str, list[str]]:
    """Return what can be run here, by name; says what cannot."""
    here = [sys.executable, "-m", "checks.known_answer"]
    found = {f"{workers} workers": [*here, "--workers", str(workers)] for workers in WORKERS}
    if shutil.which("taskset"):
        found["one core"] = ["taskset", "-c", str(min(os.sched_getaffinity(0))), *here]
    else:
        print("skipped one core: taskset is not here; on Debian and Ubuntu: apt-get install util-linux")
    if shutil.which("qemu-x86_64"):
        emulated = ["qemu-x86_64", "-cpu"]
        found |= {cpu: [*emulated, cpu, *here] for cpu in CPUS}
    else:
        print("skipped emulated CPUs: qemu-x86_64 is not here; on Debian and Ubuntu: apt-get install qemu-user")
    if shutil.which("nm"):
        pretended = [sys.executable, "-m", "checks.pretended_caches"]
        found |= {f"caches of {', '.join(sizes)} KiB": [*pretended, *sizes] for sizes in CACHES}
    else:
        print("skipped other caches: nm is not here; on Debian and Ubuntu: apt-get install binutils")
    return found


def main() -> int:
    """Run the known answers in every way; returns 1 if any bit differs."""
    if not has_avx2():  # false where Linux does not say so
        print("skipped: the same bits are promised on Linux, x86-64 with AVX2")
        return 0
    started, failed = time.monotonic(), 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = [pool.submit(compute, name, command) for name, command in commands().items()]
        for name, differing in (done.result() for done in as_completed(running)):
            failed += bool(differing)
            said = (
                f"other bits: {', '.join(differing)}" if differing else f"the same bits in all {len(known())} answers"
            )
            print(f"{name:28} {said}", flush=True)
    print(f"{time.monotonic() - started:.0f} s, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
