"""The stage against an MLflow server on a real PostgreSQL, read back through REST; and a server that dies."""

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from mlflow.tracking import MlflowClient

from pipeline.store.runs import PARENT
from tests.end_to_end.conftest import (
    STUDY_EXPERIMENT,
    add_study,
    copy_workspace,
    describe_store,
    environment_of,
    free_port,
    run_module,
    run_script,
    running,
    runs_of,
)
from tests.processes import Process

pytestmark = pytest.mark.slow

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
# What a training shows of itself, without the training.
TRAINING = """
from pipeline.runtime import live
live.PATIENCE_SECONDS = 60
with live.live_run("dense") as run:
    for epoch in (1, 2):
        run.show_epoch({"epoch": epoch, "loss": 0.5})
    run.finish()
"""


def as_owner(command: list[str]) -> list[str]:
    """PostgreSQL refuses to run as root; Debian's package brings a user for it."""
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    if not BINARIES:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    binaries, port = BINARIES[-1], free_port()
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        data, options = str(folder / "data"), f"-p {port} -c listen_addresses=127.0.0.1 -k {folder}"
        initdb = [str(binaries / "initdb"), "-D", data, "-U", "mlflow", "--auth", "trust", "--no-sync"]
        subprocess.run(as_owner(initdb), check=True, capture_output=True, cwd=folder)
        control = [str(binaries / "pg_ctl"), "-D", data, "-w"]
        log = str(folder / "log")
        subprocess.run(
            as_owner([*control, "-o", options, "-l", log, "start"]), check=True, stdout=subprocess.DEVNULL, cwd=folder
        )
        try:
            yield f"postgresql+psycopg2://mlflow@127.0.0.1:{port}/postgres"
        finally:
            stop = as_owner([*control, "-m", "immediate", "stop"])
            subprocess.run(stop, check=True, stdout=subprocess.DEVNULL, cwd=folder)
    finally:
        shutil.rmtree(folder)


def serve(database: str, port: int) -> list[str]:
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", database, "--serve-artifacts"]
    command += ["--artifacts-destination", "served-artifacts", "--host", "127.0.0.1", "--port", str(port)]
    return [*command, "--workers", "1"]


def rest(address: str, endpoint: str, **body: Any) -> Any:
    answer = requests.post(f"{address}/api/2.0/mlflow/{endpoint}", json=body, timeout=30)
    answer.raise_for_status()
    return answer.json()


def test_server_on_postgresql_holds_the_same_runs_and_completes_what_a_death_left(
    database: str, clone: Path, tracked: Path, read_store: Callable[[Path], MlflowClient]
) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    environment = environment_of()
    command = serve(database, port)

    # The server dies as soon as the first model's run is complete.
    dies = (
        "import os, sys, pipeline.track as track, pipeline.store.convergence as convergence\n"
        "from pipeline.runtime.command import run\n"
        "original, calls = convergence.make_child, iter(range(9))\n"
        "def make_child(*args):\n"
        "    next(calls) and os.killpg(int(sys.argv[1]), 9)\n"
        "    return original(*args)\n"
        "convergence.make_child = make_child\n"
        "run(lambda: track.main([]))\n"
    )
    with (clone / "server.log").open("w") as log:
        server = subprocess.Popen(command, cwd=clone, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            wait_until_healthy(address)
            done = run_script(dies, str(server.pid), folder=clone, MLFLOW_TRACKING_URI=address)
        finally:
            if server.poll() is None:
                os.killpg(server.pid, 9)
            server.wait()
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {address}: the run store failed (")
    assert not (clone / "tracking/receipt.json").exists()

    with running(command, folder=clone, ready=f"{address}/health", environment=environment):
        done = run_module("track", folder=clone, MLFLOW_TRACKING_URI=address)
        assert done.returncode == 0, done.stderr
        assert "3 runs in the store" in done.stdout
        experiment = requests.get(
            f"{address}/api/2.0/mlflow/experiments/get-by-name",
            params={"experiment_name": "fashion-mnist"},
            timeout=30,
        ).json()["experiment"]
        assert experiment["artifact_location"].startswith("mlflow-artifacts:")

        # A training shows itself there too, until its files are projected.
        done = run_script(TRAINING, folder=clone, MLFLOW_TRACKING_URI=address, DVC_STAGE="train@dense")
        assert done.returncode == 0, done.stderr
        (run,) = rest(
            address, "runs/search", experiment_ids=[experiment["experiment_id"]], filter="tags.live = 'true'"
        )["runs"]
        assert (run["info"]["run_name"], run["info"]["status"]) == ("dense", "FINISHED")
        assert [(metric["key"], metric["step"]) for metric in run["data"]["metrics"]] == [("epoch_loss", 2)]
        done = run_module("track", folder=clone, MLFLOW_TRACKING_URI=address)
        assert done.returncode == 0, done.stderr
        assert "the store already holds its 3 runs" in done.stdout

        runs = rest(address, "runs/search", experiment_ids=[experiment["experiment_id"]])["runs"]
        assert sorted(run["info"]["run_name"].split()[0] for run in runs) == ["cnn", "dense", "pipeline"]
        assert {run["info"]["status"] for run in runs} == {"FINISHED"}
        cnn = next(run for run in runs if run["info"]["run_name"] == "cnn")
        history = requests.get(
            f"{address}/api/2.0/mlflow/metrics/get-history",
            params={"run_id": cnn["info"]["run_id"], "metric_key": "epoch_loss"},
            timeout=30,
        ).json()["metrics"]
        assert [point["step"] for point in history] == [1, 2]
        listed = requests.get(
            f"{address}/api/2.0/mlflow/artifacts/list", params={"run_id": cnn["info"]["run_id"]}, timeout=30
        ).json()["files"]
        assert "confusion.csv" in {file["path"] for file in listed}
        # The server hands artifacts out itself: the client needs no way to where they lie.
        proxied = f"{address}/api/2.0/mlflow-artifacts/artifacts/{experiment['experiment_id']}"
        table = requests.get(f"{proxied}/{cnn['info']['run_id']}/artifacts/predictions/cnn.csv", timeout=30)
        assert table.content == (clone / "reports/predictions/cnn.csv").read_bytes()
        scores = {metric["key"]: metric["value"] for metric in cnn["data"]["metrics"]}
        assert scores.items() >= json.loads((clone / "reports/metrics/cnn.json").read_text()).items()
        model = requests.get(
            f"{address}/api/2.0/mlflow/registered-models/get", params={"name": "fashion-mnist"}, timeout=30
        ).json()["registered_model"]
        assert {entry["alias"] for entry in model["aliases"]} == {"champion", "challenger"}
        assert describe_store(MlflowClient(address)) == describe_store(read_store(tracked))
        check_study(clone, address)


def test_two_tracks_at_the_same_time_leave_each_run_once(
    database: str, tracked: Path, tmp_path: Path, read_store: Callable[[Path], MlflowClient]
) -> None:
    port, another = free_port(), f"{database.rpartition('/')[0]}/another"
    at = ["-h", "127.0.0.1", "-p", database.rpartition(":")[2].partition("/")[0], "-U", "mlflow"]
    subprocess.run([str(BINARIES[-1] / "createdb"), *at, "another"], check=True)
    address = f"http://127.0.0.1:{port}"
    folders = [copy_workspace(tracked, tmp_path / name) for name in ("first", "second")]
    for folder in folders:
        study = add_study(folder, seeds=1)
    environment = environment_of() | {"MLFLOW_TRACKING_URI": address}
    with running(serve(another, port), folder=tmp_path, ready=f"{address}/health", environment=environment_of()):
        tracks = [
            Process(["-m", "pipeline.track"], folder=folder, environment=environment, errors=folder / "said")
            for folder in folders
        ]
        codes = [track.wait(300) for track in tracks]
        assert codes == [0, 0], [(folder / "said").read_text() for folder in folders]
        client = MlflowClient(address)
        assert describe_store(client) == describe_store(read_store(tracked))
        names = [run.info.run_name for run in runs_of(client, STUDY_EXPERIMENT)]
        assert len(names) == len(set(names)) == 1 + len(study.trials)
        done = run_module("track", folder=folders[0], MLFLOW_TRACKING_URI=address)
        assert [line.partition(": ")[2] for line in done.stdout.splitlines()] == [
            "the store already holds its 3 runs",
            f"the store already holds its {len(names)} runs",
        ]


def check_study(workspace: Path, address: str) -> None:
    """A study is mirrored by the next `track`, every training once, without a line for each."""
    study = add_study(workspace, seeds=1)
    for _ in range(2):
        done = run_module("track", folder=workspace, MLFLOW_TRACKING_URI=address)
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.splitlines()) == 2
    client = MlflowClient(address)
    runs = {run.info.run_name: run for run in runs_of(client, STUDY_EXPERIMENT)}
    (parent,) = (run for name, run in runs.items() if name.startswith("study "))
    assert len(runs_of(client, STUDY_EXPERIMENT)) == len(runs) == 1 + len(study.trials)
    trial = runs["dense replicate, seed 1"]
    assert trial.data.metrics["accuracy"] == study.accuracies("replicate", "dense")[0]
    assert trial.data.tags[PARENT] == parent.info.run_id
    assert [point.step for point in client.get_metric_history(trial.info.run_id, "epoch_val_loss")] == [1, 2, 3]
    assert client.download_artifacts(parent.info.run_id, "reports/study/trials.csv", str(workspace))


def wait_until_healthy(address: str) -> None:
    for _ in range(240):
        try:
            if requests.get(f"{address}/health", timeout=2).ok:
                return
        except requests.RequestException:
            time.sleep(0.5)
    raise AssertionError(f"{address} does not answer")
