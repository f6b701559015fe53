"""A network as MLflow keeps it: logged with the code that serves it, and loaded again."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
import numpy as np
from mlflow.entities import LoggedModelOutput
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

from fashion_mnist.data.description import DataSet
from pipeline.store.connection import Store, TrackingError
from pipeline.store.serving import ADDED, digest_folder, library_from, refuse_changed

SERVED_CODE = Path(__file__).with_name("serving.py")
# The tag of a logged model with the digests of its files; it is in the store's database, not beside the files.
CONTENT = "content"
CODE = "code"


class Archive(NamedTuple):
    """A network to be logged as a model: its file, the file's sha256, the library, the packages it needs, its data."""

    path: Path
    sha256: str
    code: Path
    requirements: Sequence[str]
    dataset: DataSet


def log_model(store: Store, run_id: str, archive: Archive, *, name: str, tags: Mapping[str, str]) -> str:
    """Log a network in a run, with the code that serves it; returns the id of the logged model.

    Not by mlflow.pyfunc.log_model, which loads what it logs, and TensorFlow with it.
    """
    client = store.client
    logged = client.create_logged_model(store.experiment_id, name=name, source_run_id=run_id, tags=dict(tags))
    with tempfile.TemporaryDirectory() as scratch:
        folder, code = f"{scratch}/model", Path(scratch, CODE)
        shutil.copytree(archive.code, code / archive.code.name, ignore=shutil.ignore_patterns(*ADDED))
        mlflow.pyfunc.save_model(
            folder,
            mlflow_model=Model(
                artifact_path=logged.artifact_location,
                model_uuid=logged.model_id,
                run_id=run_id,
                model_id=logged.model_id,
            ),
            python_model=str(SERVED_CODE),
            # A copy: DVC may have put a link to its cache in the file's place, and MLflow refuses links.
            artifacts={"archive": shutil.copyfile(archive.path, f"{scratch}/{archive.path.name}")},
            model_config={
                "sha256": archive.sha256,
                "code": digest_folder(code),
                "classes": list(archive.dataset.classes),
                "shape": list(archive.dataset.image_shape),
                "is_resampled": archive.dataset.is_resampled,
            },
            code_paths=[str(code / archive.code.name)],
            pip_requirements=list(archive.requirements),
            signature=signature_of(archive.dataset),
            input_example=np.zeros((1, *archive.dataset.image_shape), np.uint8),
        )
        client.set_logged_model_tags(logged.model_id, {CONTENT: json.dumps(digest_parts(Path(folder)))})
        client.log_model_artifacts(logged.model_id, folder)
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    return str(logged.model_id)


def signature_of(dataset: DataSet) -> ModelSignature:
    """Return what a network for some data takes and gives."""
    probabilities = TensorSpec(np.dtype(np.float32), (-1, len(dataset.classes)), "probabilities")
    inputs = Schema([TensorSpec(np.dtype(np.uint8), (-1, *dataset.image_shape))])
    return ModelSignature(inputs, Schema([probabilities, TensorSpec(np.dtype("str"), (-1,), "names")]))


class Registered(NamedTuple):
    """A loaded model: what it was logged with, and the function that maps images to what it answers."""

    config: Mapping[str, Any]
    predict: Callable[[np.ndarray[Any, Any]], Mapping[str, np.ndarray[Any, Any]]]


@contextmanager
def load_registered(store: Store, model_uri: str) -> Iterator[Registered]:
    """Load a registered model for the time of the block.

    Raises TrackingError when there is no such model, or if any of its files was changed after it was registered.
    """
    name, _, alias = model_uri.removeprefix("models:/").partition("@")
    try:
        version = store.client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        raise TrackingError(f"{model_uri}: is not in the run store; run `dvc repro` to register it") from error
    with tempfile.TemporaryDirectory() as scratch:
        try:
            folder = copy_registered(store, model_uri, str(version.source), Path(scratch))
            with library_from(folder / CODE):
                model = mlflow.pyfunc.load_model(str(folder))
            yield Registered(model.model_config, model.predict)
        except MlflowException as error:
            raise TrackingError(f"{model_uri}: {' '.join(str(error).split())}") from error


def copy_registered(store: Store, model_uri: str, source: str, scratch: Path) -> Path:
    """Copy a registered model's files, once they are shown to be those that were logged; returns their folder.

    source: the logged model, as models:/ID. The code among the files is not run before. A model that an older version
    of this project logged has no digest; its archive is checked when it is loaded.
    """
    folder = Path(mlflow.artifacts.download_artifacts(model_uri, dst_path=str(scratch)))
    for compiled in list(folder.rglob("__pycache__")):  # Python would run it in place of the code
        shutil.rmtree(compiled)
    recorded = store.client.get_logged_model(source.removeprefix("models:/")).tags.get(CONTENT)
    if recorded:
        expected, found = json.loads(recorded), digest_parts(folder)
        for part in sorted(expected.keys() | found.keys()):
            refuse_changed(part, found.get(part, "of no file"), expected.get(part, "no such file"))
    return folder


def digest_parts(folder: Path) -> dict[str, str]:
    """Return the sha256 of each of a model's files by path, and of its copy of the library as one."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {CODE: digest_folder(folder / CODE)} | {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in files.items()
        if not name.startswith(f"{CODE}/") and path.name not in ADDED
    }
