"""How trials are spread over workers, with tasks that fail on purpose; the real ones: end_to_end/test_study.py."""

import os
import socket
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from distributed import Client, get_worker
from distributed.client import FuturesCancelledError
from distributed.comm import inproc
from distributed.comm.core import CommClosedError
from distributed.utils import _get_ip

from fashion_mnist.errors import ClusterError
from fashion_mnist.networks.dense import Params
from fashion_mnist.study.plan import Trial
from pipeline.runtime.machine import LIMIT
from pipeline.study import cluster, key, worker
from pipeline.study.cluster import Failure, Finished, run_trials
from pipeline.study.connection import open_cluster
from pipeline.study.key import Basis
from pipeline.study.trials import Forecast, StoredResult
from tests.unit.small_networks import SMALL

BASIS = Basis({}, {"dense": "1"}, {"train images": "2"})
Answer = dict[str, Any]


def trials(count: int, **changed: Any) -> dict[str, Trial]:
    """Make trials by their seed as the key."""
    return {
        str(seed): Trial("replicate", "dense", Params(network="dense", units=2, **SMALL | {"seed": seed} | changed))
        for seed in range(1, count + 1)
    }


@pytest.fixture(autouse=True)
def work_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "work", worker.work)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """An embedded cluster whose workers have what the driver has."""
    monkeypatch.setattr(worker, "find_difference", lambda _: None)
    with open_cluster(say=print) as opened:
        yield opened


def run(client: Client, task: Callable[..., Answer], count: int) -> tuple[list[Finished], list[Failure], list[str]]:
    """Run trials with workers that do a task; returns the outcomes, the failures and what was said."""
    outcomes: list[Finished] = []
    said: list[str] = []
    worker.work = task  # until the cluster is closed, since it may still hold trials
    failures = run_trials(client, trials(count), BASIS, on_finished=outcomes.append, say=said.append)
    return outcomes, failures, said


def succeed(trial: Answer, expected: Answer) -> Answer:
    return {"result": {"seed": trial["params"]["seed"], "code": expected["code"]["dense"]}, "seconds": 1.0}


def test_every_trial_is_sent_once_with_what_the_study_rests_on(client: Client) -> None:
    outcomes, failures, said = run(client, succeed, 9)
    assert sorted((outcome.result["seed"], outcome.result["code"]) for outcome in outcomes) == [
        (seed, "1") for seed in range(1, 10)
    ]
    assert (failures, said) == ([], [])


def test_as_many_run_at_a_time_as_the_cores_or_a_user_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    cores = len(os.sched_getaffinity(0))
    monkeypatch.delenv(LIMIT, raising=False)
    with open_cluster(say=print) as opened:
        assert sum(opened.nthreads().values()) == cores
    monkeypatch.setenv(LIMIT, "1")
    with open_cluster(say=print) as opened:
        assert sum(opened.nthreads().values()) == 1


def test_embedded_cluster_answers_on_this_machine_alone() -> None:
    with open_cluster(say=print):
        listening = [found for found in psutil.Process().net_connections() if found.status == psutil.CONN_LISTEN]
    assert {found.laddr.ip for found in listening} == {"127.0.0.1"}


def test_embedded_cluster_opens_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    out_of_reach = partial(_get_ip, "255.255.255.255", 80, socket.AF_INET)  # instead of Dask's well-known host
    monkeypatch.setattr(inproc, "get_ip", out_of_reach)
    monkeypatch.setattr(inproc.global_manager, "_ip", None)
    with open_cluster(say=print) as client:
        assert client.submit(int, "1").result() == 1


def test_two_studies_run_at_a_time_without_a_word_about_ports() -> None:
    with warnings.catch_warnings(record=True) as warned, open_cluster(say=print):  # noqa: SIM117
        with open_cluster(say=print):
            pass
    assert not warned


def test_trial_that_fails_now_and_then_is_tried_again(client: Client, tmp_path: Path) -> None:
    def fail_twice(trial: Answer, expected: Answer) -> Answer:
        tried = tmp_path / str(trial["params"]["seed"])
        tried.mkdir(exist_ok=True)
        (tried / str(len(list(tried.iterdir())))).touch()
        if len(list(tried.iterdir())) < 3:
            raise RuntimeError("no luck")
        return succeed(trial, expected)

    outcomes, failures, _ = run(client, fail_twice, 3)
    assert len(outcomes) == 3
    assert failures == []


def test_trial_that_always_fails_is_named_with_its_reason_and_the_others_are_kept(client: Client) -> None:
    def fail_one(trial: Answer, expected: Answer) -> Answer:
        if trial["params"]["seed"] == 2:
            raise MemoryError("out of memory")
        return succeed(trial, expected)

    outcomes, failures, _ = run(client, fail_one, 4)
    assert sorted(outcome.result["seed"] for outcome in outcomes) == [1, 3, 4]
    assert [(failure.trial.params.seed, failure.reason) for failure in failures] == [(2, "out of memory")]


@pytest.mark.parametrize(
    "raised", [FuturesCancelledError([]), CommClosedError("closed")], ids=lambda error: type(error).__name__
)
def test_scheduler_that_goes_is_told_in_one_line(
    client: Client, monkeypatch: pytest.MonkeyPatch, raised: Exception
) -> None:
    def lose(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(cluster, "wait", lose)
    with pytest.raises(ClusterError, match=r"the Dask scheduler is gone .*; finished trials are stored\. Run again"):
        run(client, succeed, 1)


def test_file_that_an_editor_locks_is_no_code(tmp_path: Path) -> None:
    (tmp_path / "loop.py").touch()
    before = key._state_of(tmp_path, "[!.]*.py")
    (tmp_path / ".#loop.py").symlink_to("user@host.1")
    assert key._state_of(tmp_path, "[!.]*.py") == before != ()


def test_worker_whose_code_changes_gets_no_more_trials(client: Client) -> None:
    def refuse(_trial: Answer, _expected: Answer) -> Answer:
        return {"refused": "figures differ", "worker": get_worker().address}

    with pytest.raises(ClusterError, match="figures differ"):
        run(client, refuse, 2)


def test_worker_with_other_code_is_refused_before_it_gets_a_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "find_difference", lambda _: "figures differ")
    with open_cluster(say=print) as opened, pytest.raises(ClusterError, match="figures differ"):
        run(opened, succeed, 2)


@pytest.mark.parametrize(
    ("part", "found", "named"),
    [
        ("code", {"dense": "1"}, None),
        ("code", {"dense": "other"}, "dense"),
        ("code", {}, "dense"),
        ("data", {"train images": "other"}, "train images"),
    ],
)
def test_what_differs_on_a_worker_is_named(
    monkeypatch: pytest.MonkeyPatch, part: str, found: dict[str, str], named: str | None
) -> None:
    monkeypatch.setattr(worker, "take_basis", lambda _: BASIS._replace(**{part: found}))
    difference = worker.find_difference(BASIS._asdict())
    assert (difference is None) == (named is None)
    assert named is None or named in str(difference)


def test_key_of_a_result_leaves_out_the_kind_and_what_decides_nothing() -> None:
    params = trials(1)["1"].params
    basis = Basis({}, {"dense": "1", "cnn": "1"}, {"train images": "2", "test images": "3"})
    replicate, sweep = Trial("replicate", "dense", params), Trial("sweep", "dense", params)
    assert basis.key(replicate) == basis.key(replicate._replace(kind="other_cut"))
    assert basis.key(replicate) != basis.key(replicate._replace(kind="other_cut", cut=1))
    assert basis.key(replicate) != basis.key(replicate._replace(kind="article"))
    other = basis._replace(code={"dense": "1", "cnn": "2"})
    assert basis.key(replicate) == other.key(replicate)
    assert basis.key(replicate) != other.key(replicate._replace(model="cnn"))
    retested = basis._replace(data={"train images": "2", "test images": "4"})
    assert basis.key(sweep) == retested.key(sweep)
    assert basis.key(replicate) != retested.key(replicate)


def result(seconds: float, val_accuracy: float) -> StoredResult:
    return StoredResult([[1, 0.5, 0.8, 0.5, val_accuracy]], None, seconds)


def test_time_left_follows_from_trials_of_the_same_network() -> None:
    planned = trials(4, epochs=5)
    progress = Forecast(planned, {"1": result(10, 0.8)})
    assert progress.seconds_left() == pytest.approx(30)
    progress.add("2", result(20, 0.9))
    assert progress.seconds_left() == pytest.approx(30)
    assert "0:00:15" in progress.describe(slots=2)
    assert "0:00:30" in progress.describe(slots=0)  # before the first worker is there


def test_progress_names_the_best_model_on_validation() -> None:
    progress = Forecast(trials(3), {"1": result(1, 0.8), "2": result(1, 0.91)})
    progress.add("3", result(1, 0.7))
    assert "dense 91.00 %" in progress.describe(slots=1)


def test_progress_knows_nothing_before_the_first_trial() -> None:
    assert "best" not in Forecast(trials(2), {}).describe(slots=1)
