"""Runs of one state that several processes wrote: which is kept, and which is still somebody's. In a real store."""

import os
import platform
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST

from fashion_mnist.errors import PipelineError
from pipeline.store.connection import DATABASE, OvertakenError, Store, open_store
from pipeline.store.convergence import PASSES, PATIENCE_SECONDS, Family, PlannedRun, converge
from pipeline.store.runs import FINGERPRINT, HOST, PARENT, PROCESS, STATE, Content
from tests.end_to_end.conftest import empty_database, runs_of

pytestmark = pytest.mark.slow

EMPTY = Content({}, [])
CHILDREN = [PlannedRun(name, name, {STATE: "p"}, EMPTY) for name in ("a", "b")]
FAMILY = Family("a state", PlannedRun("p", "parent", {}, EMPTY), CHILDREN)
NAMES = ["a", "b", "parent"]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store that processes elsewhere may write to."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    (tmp_path / "tracking").mkdir()
    (tmp_path / "tracking" / DATABASE).write_bytes(empty_database())
    with open_store("fashion-mnist") as opened:
        yield replace(opened, is_shared=True)


def add(
    store: Store,
    name: str,
    tags: Mapping[str, str] = MappingProxyType({}),
    *,
    ended: int | None = None,
    began: int | None = None,
) -> str:
    """Add a run as another process does; ended: when it finished it, None if it has not."""
    marks = {FINGERPRINT: {"parent": "p"}.get(name, name), **({} if name == "parent" else {STATE: "p"}), **tags}
    run_id = store.client.create_run(store.experiment_id, began, marks, name).info.run_id
    if ended is not None:
        store.client.set_terminated(run_id, "FINISHED", ended)
    return str(run_id)


def ids(store: Store) -> list[str]:
    return [run.info.run_id for run in runs_of(store.client)]


def names(store: Store) -> list[str]:
    return [run.info.run_name for run in runs_of(store.client)]


def writer(host: str, process: int) -> dict[str, str]:
    return {HOST: host, PROCESS: str(process)}


def test_of_runs_with_one_fingerprint_the_one_that_ended_first_is_kept_with_its_children(store: Store) -> None:
    late, early = add(store, "parent", ended=20), add(store, "parent", ended=10)
    child, _ = add(store, "a", {PARENT: late}, ended=5), add(store, "a", {PARENT: early}, ended=6)
    assert converge(store, FAMILY) == "a state: 3 runs in the store"
    assert names(store) == NAMES
    assert {child, early} < set(ids(store))
    assert {run.data.tags.get(PARENT) for run in runs_of(store.client)} == {early, None}
    before = ids(store)
    assert converge(store, FAMILY) == "a state: the store already holds its 3 runs"
    assert ids(store) == before


def test_of_runs_that_ended_at_the_same_time_all_processes_keep_the_same_one(store: Store) -> None:
    kept = min(add(store, "a", ended=5) for _ in range(4))
    converge(store, FAMILY)
    assert kept in ids(store)
    assert names(store) == NAMES


def test_run_that_another_process_finishes_meanwhile_is_seen_by_the_last_look(store: Store) -> None:
    others: list[str] = []

    def register(_: Mapping[str, Run]) -> str:
        if others:
            return ""
        others.append(add(store, "parent", ended=10))
        return "registered"

    assert converge(store, FAMILY, register) == "a state: 3 runs in the store; registered"
    assert names(store) == NAMES
    assert others[0] in ids(store)


def test_run_that_a_process_elsewhere_may_still_write_is_left_for_a_day(store: Store) -> None:
    now = int(1000 * time.time())
    at_work = add(store, "a", writer("another-machine", 1), began=now)
    here = add(store, "b", writer(platform.node(), os.getppid()), began=now)
    add(store, "b", writer("another-machine", 1), began=now - 1000 * PATIENCE_SECONDS - 1)
    converge(store, FAMILY)
    assert names(store) == ["a", "a", "b", "b", "parent"]
    assert {at_work, here} < set(ids(store))


def test_run_of_a_killed_process_of_this_machine_is_deleted(store: Store) -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    add(store, "a", writer(platform.node(), process.pid))
    add(store, "parent", writer(platform.node(), os.getpid()))  # an earlier attempt of this one
    converge(store, FAMILY)
    assert names(store) == NAMES


def test_unfinished_run_in_the_store_of_this_machine_is_nobodys(store: Store) -> None:
    add(store, "a", writer("the name of a container that is gone", 1))
    converge(replace(store, is_shared=False), FAMILY)
    assert names(store) == NAMES


@pytest.mark.parametrize("error", [MlflowException("gone", RESOURCE_DOES_NOT_EXIST), OvertakenError("moved")])
def test_request_that_another_process_has_overtaken_is_followed_by_another_look(
    store: Store, error: MlflowException
) -> None:
    failures: Any = iter([error, error])

    def register(_: Mapping[str, Run]) -> str:
        for failure in failures:
            raise failure
        return ""

    assert converge(store, FAMILY, register) == "a state: 3 runs in the store"
    assert names(store) == NAMES


def test_what_fails_at_each_look_is_told(store: Store) -> None:
    asked = []

    def register(_: Mapping[str, Run]) -> str:
        asked.append(1)
        raise MlflowException("no such thing", RESOURCE_DOES_NOT_EXIST)

    with pytest.raises(MlflowException, match="no such thing"):
        converge(store, FAMILY, register)
    assert 2 < len(asked) <= PASSES


def test_processes_that_never_come_to_an_end_are_told_in_a_line(store: Store) -> None:
    sayings = iter(range(100))
    with pytest.raises(PipelineError, match="a state: other processes keep changing these runs; expected"):
        converge(store, FAMILY, lambda _: str(next(sayings)))


def test_registering_that_cannot_be_completed_is_said_once(store: Store) -> None:
    said = "a state: 3 runs in the store; no champion can be served"
    assert converge(store, FAMILY, lambda _: "no champion can be served") == said
