"""Disturb a case at one point and judge what is left, and what a repetition makes of it."""

import json
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from checks.faults.calls import Ended, Point, fail_at, kill_at, list_options, read_points
from checks.faults.cases import Case, preload, read_runs
from checks.faults.workspaces import plant, restore, snapshot
from pipeline.tools.demo import run_dvc

KILL = "kill"


class Reference(NamedTuple):
    """What an undisturbed run of a case left: its points, the digest of each file, and the runs in MLflow."""

    points: list[Point]
    files: dict[str, str]
    runs: Any


class Verdict(NamedTuple):
    """What came of one point; wrong: what should not be, none if all is well."""

    case: str
    fault: str
    call: str
    number: int
    path: str
    missed: bool
    code: int
    said: str
    recovery: str
    wrong: list[str]

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What is the same for the same point in another run."""
        return self.case, self.fault, self.call, self.number


def is_trial(name: str) -> bool:
    """Tell whether a file is the result of a trial, which holds its time."""
    return name.startswith("study/trials/") and not name.endswith(".tmp")


def start(case: Case, folder: Path) -> Path:
    """Put the workspace of a case in place, with other content where its outputs will be."""
    clone = folder / "clone"
    restore(folder / case.base, clone)
    case.prepare(clone)
    plant(clone, case.outputs(clone))
    return clone


def take_reference(case: Case, folder: Path) -> Reference:
    """Run a case undisturbed."""
    clone = start(case, folder)
    if case.forked:
        preload(case, clone)
        clone = start(case, folder)
    ended = case.run(clone, log=folder / "calls", options=list_options())
    assert ended.code == 0, f"{case.name}: {ended.said}"
    files = snapshot(clone, without=is_trial)
    assert files == snapshot(folder / case.base, without=is_trial), f"{case.name}: leaves other bytes than before"
    return Reference(read_points(folder / "calls"), files, read_runs(clone) if case.store else None)


def disturb(case: Case, point: Point, fault: str, reference: Reference, folder: Path, *, by_dvc: bool) -> Verdict:
    """Disturb a case at a point, repeat it, and judge both.

    fault: KILL, or the error that the call fails with. by_dvc: repeat by `dvc repro`, else by the command itself.
    """
    clone = start(case, folder)
    before = snapshot(clone, without=is_trial)
    champion = champion_of(clone)
    options = kill_at(point) if fault == KILL else fail_at(point, fault)
    ended = case.run(clone, log=folder / "calls", options=options)
    missed = ended.code == 0 and not ended.hit
    # DVC removes a stage's outputs before it runs.
    wrong = (
        []
        if missed or case.module == "dvc"
        else judge_files(before, reference.files, snapshot(clone, without=is_trial), fault)
    )
    if fault != KILL and not missed and case.module != "dvc":
        wrong += judge_message(ended, clone, reference)
    recovery = "dvc" if (by_dvc and case.stage) or case.module == "dvc" else "command"
    if not rolled_back(case, ended, clone, champion):
        problems = repeat(case, clone, by_dvc=recovery == "dvc")
        if problems and case.module == "dvc":
            recovery = f"{apply_remedy(clone, folder / case.base, problems[0])}: {problems[0][-200:]}"
            problems = repeat(case, clone, by_dvc=True)
        wrong += problems
    wrong += compare(reference, clone, case)
    return Verdict(case.name, fault, *point, missed, ended.code, ended.said[-600:], recovery, wrong)


def apply_remedy(clone: Path, base: Path, problem: str) -> str:
    """Do what docs/reliability.md says about the file of DVC's that is cut off; returns what was done."""
    if "RWLock" in problem:
        (clone / ".dvc/tmp/rwlock").unlink()
        return "rwlock deleted"
    shutil.copy(base / "dvc.lock", clone / "dvc.lock")  # as `git checkout HEAD -- dvc.lock` does in a clone
    return "dvc.lock restored"


def champion_of(clone: Path) -> str:
    """Return the version that is champion; empty if none is."""
    if not (clone / "tracking/mlflow.db").is_file():
        return ""
    with closing(sqlite3.connect(clone / "tracking/mlflow.db")) as store:
        found = store.execute("select version from registered_model_aliases where alias = 'champion'").fetchone()
    return str(found[0]) if found else ""


def rolled_back(case: Case, ended: Ended, clone: Path, champion: str) -> bool:
    """Tell whether a rollback did its work in spite of the fault: a repetition would go back by one more version."""
    return case.module == "tools.rollback" and (ended.code == 0 or champion_of(clone) != champion)


def judge_files(before: dict[str, str], after: dict[str, str], found: dict[str, str], fault: str) -> list[str]:
    """Name each file that is neither what it was nor what it should become."""
    wrong = [f"lost: {name}" for name in before if name not in found]
    for name, digest in found.items():
        if is_temporary(name):
            if fault != KILL:
                wrong.append(f"left: {name}")
        elif digest not in (before.get(name), after.get(name)):
            wrong.append(f"half-written: {name}")
    return wrong


def is_temporary(name: str) -> bool:
    """Tell whether a file is one that an atomic write has not yet moved to its place."""
    return re.fullmatch(r"\..+\.tmp", Path(name).name) is not None


def judge_message(ended: Ended, clone: Path, reference: Reference) -> list[str]:
    """Judge how a command ends when a call fails: exit code 1 and one line, or success in spite of it."""
    if ended.code == 0:
        left = snapshot(clone, without=is_trial)
        return [] if left == reference.files else ["success with wrong files"]
    lines = ended.said.splitlines()
    wrong = [] if ended.code == 1 else [f"exit code {ended.code}"]
    if "Traceback" in ended.said:
        return [*wrong, f"traceback: {lines[-1][:150]}"]
    if len(lines) != 1 or not lines[0].startswith("error: "):
        wrong.append(f"{len(lines)} lines: {ended.said[:200]!r}")
    elif "/" not in lines[0]:
        wrong.append(f"names no file: {lines[0][:150]}")
    return wrong


def repeat(case: Case, clone: Path, *, by_dvc: bool) -> list[str]:
    """Run a case again, without a fault."""
    if by_dvc:
        done = run_dvc("repro", workspace=clone, capture_output=True)
        return [] if done.returncode == 0 else [f"dvc repro fails: {done.stderr[-300:]}"]
    ended = case.run(clone)
    return [] if ended.code == 0 else [f"the repetition fails: {ended.said[-300:]}"]


def compare(reference: Reference, clone: Path, case: Case) -> list[str]:
    """Compare what is there after a repetition with what an undisturbed run left."""
    found = snapshot(clone, without=is_trial)
    wrong = [
        f"differs: {name}"
        for name in sorted({*found, *reference.files})
        if found.get(name) != reference.files.get(name)
    ]
    if case.store:
        runs = read_runs(clone)
        if json.dumps(runs, sort_keys=True) != json.dumps(reference.runs, sort_keys=True):
            wrong.append(f"runs differ: {difference(runs, reference.runs)}")
    return wrong


def difference(found: Any, expected: Any, place: str = "") -> str:
    """Say where two documents differ first."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for key in sorted({*found, *expected}):
            if found.get(key) != expected.get(key):
                return difference(found.get(key), expected.get(key), f"{place}/{key}")
    return f"{place}: {str(found)[:120]} for {str(expected)[:120]}"
