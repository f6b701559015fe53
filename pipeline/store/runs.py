"""What the pipeline does with MLflow; besides the served model, the only module that imports it.

The store is an SQLite file with a folder of artifacts, in tracking/, unless MLFLOW_TRACKING_URI names a server.
"""

import fcntl
import logging
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

# Set before MLflow is imported: it reports usage unless told not to, and waits minutes for a server that is down.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

import mlflow
import numpy as np
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput, Metric, Param, Run, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.tracking import MlflowClient
from mlflow.types import Schema, TensorSpec

from fashion_mnist.errors import PipelineError
from pipeline.runtime.files import store_folder

# The tables it makes and the like are no news to a user.
logging.getLogger("mlflow").setLevel(logging.WARNING)
logging.getLogger("alembic").setLevel(logging.WARNING)

EXPERIMENT = "fashion-mnist"
SERVER = "MLFLOW_TRACKING_URI"
FINGERPRINT = "fingerprint"
STATE = "state"
LIVE = "live"
PARENT = "mlflow.parentRunId"
DESCRIPTION = "mlflow.note.content"

INPUTS = Schema([TensorSpec(np.dtype(np.uint8), (-1, 28, 28, 1))])
OUTPUTS = Schema(
    [TensorSpec(np.dtype(np.float32), (-1, 10), "probabilities"), TensorSpec(np.dtype("str"), (-1,), "names")]
)
SERVED_CODE = Path(__file__).with_name("serving.py")


class TrackingError(PipelineError):
    """A run store that does not answer, or refuses what it is sent."""


class Store(NamedTuple):
    """An open run store, and the experiment in it that holds this project's runs."""

    client: MlflowClient
    experiment_id: str


class Source(NamedTuple):
    """A data set as a run refers to it: its name, its digest of at most 36 characters, and where it came from."""

    name: str
    digest: str
    description: str


class Measure(NamedTuple):
    """A metric; `source`: the data set that it was measured on."""

    key: str
    value: float
    step: int = 0
    source: str | None = None


class Content(NamedTuple):
    """What a run holds: parameters, metrics, data sets by role, and files by their folder in the run."""

    params: Mapping[str, Any]
    measures: Sequence[Measure]
    sources: Mapping[str, Source]
    files: Sequence[tuple[Path, str]]
    texts: Mapping[str, str]


class Archive(NamedTuple):
    """A network to be logged as a model: its file, the file's sha256, the packages it needs and an example of input."""

    path: Path
    sha256: str
    code: Path
    requirements: Sequence[str]
    example: np.ndarray[Any, Any]


@contextmanager
def open_store(*, exclusive: bool = True) -> Iterator[Store]:
    """Open the store that the environment names, and make what it lacks.

    exclusive: keep others of this machine out until the block ends; needed for all that looks before it writes.
    Raises TrackingError, in one line, whatever MLflow raises within the block.
    """
    address = os.environ.get(SERVER, "")
    folder = store_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            mlflow.set_tracking_uri(address or f"sqlite:///{folder / 'mlflow.db'}")
            client = MlflowClient()
            store = Store(client, find_experiment(client, None if address else (folder / "artifacts").as_uri()))
            if not exclusive:
                fcntl.flock(lock, fcntl.LOCK_UN)
            yield store
    # SQLite's errors arrive as MlflowException, those of the network partly as OSError.
    except (MlflowException, OSError) as error:
        where = address or str(folder)
        reason = " ".join(str(error).split())[:300]
        raise TrackingError(
            f"{where}: the run store fails ({reason}); expected one that answers. Models and reports are safe. "
            "Mend it and run `dvc repro` again"
        ) from error


def find_experiment(client: MlflowClient, artifacts: str | None) -> str:
    """Return the id of the project's experiment; make it where it is missing."""
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        tags = {"mlflow.experimentKind": "custom_model_development"}
        return str(client.create_experiment(EXPERIMENT, artifact_location=artifacts, tags=tags))
    if experiment.lifecycle_stage != "active":
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)


def find_runs(store: Store, **tags: str) -> list[Run]:
    """List the runs that carry all these tags, deleted ones excluded, oldest first."""
    query = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
    runs = store.client.search_runs(
        [store.experiment_id], query, run_view_type=ViewType.ACTIVE_ONLY, max_results=1000, order_by=["start_time ASC"]
    )
    return list(runs)


def keep_finished(store: Store, runs: Sequence[Run]) -> Run | None:
    """Return the first finished run and delete all others, with the models logged in them."""
    finished = [run for run in runs if run.info.status == "FINISHED"]
    for run in runs:
        if run is not next(iter(finished), None):
            delete_run(store, run.info.run_id)
    return finished[0] if finished else None


def delete_run(store: Store, run_id: str) -> None:
    """Delete a run and what was logged as a model in it."""
    for model in store.client.search_logged_models([store.experiment_id], f"source_run_id = '{run_id}'"):
        store.client.delete_logged_model(model.model_id)
    store.client.delete_run(run_id)


def start_run(store: Store, *, name: str, tags: Mapping[str, str]) -> str:
    """Make a run that counts as partial until it is finished; returns its id."""
    return str(store.client.create_run(store.experiment_id, tags=dict(tags), run_name=name).info.run_id)


def log_measures(store: Store, run_id: str, measures: Sequence[Measure]) -> None:
    """Log metrics of no particular model or data set."""
    now = int(time.time() * 1000)
    store.client.log_batch(
        run_id, metrics=[Metric(measure.key, measure.value, now, measure.step) for measure in measures]
    )


def close_run(store: Store, run_id: str, status: str) -> None:
    """Close a run: FINISHED, FAILED or KILLED."""
    store.client.set_terminated(run_id, status)


def fill_run(store: Store, run_id: str, content: Content, *, model_id: str | None = None) -> None:
    """Log the content of a run; model_id: the logged model that its metrics are of."""
    client, now = store.client, int(time.time() * 1000)
    client.log_inputs(
        run_id,
        [
            DatasetInput(
                Dataset(source.name, source.digest, "local", source.description),
                [InputTag("mlflow.data.context", role)],
            )
            for role, source in content.sources.items()
        ],
    )
    metrics = []
    for key, value, step, role in content.measures:
        source = content.sources[role] if role else None
        metrics.append(
            Metric(
                key,
                value,
                now,
                step,
                model_id=model_id,
                dataset_name=source.name if source else None,
                dataset_digest=source.digest if source else None,
                run_id=run_id,
            )
        )
    params = [Param(key, str(value)) for key, value in content.params.items()]
    client.log_batch(run_id, metrics=metrics, params=params)
    with tempfile.TemporaryDirectory() as scratch:
        for name, text in content.texts.items():
            (Path(scratch) / name).write_text(text)
        client.log_artifacts(run_id, scratch)
    for path, folder in content.files:
        if path.is_dir():
            client.log_artifacts(run_id, str(path), "/".join(filter(None, (folder, path.name))))
        else:
            client.log_artifact(run_id, str(path), folder or None)


def log_model(store: Store, run_id: str, archive: Archive, *, name: str, tags: Mapping[str, str]) -> str:
    """Log a network in a run, with the code that serves it; returns the id of the logged model.

    Not by mlflow.pyfunc.log_model, which loads what it logs, and TensorFlow with it.
    """
    client = store.client
    logged = client.create_logged_model(store.experiment_id, name=name, source_run_id=run_id, tags=dict(tags))
    with tempfile.TemporaryDirectory() as scratch:
        folder = f"{scratch}/model"
        mlflow.pyfunc.save_model(
            folder,
            mlflow_model=Model(
                artifact_path=logged.artifact_location,
                model_uuid=logged.model_id,
                run_id=run_id,
                model_id=logged.model_id,
            ),
            python_model=str(SERVED_CODE),
            artifacts={"archive": str(archive.path)},
            model_config={"sha256": archive.sha256},
            code_paths=[str(archive.code)],
            pip_requirements=list(archive.requirements),
            signature=ModelSignature(INPUTS, OUTPUTS),
            input_example=archive.example,
        )
        client.log_model_artifacts(logged.model_id, folder)
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    return str(logged.model_id)


def set_tags(store: Store, run_id: str, tags: Mapping[str, str]) -> None:
    """Set tags of a run, in one request."""
    store.client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])


def read_artifact(store: Store, run_id: str, path: str) -> bytes | None:
    """Read a file of a run; None where the run or the file is gone."""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            return Path(store.client.download_artifacts(run_id, path, scratch)).read_bytes()
        except FileNotFoundError:
            return None
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise


def classify(store: Store, model_uri: str, images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Load a registered model and return its class probabilities, shape (n, 10); images: uint8, (n, 28, 28, 1).

    Raises TrackingError when there is no such model, or when it refuses to load: its archive was changed.
    """
    name, _, alias = model_uri.removeprefix("models:/").partition("@")
    try:
        store.client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        raise TrackingError(f"{model_uri}: is not in the run store; run `dvc repro` to register it") from error
    try:
        model = mlflow.pyfunc.load_model(model_uri)
    except MlflowException as error:
        raise TrackingError(f"{model_uri}: {' '.join(str(error).split())}") from error
    probabilities: np.ndarray[Any, Any] = model.predict(images)["probabilities"]
    return probabilities
