"""One workspace of drawn garments in which `dvc repro` ran, with its run store, and how to look into that."""

import fcntl
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from fashion_mnist.data.description import SPLITS
from fashion_mnist.params.parsing import parse_params
from fashion_mnist.study.plan import Study
from pipeline.bytes.formats import parse_yaml, read_csv, read_json
from pipeline.gate.baselines import VARIABLES
from pipeline.runtime.paths import DATA, PARAMS, predictions_of
from pipeline.runtime.tables import PREDICTION_COLUMNS
from pipeline.store.connection import DATABASE, make_database
from pipeline.store.runs import HOST, PARENT, PROCESS
from pipeline.tools import demo
from pipeline.tools.demo import PROJECT, SYNTHETIC, make_workspace
from tests.processes import folder_of_python, run_python
from tests.small_study import small_study, write_files

# isort: split
# MLflow reads, when it is imported, the environment that pipeline.store.connection sets.
from mlflow.tracking import MlflowClient

EXPERIMENT, STUDY_EXPERIMENT = "fashion-mnist", "fashion-mnist-study"
SMALL = SYNTHETIC | {
    "download.synthetic.train_images": 600,
    "download.synthetic.test_images": 200,
    "normalize.validation_images": 100,
    "train.dense.epochs": 2,
    "train.cnn.epochs": 2,
}
# A server imports for some seconds, and much longer where other work loads the machine.
START_SECONDS = 300
# What a stage cost is known while it ran, and by no file of DVC's: a time, as seen here.
COSTS = {
    f"{stage}_{measure}"
    for stage in ("download", "normalize", "train", "evaluate", "report")
    for measure in ("seconds", "images_per_second", "peak_memory_mebibytes")
}


@pytest.fixture(scope="session", autouse=True)
def no_store_from_the_shell() -> None:
    """Workspaces write to stores of their own, whatever the developer's shell names."""
    os.environ.pop("MLFLOW_TRACKING_URI", None)


@pytest.fixture(autouse=True)
def no_store_from_another_test() -> Iterator[None]:
    """MLflow writes the address that a test opens in this process into the environment, which others inherit."""
    yield
    os.environ.pop("MLFLOW_TRACKING_URI", None)


@pytest.fixture(scope="session")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which every stage ran, not to be changed; beside it repro.log, what DVC said."""
    base = tmp_path_factory.getbasetemp()
    # All processes of pytest-xdist take the same one; they have the folder above in common.
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "tracked/clone"
    folder.parent.mkdir(exist_ok=True)
    said = folder.with_name("repro.log")
    with folder.with_name("lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            make_workspace(folder, SMALL, params=PROJECT / "tests/params.yaml")
            done = demo.run_dvc("repro", workspace=folder, capture_output=True)  # a real process, as a user has it
            assert done.returncode == 0, done.stdout + done.stderr
            said.write_text(done.stdout)
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[webdriver.Chrome]:
    """Headless Chromium, which keeps a log of its console and of all that it asks for."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("Chromium is not installed: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1500,1000"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield chrome
    finally:
        chrome.quit()


@pytest.fixture
def clone(tracked: Path, tmp_path: Path) -> Path:
    """A copy of that workspace with an empty store, to be changed at will."""
    return copy_workspace(tracked, tmp_path / "clone")


def copy_workspace(source: Path, target: Path, *, store: bool | None = None) -> Path:
    """Copy a workspace with an empty store, whose tables need not be made anew.

    store: True, with its own, which holds absolute paths; False, without one.
    """
    shutil.copytree(source, target, ignore=None if store else shutil.ignore_patterns("tracking"))
    if store is None:
        (target / "tracking").mkdir()
        (target / "tracking" / DATABASE).write_bytes(empty_database())
    return target


@cache
def empty_database() -> bytes:
    """Return the file of a store that holds nothing; MLflow takes two seconds to make its tables."""
    with tempfile.TemporaryDirectory() as scratch:
        make_database(Path(scratch))
        return Path(scratch, DATABASE).read_bytes()


def add_study(workspace: Path, *, seeds: int = 2) -> Study:
    """Write a small study of a workspace's data and parameters beside its results: 8 trainings for each seed."""
    params = parse_params(parse_yaml((workspace / PARAMS).read_bytes(), name="params.yaml"), source="params.yaml")
    data = read_json(workspace / DATA)
    digests = {f"{split} {part}": data[split][f"{part}_sha256"] for split in SPLITS for part in ("images", "labels")}
    labels = read_csv(workspace / predictions_of("dense"), columns=PREDICTION_COLUMNS)["label"]
    study = small_study(params, labels, seeds=seeds, units=(16,), epochs=3, data=digests)
    write_files(study, workspace)
    return study


def stages_in(output: str) -> list[str]:
    """List the stages that DVC says it ran."""
    return re.findall(r"^Running stage '(.*)'", output, re.MULTILINE)


def run_module(module: str, *arguments: str, folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a module of the pipeline in a workspace, in a fork (tests/processes.py)."""
    environment = with_forks(environment_of()) | environment
    return run_python("-m", f"pipeline.{module}", *arguments, folder=folder, environment=environment)


def run_real_module(module: str, *arguments: str, folder: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    """Run a module of the pipeline in a workspace as dvc.yaml does: for tests about how a process starts.

    Such as what an import writes to stderr, or what Python reads from the environment when it starts.
    """
    command = [sys.executable, "-m", f"pipeline.{module}", *arguments]
    environment = environment_of() | more
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def run_script(script: str, *arguments: str, folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run Python code in a workspace, in a fork (tests/processes.py)."""
    environment = with_forks(environment_of()) | environment
    return run_python("-c", script, *arguments, folder=folder, environment=environment)


def run_dvc(*arguments: str, workspace: Path) -> "subprocess.CompletedProcess[str]":
    """Run DVC in a workspace: itself and its stages in forks (tests/processes.py)."""
    environment = with_forks(environment_of_dvc(workspace))
    return run_python("-m", "dvc", *arguments, folder=workspace, environment=environment)


def with_forks(environment: dict[str, str]) -> dict[str, str]:
    """Return an environment in which `python` is a fork, too (tests/processes.py)."""
    return environment | {"PATH": f"{folder_of_python()}{os.pathsep}{environment['PATH']}"}


def environment_of() -> dict[str, str]:
    """Return the environment of a user who works in a workspace."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("DVC_", "MLFLOW_")) and key not in VARIABLES  # of the CI that may run the tests
    }
    # A server's runners of background jobs are nine more processes, and nobody here gives them any.
    server = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    return kept | server | {"PATH": path}


def environment_of_dvc(folder: Path) -> dict[str, str]:
    """Return the environment of a user who calls DVC in a workspace; its lock lies in the workspace."""
    return environment_of() | {"DVC_SITE_CACHE_DIR": str(folder / ".dvc/site-cache")}


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def answers(address: str, trusted: Path | None) -> bool:
    """Say whether a server answers; trusted: its certificate."""
    try:
        return bool(requests.get(address, timeout=10, verify=str(trusted) if trusted else True).ok)
    except requests.RequestException:
        return False


@contextmanager
def running(
    command: list[str], *, folder: Path, ready: str, environment: dict[str, str], trusted: Path | None = None
) -> Iterator[None]:
    """Run a server until the block ends, once `ready`, an address, answers; trusted: its certificate."""
    with (folder / f"{Path(command[0]).name}-{free_port()}.log").open("w+") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            limit = time.monotonic() + START_SECONDS
            while not answers(ready, trusted):
                assert process.poll() is None, log.seek(0) or log.read()
                assert time.monotonic() < limit, f"{ready} does not answer"
                time.sleep(0.5)
            yield
        finally:
            # Asked to end, a server waits for clients that keep their connections open.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def read_store(tmp_path: Path) -> Callable[[Path], MlflowClient]:
    """Open a copy of a workspace's store: MLflow keeps files open, which a test deletes and makes anew."""
    copies = iter(range(1000))

    def read(folder: Path) -> MlflowClient:
        copy = tmp_path / f"copy{next(copies)}.db"
        shutil.copy(folder / "tracking/mlflow.db", copy)
        return MlflowClient(f"sqlite:///{copy}")

    return read


def runs_of(client: MlflowClient, name: str = EXPERIMENT) -> list[Any]:
    """List all runs of an experiment that are not deleted, by name."""
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    return sorted(client.search_runs([experiment.experiment_id]), key=lambda run: str(run.info.run_name))


def describe_store(client: MlflowClient) -> dict[str, Any]:
    """Describe everything in a store but ids and times."""
    runs = runs_of(client)
    names = {run.info.run_id: run.info.run_name for run in runs}
    described: dict[str, Any] = {run.info.run_name: describe_run(client, run, names) for run in runs}
    for version in client.search_model_versions("name = 'fashion-mnist'"):
        described[f"version {version.version}"] = [
            names[version.run_id],
            version.tags,
            version.description,
            sorted(client.get_model_version("fashion-mnist", version.version).aliases),
        ]
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    models = client.search_logged_models([experiment.experiment_id])
    for model in models:
        assert described.setdefault(f"model {model.name}", None) is None, "logged twice"
        assert model.metrics is not None
        described[f"model {model.name}"] = [
            names[model.source_run_id],
            # A server also notes here what versions a model became; MLflow's own client leaves that out. The digest of
            # a model's files is about an id and a time among others.
            {key: value for key, value in model.tags.items() if key not in {"mlflow.modelVersions", "content"}},
            str(model.status),
            sorted((metric.key, metric.value, metric.dataset_digest) for metric in model.metrics),
        ]
    return described


def describe_run(client: MlflowClient, run: Any, names: dict[str, str]) -> dict[str, Any]:
    """Describe one run but for ids and times."""
    tags = {key: value for key, value in run.data.tags.items() if key not in (HOST, PROCESS)}
    if PARENT in tags:
        tags[PARENT] = names[tags[PARENT]]
    files = {}
    waiting = [""]
    while waiting:
        for entry in client.list_artifacts(run.info.run_id, waiting.pop() or None):
            if entry.is_dir:
                waiting.append(entry.path)
            else:
                path = Path(client.download_artifacts(run.info.run_id, entry.path))
                files[entry.path] = hashlib.sha256(path.read_bytes()).hexdigest()
    return {
        "status": run.info.status,
        "tags": tags,
        "params": run.data.params,
        "metrics": {
            key: [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, key)]
            for key in set(run.data.metrics) - COSTS
        },
        "data": sorted(
            (item.dataset.name, item.dataset.digest, item.tags[0].value) for item in run.inputs.dataset_inputs
        ),
        "files": files,
    }
