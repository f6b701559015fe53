"""Flip a byte of what a stage reads, in the workspace or in DVC's cache too, and follow the message that comes."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from checks.faults.calls import run_forked
from checks.faults.cases import dvc_environment, run_stage
from checks.faults.judge import Verdict
from checks.faults.workspaces import restore, snapshot
from pipeline.runtime.lock import CACHE

# What each stage reads, besides code and parameters.
READ = {
    "normalize": ["data/raw/train-images-idx3-ubyte.gz", "data/raw/t10k-labels-idx1-ubyte.gz"],
    "train dense": [
        "data/normalized/train/images.npy",
        "data/normalized/train/labels.npy",
        "data/normalized/validation/images.npy",
        "data/normalized/validation/labels.npy",
    ],
    "evaluate": [
        "data/normalized/test/images.npy",
        "data/normalized/test/labels.npy",
        "models/dense/model.keras",
        "models/cnn/model.keras",
    ],
    "report": [
        "reports/data.json",
        "reports/arrays.npz",
        "reports/history/dense.csv",
        *(f"reports/{folder}/dense.csv" for folder in ("predictions", "position", "rotation", "noise")),
        "reports/metrics/cnn.json",
    ],
    "track": [
        "models/cnn/model.keras",
        "reports/history/cnn.csv",
        "reports/comparison.json",
        "reports/figures/confusion_dense.svg",
        "reports/report.html",
        "reports/report.md",
        "reports/metrics/dense.json",
        "reports/predictions/cnn.csv",
    ],
}
DAMAGE = "damage"
# The last: DVC's cache is shared, so it lies elsewhere, and files in the workspace are links to it.
LINKED = "shared cache that the workspace links to"
PLACES = ("workspace", "workspace and cache", LINKED)


def damages(clone: Path) -> Iterator[tuple[str, str, str]]:
    """List what can be damaged: stage, path and place."""
    for stage, paths in READ.items():
        for path in paths:
            for place in PLACES:
                kept_by_git = path.startswith("reports/") and not path.endswith(".npz")  # so DVC makes no link
                if place == "workspace" or (
                    copies(clone / CACHE, clone / path) and not (kept_by_git and place == LINKED)
                ):
                    yield stage, path, place


def copies(cache: Path, path: Path) -> list[Path]:
    """List the copies of a file in DVC's cache."""
    content = path.read_bytes()
    size = len(content)
    return [
        copy
        for copy in cache.rglob("*")
        if copy.is_file() and copy.stat().st_size == size and copy.read_bytes() == content
    ]


def share_cache(clone: Path, path: str) -> list[Path]:
    """Move DVC's cache out of the workspace, and put a link to it in a file's place; returns what it may lead to."""
    cache = clone.with_name("shared cache")
    shutil.rmtree(cache, ignore_errors=True)
    (clone / CACHE).rename(cache)
    with (clone / ".dvc/config").open("a") as file:
        file.write(f"[cache]\n    dir = {cache}\n    type = symlink\n")
    found = copies(cache, clone / path)
    (clone / path).unlink()
    (clone / path).symlink_to(found[0])
    return found


def flip(path: Path) -> None:
    """Flip a bit in the middle of a file, as a bad disk does: time, size and permissions stay."""
    found = path.stat()
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    path.chmod(found.st_mode)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def damage(folder: Path, stage: str, path: str, place: str) -> Verdict:
    """Damage a file, run the stage that reads it, and then the command that its message gives."""
    clone = folder / "clone"
    restore(folder / "base", clone)
    whole = snapshot(clone)
    damaged_files = {
        "workspace": lambda: [clone / path],
        "workspace and cache": lambda: [clone / path, *copies(clone / CACHE, clone / path)],
        LINKED: lambda: share_cache(clone, path),
    }
    for file in damaged_files[place]():
        flip(file)
    damaged = snapshot(clone)
    module, *argv = stage.split()
    ended = run_forked(lambda: run_stage(module, argv), clone)

    def judged(wrong: list[str]) -> Verdict:
        return Verdict(DAMAGE, f"{place}, {stage}", path, 0, path, False, ended.code, ended.said, "message", wrong)

    wrong = [] if ended.code == 1 else [f"exit code {ended.code}"]
    if snapshot(clone) != damaged:
        wrong.append("wrote files all the same")
    if not ended.said.startswith("error: ") or len(ended.said.splitlines()) != 1:
        wrong.append(f"says {ended.said[-200:]!r}")
    if not any(name in ended.said for name in (path, str(Path(path).parent))):
        wrong.append("does not name the file")
    commands = re.findall(r"`([^`]*dvc [^`]*)`", ended.said)
    if not commands:
        return judged([*wrong, "gives no command"])
    # With the workspace's own site cache, in which DVC remembers the damaged file as the whole one.
    shell, environment = ["bash", "-ec", commands[-1]], dvc_environment(clone)
    done = subprocess.run(shell, cwd=clone, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        wrong.append(f"the command fails: {done.stderr[-200:]}")
    if snapshot(clone) != whole:
        wrong.append("the command does not bring the file back")
    return judged(wrong)
