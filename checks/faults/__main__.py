"""Disturb every case at many points and say what came of it: python -m checks.faults [--share N] [--table FILE].

Each verdict is a line of .faults/verdicts-WORKER.jsonl, so a run that is stopped goes on where it was, as long as the
code stays the same. Two workers run side by side. Exit code 1 if something was lost, half-written or badly said.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from pathlib import Path

from checks.faults.calls import Point, available
from checks.faults.cases import CASES, Case
from checks.faults.damage import DAMAGE, damage, damages
from checks.faults.judge import KILL, Reference, Verdict, disturb, take_reference
from checks.faults.table import write_table
from checks.faults.together import TOGETHER, meet, points
from checks.faults.workspaces import make_base
from pipeline.tools.demo import PROJECT

SCRATCH = PROJECT / ".faults"
# In memory where that is possible, which is faster; kills and failing calls are the same there.
WORKSPACES = Path("/dev/shm") / f"faults-{PROJECT.name}" if Path("/dev/shm").is_dir() else SCRATCH  # noqa: S108
ERRORS = ("ENOSPC", "EIO", "EROFS")
WORKERS = 2
# Imported before a point is run, so that a child need not.
PRELOADED = ("download", "normalize", "report", "track", "tools.rollback", "study", "train", "evaluate")
# How many kills of a case at most, and failures of each kind; where a point takes long, fewer.
MOST = {"report": (60, 8), "track": (40, 6), "rollback": (30, 6), "evaluate": (6, 1), "study, one trial": (6, 1)}
MOST |= {"rollback, project moved": (20, 2), "track, models deleted": (30, 2)}
MOST |= {"dvc repro itself": (30, 0)} | dict.fromkeys(("train@dense", "train@cnn"), (5, 1))
ALL = (10**6, 10**6)
# At how many of the requests of `track` its server dies at most.
REQUESTS = 60
# Every so many points, the repetition is a whole `dvc repro`.
BY_DVC = 12


def main(argv: Sequence[str] | None = None) -> int:
    """Run the points of one worker, or start all workers and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0, help="of the points, for a quick look")
    parser.add_argument("--cases", nargs="*", default=[*(case.name for case in CASES), DAMAGE, TOGETHER])
    parser.add_argument("--minutes", type=float, default=240.0, help="to stop after; a later run goes on")
    parser.add_argument("--table", type=Path, help="the page to write the table into")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if not available():
        sys.exit("error: strace is missing, or may not trace; on Debian and Ubuntu: apt install strace")
    SCRATCH.mkdir(exist_ok=True)
    if options.worker is not None:
        work(options.worker, options.share, options.cases, end=time.monotonic() + 60 * options.minutes)
        return 0
    arguments = ["--share", str(options.share), "--minutes", str(options.minutes), "--cases", *options.cases]
    command = [sys.executable, "-m", "checks.faults", *arguments, "--worker"]
    workers = [subprocess.Popen([*command, str(number)], cwd=PROJECT) for number in range(WORKERS)]
    failed = [worker.wait() for worker in workers]
    verdicts = read_verdicts()
    text = write_table(verdicts, options.table)
    sys.stdout.write(text)
    return int(any(failed) or any(verdict.wrong for verdict in verdicts))


def work(worker: int, share: float, names: Sequence[str], *, end: float) -> None:
    """Run this worker's part of the points that no verdict is known of yet."""
    folder = WORKSPACES / f"worker-{worker}"
    if not (folder / code_digest()).exists():
        folder.mkdir(parents=True, exist_ok=True)
        make_base(folder)
        for left in (*folder.glob("*.json"), *folder.glob("*.db")):
            left.unlink()
        (folder / code_digest()).touch()
    for name in PRELOADED:
        __import__(f"pipeline.{name}")
    known = {verdict.key for verdict in read_verdicts()}
    with (SCRATCH / f"verdicts-{worker}.jsonl").open("a") as file:
        for verdict in judge_all(worker, share, names, known, folder):
            file.write(json.dumps({"digest": code_digest(), **verdict._asdict()}) + "\n")
            file.flush()
            if time.monotonic() > end:
                return


def judge_all(
    worker: int, share: float, names: Sequence[str], known: Collection[tuple[str, str, str, int]], folder: Path
) -> Iterator[Verdict]:
    """Judge this worker's part of the points, one after the other, but for those that are known."""
    for number, (stage, path, place) in enumerate(damages(folder / "base") if DAMAGE in names else ()):
        if number % WORKERS == worker and (DAMAGE, f"{place}, {stage}", path, 0) not in known:
            yield damage(folder, stage, path, place)
    for case in CASES:
        if case.name in names:
            reference = take_reference(case, folder)
            for number, (point, fault) in enumerate(choose(case, reference, share)):
                if number % WORKERS == worker and (case.name, fault, point.call, point.number) not in known:
                    by_dvc = fault == KILL and number // WORKERS % BY_DVC == 0
                    yield disturb(case, point, fault, reference, folder, by_dvc=by_dvc)
    for number, key in enumerate(points(folder, round(share * REQUESTS)) if TOGETHER in names else ()):
        if number % WORKERS == worker and key not in known:
            yield meet(folder, key)


def choose(case: Case, reference: Reference, share: float) -> Iterator[tuple[Point, str]]:
    """Choose points evenly: for kills among all, for errors among those calls that can fail so."""
    kills, failures = (round(share * min(most, len(reference.points))) for most in MOST.get(case.name, ALL))
    yield from ((point, KILL) for point in evenly(reference.points, kills))
    for error in ERRORS:
        # A disk that is read-only lets nothing be opened, so nothing is written or synchronized either.
        able = [
            point
            for point in reference.points
            if error != "EROFS" or point.call not in ("write", "writev", "pwrite64", "sendfile", "fsync", "fdatasync")
        ]
        yield from ((point, error) for point in evenly(able, failures))


def evenly(points: Sequence[Point], most: int) -> list[Point]:
    """Take at most so many points, evenly from first to last."""
    if most < 2:
        return list(points)[:most]
    if len(points) <= most:
        return list(points)
    return [points[round(index * (len(points) - 1) / (most - 1))] for index in range(most)]


def read_verdicts() -> list[Verdict]:
    """Read all verdicts so far that are about the present code."""
    lines = [line for path in sorted(SCRATCH.glob("verdicts-*.jsonl")) for line in path.read_text().splitlines()]
    documents = [json.loads(line) for line in lines]
    present = [document for document in documents if document["digest"] == code_digest()]
    return [Verdict(**{key: document[key] for key in Verdict._fields}) for document in present]


@cache
def code_digest() -> str:
    """Return a sha256 of the code that is disturbed."""
    files = [path for name in ("pipeline", "src/fashion_mnist") for path in sorted((PROJECT / name).rglob("*.py"))]
    files += [PROJECT / "dvc.yaml", PROJECT / ".dvcignore"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
