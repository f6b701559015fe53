"""Open the run store: an SQLite file and a folder of artifacts in tracking/, or a server, if one is named."""

import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

# Set before MLflow is imported: it reports usage unless told not to, waits minutes for a server that is down, and asks
# a server about each run once more to print its address.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

import mlflow
from alembic.util import CommandError
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

from fashion_mnist.errors import PipelineError, innermost, shorten
from pipeline.runtime.paths import store_folder
from pipeline.store.refusals import describe_refusal, hide_password
from pipeline.store.relocation import relocate

# Silence MLflow's messages about creating its tables.
logging.getLogger("mlflow").setLevel(logging.WARNING)
logging.getLogger("alembic").setLevel(logging.WARNING)
# A store that fails is said in one line; these would add tracebacks.
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)

DATABASE = "mlflow.db"
SERVER = "MLFLOW_TRACKING_URI"
LONGEST_REASON = 300  # characters of an error that is told: MLflow's first sentences
# What MLflow answers for a name, an alias, a run or a model that is not there.
ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
Found = TypeVar("Found")


class TrackingError(PipelineError):
    """A run store that does not answer, or refuses what it is sent."""


class OvertakenError(MlflowException):
    """Something that this process had found in the store, and another process changed since."""


@dataclass(frozen=True)
class Store:
    """An open run store, the name of the registered model, and the experiment in it whose runs are meant.

    is_shared: whether processes elsewhere may write to it, which know nothing of the lock on this machine. whole: the
    ids of the logged models that were written or compared since it was opened, and need not be downloaded again.
    """

    client: MlflowClient
    name: str
    experiment_id: str
    is_shared: bool = False
    whole: set[str] = field(default_factory=set)


@contextmanager
def open_store(name: str, *, study: bool = False, exclusive: bool = True) -> Iterator[Store]:
    """Open the store that the environment names, and make what it lacks.

    name: of the registered model, and of the experiment of its runs; study: those of its study. exclusive: hold a lock
    against other processes of this project on this machine; needed wherever a read decides what is written. At a
    server, it only spares two of them the same work. Raises TrackingError, in one line, whatever MLflow raises within
    the block.
    """
    named = os.environ.get(SERVER)
    folder = store_folder()
    address = "" if named is None or is_local(named, folder) else named
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            artifacts = None if address else (folder / "artifacts").as_uri()
            if artifacts:
                make_database(folder)
                relocate(folder / DATABASE, artifacts)
            client = connect(address or f"sqlite:///{folder / DATABASE}")
            experiment_id = find_experiment(client, f"{name}-study" if study else name, artifacts)
            store = Store(client, name, experiment_id, is_shared=bool(address))
            if not exclusive:
                fcntl.flock(lock, fcntl.LOCK_UN)
            yield store
    # SQLite's errors arrive as MlflowException once the store is open, those of the network partly as OSError.
    except (MlflowException, OSError, SQLAlchemyError, CommandError) as error:
        raise TrackingError(describe_failure(error, address, folder)) from error
    finally:
        # MLflow writes the address into the environment, where the next call would take it for a server's.
        os.environ.pop(SERVER, None)
        if named is not None:
            os.environ[SERVER] = named


def find(ask: Callable[..., Found], *about: object) -> Found | None:
    """Return what MLflow answers to a request about something; None if that is not there."""
    try:
        return ask(*about)
    except MlflowException as error:
        if error.error_code not in ABSENT:
            raise
        return None


def is_local(address: str, folder: Path) -> bool:
    """Tell whether an address is that of the local store, as `mlflow models serve` needs it."""
    path = address.removeprefix("sqlite:///")
    return path != address and (folder.parent / path).resolve() == folder / DATABASE


def describe_failure(error: Exception, address: str, folder: Path) -> str:
    """Say in one line what failed at an address, or in the folder of the local store, and what to do."""
    where = hide_password(address) or str(folder)
    if refused := describe_refusal(error):
        return f"{where}: {refused}"
    reason = shorten(hide_password(innermost(error)), LONGEST_REASON).rstrip(".")
    failed = f"{where}: the run store failed ({reason}); expected one that answers and has room"
    if address:
        return (
            f"{failed}, at an address such as http://HOST:5000. Models and reports are safe. Correct {SERVER}, or run "
            "again when it answers"
        )
    return (
        f"{failed}. Models and reports are safe. Run again when it does, or delete {folder / DATABASE} and run "
        "`python -m pipeline.track`, which makes it again from files"
    )


def connect(address: str) -> MlflowClient:
    """Open a store. Raises TrackingError if that needs a package that is not installed, or the address is none."""
    try:
        mlflow.set_tracking_uri(address)
        return MlflowClient()
    except ImportError as error:
        raise TrackingError(
            f"{hide_password(address)}: needs a package that is not installed here ({innermost(error)}); expected the "
            f"database's driver, such as psycopg2-binary for PostgreSQL. Install it, or set {SERVER} to a server's "
            "address, such as http://HOST:5000"
        ) from error
    except ValueError as error:
        raise OSError(str(error)) from error


def make_database(folder: Path) -> None:
    """Make the SQLite file of a store where it is missing: whole, or not at all.

    MLflow makes its tables in hundreds of writes, and cannot go on where it was killed. So they are made in another
    file, which then takes its place.
    """
    if (folder / DATABASE).exists():
        return
    new = folder / f".{DATABASE}.new"
    for left in folder.glob(f"{new.name}*"):
        left.unlink()
    MlflowClient(f"sqlite:///{new}").search_experiments(max_results=1)
    new.replace(folder / DATABASE)


def find_experiment(client: MlflowClient, name: str, artifacts: str | None) -> str:
    """Return the id of an experiment; make it where it is missing."""
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        tags = {"mlflow.experimentKind": "custom_model_development"}
        try:
            return str(client.create_experiment(name, artifact_location=artifacts, tags=tags))
        except MlflowException as error:
            experiment = client.get_experiment_by_name(name)
            if error.error_code != "RESOURCE_ALREADY_EXISTS" or experiment is None:
                raise
            # Another process has just made it.
    if experiment.lifecycle_stage != "active":
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)
