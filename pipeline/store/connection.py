"""Open the run store: an SQLite file and a folder of artifacts in tracking/, or a server, if one is named."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

# Set before MLflow is imported: it reports usage unless told not to, waits minutes for a server that is down, and asks
# a server about each run once more to print its address.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from fashion_mnist.errors import PipelineError
from pipeline.runtime.paths import store_folder

# Silence MLflow's messages about creating its tables.
logging.getLogger("mlflow").setLevel(logging.WARNING)
logging.getLogger("alembic").setLevel(logging.WARNING)

EXPERIMENT = "fashion-mnist"
STUDY_EXPERIMENT = "fashion-mnist-study"
SERVER = "MLFLOW_TRACKING_URI"


class TrackingError(PipelineError):
    """A run store that does not answer, or refuses what it is sent."""


class Store(NamedTuple):
    """An open run store, and the experiment in it whose runs are meant."""

    client: MlflowClient
    experiment_id: str


@contextmanager
def open_store(experiment: str = EXPERIMENT, *, exclusive: bool = True) -> Iterator[Store]:
    """Open the store that the environment names, and make what it lacks.

    experiment: the one whose runs are meant. exclusive: hold a lock against other processes on this machine; needed
    wherever a read decides what is written. Raises TrackingError, in one line, whatever MLflow raises within the block.
    """
    named = os.environ.get(SERVER)
    address, folder = named or "", store_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            mlflow.set_tracking_uri(address or f"sqlite:///{folder / 'mlflow.db'}")
            client = MlflowClient()
            artifacts = None if address else (folder / "artifacts").as_uri()
            store = Store(client, find_experiment(client, experiment, artifacts))
            if not exclusive:
                fcntl.flock(lock, fcntl.LOCK_UN)
            yield store
    # SQLite's errors arrive as MlflowException, those of the network partly as OSError.
    except (MlflowException, OSError) as error:
        where = address or str(folder)
        reason = " ".join(str(error).split())[:300]
        raise TrackingError(
            f"{where}: the run store failed ({reason}); expected one that answers. Models and reports are safe. "
            "Repair the store and run `dvc repro` again"
        ) from error
    finally:
        # MLflow writes the address into the environment, where the next call would take it for a server's.
        os.environ.pop(SERVER, None)
        if named is not None:
            os.environ[SERVER] = named


def find_experiment(client: MlflowClient, name: str, artifacts: str | None) -> str:
    """Return the id of an experiment; make it where it is missing."""
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        tags = {"mlflow.experimentKind": "custom_model_development"}
        return str(client.create_experiment(name, artifact_location=artifacts, tags=tags))
    if experiment.lifecycle_stage != "active":
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)
