"""While a model trains, its run stands in the store; afterwards it counts once, and a killed one is closed."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from pipeline.store.connection import open_store
from tests.end_to_end.conftest import EXPERIMENT, environment_of, run_module, runs_of
from tests.processes import Process

pytestmark = pytest.mark.slow


def start_training(folder: Path, model: str = "dense", **environment: str) -> Process:
    changed = environment_of() | {"DVC_STAGE": f"train@{model}"} | environment
    return Process(["-m", "pipeline.train", model], folder=folder, environment=changed)


def wait_for(condition: Callable[[], bool], seconds: float = 90) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.5)


def make_long(folder: Path) -> None:
    from pipeline.tools.demo import change_params

    change_params(folder / "params.yaml", {"train.dense.epochs": 5000})


def make_store(folder: Path) -> MlflowClient:
    """Make a store before a training does: two processes that make one at a time get into each other's way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("DVC_ROOT", raising=False)
        with open_store(EXPERIMENT) as store:
            return store.client


def live_runs(client: MlflowClient) -> list[object]:
    return [run for run in runs_of(client) if run.data.tags.get("live")]


def epochs_shown(client: MlflowClient) -> int:
    if client.get_experiment_by_name(EXPERIMENT) is None or not runs_of(client):
        return 0
    (run,) = runs_of(client)
    return len(client.get_metric_history(run.info.run_id, "epoch_val_accuracy"))


def test_training_is_seen_running_and_a_killed_one_is_closed_by_the_next_track(clone: Path) -> None:
    params = (clone / "params.yaml").read_bytes()
    archive = clone / "models/dense/model.keras"
    before = archive.read_bytes()
    client = make_store(clone)
    make_long(clone)
    training = start_training(clone)
    try:
        wait_for(lambda: epochs_shown(client) >= 3)
        (run,) = runs_of(client)
        assert (run.info.run_name, run.info.status) == ("dense", "RUNNING")
        steps = [point.step for point in client.get_metric_history(run.info.run_id, "epoch_loss")]
        assert steps == list(range(1, len(steps) + 1))
        watchers = subprocess.run(
            ["pgrep", "--parent", str(training.pid), "--full", "pipeline.store.watch"],
            capture_output=True,
            text=True,
            check=True,
        )
        # Both at once, as when the machine loses power: nobody is left to close the run.
        os.kill(int(watchers.stdout), signal.SIGKILL)
    finally:
        training.kill()
        training.wait()
    assert client.get_run(run.info.run_id).info.status == "RUNNING"
    (clone / "params.yaml").write_bytes(params)
    assert archive.read_bytes() == before
    assert run_module("track", folder=clone).returncode == 0
    assert client.get_run(run.info.run_id).info.status == "KILLED"
    assert len([one for one in runs_of(client) if one.info.status == "FINISHED"]) == 3


def test_killed_training_is_closed_at_once_where_its_watcher_lives(clone: Path) -> None:
    client = make_store(clone)
    make_long(clone)
    training = start_training(clone)
    try:
        wait_for(lambda: epochs_shown(client) >= 1)
    finally:
        training.kill()
        training.wait()
    wait_for(lambda: runs_of(client)[0].info.status == "KILLED", 20)


def test_finished_training_counts_once_and_its_cost_is_kept(clone: Path) -> None:
    client = make_store(clone)
    training = start_training(clone)
    assert training.wait(120) == 0
    wait_for(lambda: [run.info.status for run in runs_of(client)] == ["FINISHED"], 30)
    assert run_module("track", folder=clone).returncode == 0
    assert live_runs(client) == []
    cnn, dense, _ = runs_of(client)
    assert dense.data.metrics["train_images_per_second"] > 0
    assert dense.data.metrics["train_peak_memory_mebibytes"] > 100
    assert "train_seconds" not in cnn.data.metrics  # it came from the copied workspace


def test_store_that_fails_changes_neither_the_training_nor_its_files(clone: Path) -> None:
    files = [clone / "models/dense/model.keras", clone / "reports/history/dense.csv"]
    before = [file.read_bytes() for file in files]
    for file in files:
        file.unlink()
    training = start_training(clone, MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert training.wait(120) == 0
    assert [file.read_bytes() for file in files] == before
