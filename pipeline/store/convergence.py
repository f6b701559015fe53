"""Bring a parent run and its children in line with files, also while other processes do the same.

Every run carries a fingerprint of what made it. A writer looks, makes what is missing, and looks again until nothing
is. Of finished runs with one fingerprint, all writers keep the same one. So they need no lock:
docs/decisions/0017-two-writers-converge.md.
"""

import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from mlflow.entities import Run
from mlflow.exceptions import MlflowException, RestException

from pipeline.runtime.command import progress_bar
from pipeline.store.connection import ABSENT, OvertakenError, Store, TrackingError
from pipeline.store.logged_model import Network, find_fault, log_model
from pipeline.store.runs import (
    FINGERPRINT,
    PARENT,
    STATE,
    Content,
    delete_run,
    fill_run,
    find_logged,
    find_runs,
    has_ended,
    models_of,
    restore_files,
    start_run,
)

PASSES = 12  # an undisturbed writer needs two
SAME = 3  # failures in a row
# A run that a process elsewhere has not finished by then is a killed one's.
PATIENCE_SECONDS = 24 * 60 * 60

# Registers the children of a family, given by name; returns what it did, empty if there was nothing to do.
Register = Callable[[Mapping[str, Run]], str]


class PlannedRun(NamedTuple):
    """A run as it should be; network: to be logged in it as a model."""

    fingerprint: str
    name: str
    tags: Mapping[str, str]
    content: Content
    network: Network | None = None


class Family(NamedTuple):
    """A parent run and the runs nested in it, in the order in which they are made; label: what messages call it."""

    label: str
    parent: PlannedRun
    children: Sequence[PlannedRun]


class Pass(NamedTuple):
    """What one pass did: whether it changed runs, what registering said, and how many runs lacked files."""

    changed: bool
    said: str = ""
    restored: int = 0


def converge(store: Store, family: Family, register: Register = lambda _: "") -> str:
    """Make the runs of a family complete; returns a sentence that says what was done."""
    passes, failures = [Pass(changed=False)], list[str]()
    for left in reversed(range(PASSES)):
        try:
            passes.append(advance(store, family, register))
        except MlflowException as error:
            failures.append(re.sub(r"[0-9a-f]{32}|\d+", "", str(error)))
            # What fails in the same way each time is no other writer's doing, and each pass uploads the models again.
            if not left or not is_overtaken(store, error) or failures[-SAME:] == failures[-1:] * SAME:
                raise
        else:
            if not passes[-1].changed and passes[-1].said in ("", passes[-2].said):
                return describe_passes(family, passes)
    raise TrackingError(
        f"{family.label}: other processes keep changing these runs; expected them to come to an end. Run again then"
    )


def is_overtaken(store: Store, error: MlflowException) -> bool:
    """Return whether a request may have failed because another process deleted or made the same just before."""
    return store.is_shared and (isinstance(error, RestException | OvertakenError) or error.error_code in ABSENT)


def describe_passes(family: Family, passes: Sequence[Pass]) -> str:
    """Say in a sentence what was done."""
    runs = f"{1 + len(family.children)} runs"
    is_new = any(done.changed or done.said for done in passes)
    clauses = [f"{runs} in the store" if is_new else f"the store already holds its {runs}"]
    clauses += [done.said for done in passes if done.said][-1:]
    if restored := passes[-1].restored:
        clauses.append(f"files of {restored} were missing, and are there again")
    return f"{family.label}: {'; '.join(clauses)}"


def advance(store: Store, family: Family, register: Register) -> Pass:
    """Look at the runs of a family and make what is missing.

    The parent is begun first, so its children show nested, and finished last: an unfinished one means that something
    else is missing.
    """
    kept = look(store, family)
    parent = kept.get(family.parent.fingerprint)
    parent_id = parent.info.run_id if parent else begin_run(store, family.parent)
    missing = [child for child in family.children if child.fingerprint not in kept]
    if missing:
        with progress_bar(total=len(missing), label=family.label, unit="run") as bar:
            for planned in missing:
                make_child(store, planned, parent_id)
                bar.update()
        kept = look(store, family, writing=parent_id)  # another process may have made some of them, too
        if lost := [child.name for child in family.children if child.fingerprint not in kept]:
            raise OvertakenError(f"{family.label}: {lost[0]} was deleted as soon as it was made")
    children = {child.name: kept[child.fingerprint] for child in family.children}
    # Not into a parent that is not finished: if this process ends now, they would hang below a dead run.
    strays = [child for child in children.values() if parent and child.data.tags.get(PARENT) != parent_id]
    for child in strays:
        store.client.set_tag(child.info.run_id, PARENT, parent_id)
    if parent is None:
        fill_run(store, parent_id, family.parent.content)
    said = register(children)
    if parent is None:
        store.client.set_terminated(parent_id, "FINISHED")
    changed = parent is None or bool(missing or strays)
    if changed or said:
        return Pass(changed, said)
    contents = {kept[planned.fingerprint].info.run_id: planned.content for planned in (family.parent, *family.children)}
    return Pass(changed, said, sum(restore_files(store, run_id, content) for run_id, content in contents.items()))


def look(store: Store, family: Family, *, writing: str = "") -> dict[str, Run]:
    """Return the run that is kept of each planned one, by fingerprint; delete all others but those still written.

    writing: the id of the parent that this process has begun.
    """
    mark = family.parent.fingerprint
    found: dict[str, list[Run]] = defaultdict(list)
    for run in find_runs(store, **{FINGERPRINT: mark}) + find_runs(store, **{STATE: mark}):
        found[run.data.tags.get(FINGERPRINT, "")].append(run)
    kept = {}
    for planned in (family.parent, *family.children):
        runs = found[planned.fingerprint]
        finished = [run for run in runs if run.info.status == "FINISHED"]
        finished.sort(key=lambda run: (run.info.end_time, run.info.run_id))
        survivor = next((run for run in finished if planned.network is None or has_model(store, run)), None)
        if survivor:
            kept[planned.fingerprint] = survivor
        for run in runs:
            is_over = run in finished or is_abandoned(store, run)
            if is_over and run is not survivor and run.info.run_id != writing:
                delete_run(store, run)
    return kept


def has_model(store: Store, run: Run) -> bool:
    """Return whether a run holds one logged model, and that is whole."""
    logged = [model.model_id for model in find_logged(store, run.info.run_id)]
    return len(logged) == 1 and logged == models_of(run) and not find_fault(store, f"models:/{logged[0]}")


def is_abandoned(store: Store, run: Run) -> bool:
    """Return whether nobody will finish a run: a store on this machine has one writer at a time, which looks here."""
    age = time.time() - run.info.start_time / 1000
    return not store.is_shared or has_ended(run) or age > PATIENCE_SECONDS


def begin_run(store: Store, planned: PlannedRun, **tags: str) -> str:
    """Make a run without content; returns its id."""
    return start_run(store, name=planned.name, tags={FINGERPRINT: planned.fingerprint, **planned.tags, **tags})


def make_child(store: Store, planned: PlannedRun, parent_id: str) -> None:
    """Make a nested run with all that it holds."""
    run_id = begin_run(store, planned, **{PARENT: parent_id})
    network, tags = planned.network, {FINGERPRINT: planned.fingerprint}
    model_id = log_model(store, run_id, network, name=planned.name, tags=tags) if network else None
    fill_run(store, run_id, planned.content, model_id=model_id)
    store.client.set_terminated(run_id, "FINISHED")
