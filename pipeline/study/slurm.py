"""What SLURM says about workers that do not come."""

import shutil
import subprocess
from collections import Counter

PATIENCE_SECONDS = 20


def describe_jobs() -> str:
    """Return the end of a line on this user's jobs: how many are in which state, and why; empty without SLURM."""
    if not shutil.which("squeue"):
        return ""
    command = ["squeue", "--me", "--noheader", "--format=%T|%r|%j"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"; squeue does not answer ({error})"
    if done.returncode:
        return f"; {done.stderr.splitlines()[0]}" if done.stderr else ""
    jobs = Counter(tuple(line.split("|", 2)) for line in done.stdout.splitlines())
    if not jobs:
        return "; squeue lists no job of yours"
    states = (f"{number} x {name} {state} ({reason})" for (state, reason, name), number in jobs.items())
    return f"; squeue: {', '.join(states)}"
