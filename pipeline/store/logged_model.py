"""A network as MLflow keeps it: logged with the code that serves it, and loaded again."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
import numpy as np
from mlflow.entities import LoggedModelOutput
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

import fashion_mnist
from fashion_mnist.data.description import DataSet
from pipeline.runtime.files import file_digest
from pipeline.store.connection import Store, TrackingError, find
from pipeline.store.serving import ADDED, LIBRARY, describe_change, digest_folder, library_from

SERVED_CODE = Path(__file__).with_name("serving.py")
LIBRARY_FOLDER = Path(fashion_mnist.__file__).parent
# What a served model needs, in the versions that are installed here.
PACKAGES = ("keras", "mlflow", "numpy", "pydantic", "scipy", "tensorflow")
# The tag of a logged model with the digests of its files; it is in the store's database, not beside the files.
CONTENT = "content"
CODE_FOLDER = "code"
MAKE_AGAIN = "run `python -m pipeline.track`, which registers the models of the present state again"


class Network(NamedTuple):
    """A network to be logged as a model: its archive, and the data that it was trained on."""

    archive: Path
    dataset: DataSet


def log_model(store: Store, run_id: str, network: Network, *, name: str, tags: Mapping[str, str]) -> str:
    """Log a network in a run, with the code that serves it; returns the id of the logged model.

    Not by mlflow.pyfunc.log_model, which loads what it logs, and TensorFlow with it.
    """
    client, (archive, dataset) = store.client, network
    logged = client.create_logged_model(store.experiment_id, name=name, source_run_id=run_id, tags=dict(tags))
    with tempfile.TemporaryDirectory() as scratch:
        folder, code = f"{scratch}/model", Path(scratch, CODE_FOLDER)
        shutil.copytree(LIBRARY_FOLDER, code / LIBRARY, ignore=shutil.ignore_patterns(*ADDED))
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
            artifacts={"archive": shutil.copyfile(archive, f"{scratch}/{archive.name}")},
            model_config={
                "sha256": file_digest(archive),
                "code": digest_folder(code),
                "classes": list(dataset.classes),
                "shape": list(dataset.image_shape),
                "is_resampled": dataset.is_resampled,
            },
            code_paths=[str(code / LIBRARY)],
            pip_requirements=[f"{package}=={version(package)}" for package in PACKAGES],
            signature=signature_of(dataset),
            input_example=np.zeros((1, *dataset.image_shape), np.uint8),
        )
        client.set_logged_model_tags(logged.model_id, {CONTENT: json.dumps(digest_parts(Path(folder)))})
        client.log_model_artifacts(logged.model_id, folder)
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    store.whole.add(logged.model_id)
    return str(logged.model_id)


def signature_of(dataset: DataSet) -> ModelSignature:
    """Return what a network for some data takes and gives."""
    probabilities = TensorSpec(np.dtype(np.float32), (-1, len(dataset.classes)), "probabilities")
    inputs = Schema([TensorSpec(np.dtype(np.uint8), (-1, *dataset.image_shape))])
    return ModelSignature(inputs, Schema([probabilities, TensorSpec(np.dtype("str"), (-1,), "names")]))


class LoadedModel(NamedTuple):
    """A loaded model: what it was logged with, and the function that maps images to what it answers."""

    config: Mapping[str, Any]
    predict: Callable[[np.ndarray[Any, Any]], Mapping[str, np.ndarray[Any, Any]]]


@contextmanager
def load_registered(store: Store, model_uri: str) -> Iterator[LoadedModel]:
    """Load a registered model for the time of the block.

    Raises TrackingError when there is no such model, or if any of its files was changed after it was registered.
    """
    name, _, alias = model_uri.removeprefix("models:/").partition("@")
    registered = find(store.client.get_model_version_by_alias, name, alias)
    if registered is None:
        raise TrackingError(f"{model_uri}: is not in the run store; {MAKE_AGAIN}")
    with tempfile.TemporaryDirectory() as scratch:
        if fault := copy_logged(store, str(registered.source), Path(scratch)):
            raise TrackingError(f"{model_uri}: {fault}; {MAKE_AGAIN}")
        try:
            yield load_copy(Path(scratch))
        except MlflowException as error:
            raise TrackingError(f"{model_uri}: {' '.join(str(error).split())}") from error


def load_copy(folder: Path) -> LoadedModel:
    """Load a model from a copy of its files, by the code among them; older ones import some of it when they predict."""
    with library_from(folder / CODE_FOLDER):
        model = mlflow.pyfunc.load_model(str(folder))

    def predict(images: np.ndarray[Any, Any]) -> Mapping[str, np.ndarray[Any, Any]]:
        with library_from(folder / CODE_FOLDER):
            answer: Mapping[str, np.ndarray[Any, Any]] = model.predict(images)
        return answer

    return LoadedModel(model.model_config, predict)


def copy_logged(store: Store, source: str, folder: Path) -> str | None:
    """Copy a logged model's files into a folder; returns what is wrong with them, None if they are those logged.

    source: the logged model, as models:/ID. The code among the files is not run before. A model that an older version
    of this project logged has no digest; its archive is checked when it is loaded.
    """
    model_id = source.removeprefix("models:/")
    logged = find(store.client.get_logged_model, model_id)
    if logged is None:
        return "its logged model was deleted"
    if not store.client.list_logged_model_artifacts(model_id):
        return "its files are gone"
    mlflow.artifacts.download_artifacts(source, dst_path=str(folder))
    for compiled in list(folder.rglob("__pycache__")):  # Python would run it in place of the code
        shutil.rmtree(compiled)
    found = digest_parts(folder)
    expected = json.loads(logged.tags[CONTENT]) if CONTENT in logged.tags else found
    for part, digest in sorted(expected.items()):
        if part not in found:
            return f"{part} is missing"
        if found[part] != digest:
            return describe_change(part, found[part], digest)
    added = found.keys() - expected.keys()
    return f"{min(added)} was added after it was registered" if added else None


def find_fault(store: Store, source: str) -> str | None:
    """Return what is wrong with a logged model, models:/ID; None if it is there and whole."""
    model_id = source.removeprefix("models:/")
    if model_id in store.whole and find(store.client.get_logged_model, model_id) is not None:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        fault = copy_logged(store, source, Path(scratch))
    if fault is None:
        store.whole.add(model_id)
    return fault


def digest_parts(folder: Path) -> dict[str, str]:
    """Return the sha256 of each of a model's files by path, and of its copy of the library as one."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {CODE_FOLDER: digest_folder(folder / CODE_FOLDER)} | {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in files.items()
        if not name.startswith(f"{CODE_FOLDER}/") and path.name not in ADDED
    }
