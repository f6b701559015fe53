"""A network as MLflow keeps it: logged with the code that serves it, and loaded again."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
import numpy as np
from mlflow.entities import LoggedModelOutput
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

from fashion_mnist.data.fashion_mnist import CLASSES, INPUT_SHAPE
from pipeline.store.connection import Store, TrackingError

INPUTS = Schema([TensorSpec(np.dtype(np.uint8), (-1, *INPUT_SHAPE))])
OUTPUTS = Schema(
    [TensorSpec(np.dtype(np.float32), (-1, CLASSES), "probabilities"), TensorSpec(np.dtype("str"), (-1,), "names")]
)
SERVED_CODE = Path(__file__).with_name("serving.py")


class Archive(NamedTuple):
    """A network to be logged as a model: its file, the file's sha256, the packages it needs and an example of input."""

    path: Path
    sha256: str
    code: Path
    requirements: Sequence[str]
    example: np.ndarray[Any, Any]


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


def classify(store: Store, model_uri: str, images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Load a registered model and return its class probabilities, shape (n, 10); images: uint8, (n, 28, 28, 1).

    Raises TrackingError when there is no such model, or if its archive was changed after it was registered.
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
