"""Runs in MLflow: what they hold, and how they are found, made, filled and deleted."""

import os
import platform
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import psutil
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModel, Metric, Param, Run

from pipeline.store.connection import Store, find

# Tags that runs carry.
FINGERPRINT = "fingerprint"
STATE = "state"
LIVE = "live"
HOST = "host"
PROCESS = "process"
PARENT = "mlflow.parentRunId"
DESCRIPTION = "mlflow.note.content"


class Measure(NamedTuple):
    """A metric; split: the data set of the run that it was measured on."""

    key: str
    value: float
    step: int = 0
    split: str | None = None


class Content(NamedTuple):
    """What a run holds: parameters, metrics, data sets by split, files by their folder in the run, texts by file name.

    costs: metrics that are of no model.
    """

    params: Mapping[str, Any]
    measures: Sequence[Measure]
    data: Mapping[str, Dataset] = {}
    files: Sequence[tuple[Path, str]] = ()
    texts: Mapping[str, str] = {}
    costs: Sequence[Measure] = ()


def find_runs(store: Store, **tags: str) -> list[Run]:
    """List the runs that carry all these tags, deleted ones excluded."""
    query = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
    return list(store.client.search_runs([store.experiment_id], query, max_results=50_000))


def start_run(store: Store, *, name: str, tags: Mapping[str, str]) -> str:
    """Make a run that counts as partial until it is finished, and name the process that writes it; returns its id."""
    writer = {HOST: platform.node(), PROCESS: str(os.getpid())}
    return str(store.client.create_run(store.experiment_id, tags={**writer, **tags}, run_name=name).info.run_id)


def has_ended(run: Run) -> bool:
    """Return whether the process that writes a run is known to have ended; nobody can tell of another machine.

    This process counts as ended: whoever asks writes no run meanwhile.
    """
    host, process = run.data.tags.get(HOST), int(run.data.tags.get(PROCESS, 0))
    return host == platform.node() and (process == os.getpid() or not psutil.pid_exists(process))


def fill_run(store: Store, run_id: str, content: Content, *, model_id: str | None = None) -> None:
    """Log the content of a run; model_id: the logged model that its metrics are of."""
    now = int(time.time() * 1000)

    def metric(measure: Measure, **about: str | None) -> Metric:
        return Metric(measure.key, measure.value, now, measure.step, run_id=run_id, **about)

    if content.data:
        inputs = [DatasetInput(data, [InputTag("mlflow.data.context", split)]) for split, data in content.data.items()]
        store.client.log_inputs(run_id, inputs)
    metrics = [metric(cost) for cost in content.costs]
    for measure in content.measures:
        data = content.data[measure.split] if measure.split else None
        about = {"dataset_name": data.name, "dataset_digest": data.digest} if data else {}
        metrics.append(metric(measure, model_id=model_id, **about))
    params = [Param(key, str(value)) for key, value in content.params.items()]
    store.client.log_batch(run_id, metrics=metrics, params=params)
    log_files(store, run_id, content)


def log_files(store: Store, run_id: str, content: Content) -> None:
    """Log the files of a run's content."""
    client = store.client
    for name, text in content.texts.items():
        client.log_text(run_id, text, name)
    for path, folder in content.files:
        if path.is_dir():
            client.log_artifacts(run_id, str(path), "/".join(filter(None, (folder, path.name))))
        else:
            client.log_artifact(run_id, str(path), folder or None)


def restore_files(store: Store, run_id: str, content: Content) -> bool:
    """Log the files of a run again if one is missing; returns whether one was."""
    names = {PurePosixPath(name) for name in content.texts}
    for path, folder in content.files:
        below = [file.relative_to(path.parent) for file in path.rglob("*") if file.is_file()] if path.is_dir() else []
        names |= {PurePosixPath(folder, *file.parts) for file in below or [Path(path.name)]}
    held = {
        PurePosixPath(file.path)
        for folder in {name.parent for name in names}
        for file in store.client.list_artifacts(run_id, None if folder == PurePosixPath() else str(folder))
    }
    if names <= held:
        return False
    log_files(store, run_id, content)
    return True


def read_artifact(store: Store, run_id: str, path: str) -> bytes | None:
    """Read a file of a run; None where the run or the file is gone."""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            found = find(store.client.download_artifacts, run_id, path, scratch)
        except FileNotFoundError:
            return None
        return Path(found).read_bytes() if found else None


def find_logged(store: Store, run_id: str) -> list[LoggedModel]:
    """List what was logged as a model in a run, deleted ones excluded."""
    return list(store.client.search_logged_models([store.experiment_id], f"source_run_id = '{run_id}'"))


def models_of(run: Run) -> list[str]:
    """List the ids of the models that a run says were logged in it."""
    return [output.model_id for output in run.outputs.model_outputs] if run.outputs else []


def delete_run(store: Store, run: Run) -> None:
    """Delete a run and what was logged as a model in it; another process may have been quicker."""
    for model in find_logged(store, run.info.run_id):
        find(store.client.delete_logged_model, model.model_id)
    store.client.delete_run(run.info.run_id)


def close_live_runs(store: Store) -> None:
    """Delete the live runs of finished trainings, whose results are in files, and close those of killed ones.

    A closed run stays; it has no fingerprint, so it belongs to no state. Running trainings are left alone.
    """
    for live in find_runs(store, **{LIVE: "true"}):
        if live.info.status == "FINISHED":
            delete_run(store, live)
        elif live.info.status == "RUNNING" and has_ended(live):
            store.client.set_terminated(live.info.run_id, "KILLED")
