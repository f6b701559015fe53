"""Runs in MLflow: find, make, fill, close and delete them."""

import os
import platform
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModel, Metric, Param, Run, RunTag, ViewType
from mlflow.exceptions import MlflowException

from pipeline.store.connection import Store

# Tags that runs carry.
FINGERPRINT = "fingerprint"
STATE = "state"
LIVE = "live"
PARENT = "mlflow.parentRunId"
DESCRIPTION = "mlflow.note.content"


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


def find_runs(store: Store, **tags: str) -> list[Run]:
    """List the runs that carry all these tags, deleted ones excluded, oldest first."""
    query = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
    runs: list[Run] = []
    token: str | None = ""
    while token is not None:
        page = store.client.search_runs(
            [store.experiment_id],
            query,
            ViewType.ACTIVE_ONLY,
            max_results=1000,
            order_by=["start_time ASC"],
            page_token=token or None,
        )
        runs += page
        token = page.token or None
    return runs


def keep_finished(store: Store, runs: Sequence[Run], is_whole: Callable[[Run], bool] = lambda _: True) -> Run | None:
    """Return the first run that is finished and whole; delete all others, with the models logged in them."""
    kept = next((run for run in runs if run.info.status == "FINISHED" and is_whole(run)), None)
    for run in runs:
        if run is not kept:
            delete_run(store, run.info.run_id)
    return kept


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


def delete_run(store: Store, run_id: str) -> None:
    """Delete a run and what was logged as a model in it."""
    for model in find_logged(store, run_id):
        store.client.delete_logged_model(model.model_id)
    store.client.delete_run(run_id)


def find_logged(store: Store, run_id: str) -> list[LoggedModel]:
    """List what was logged as a model in a run, deleted ones excluded."""
    return list(store.client.search_logged_models([store.experiment_id], f"source_run_id = '{run_id}'"))


def start_run(store: Store, *, name: str, tags: Mapping[str, str]) -> str:
    """Make a run that counts as partial until it is finished; returns its id."""
    return str(store.client.create_run(store.experiment_id, tags=dict(tags), run_name=name).info.run_id)


def log_measures(
    store: Store, run_id: str, measures: Sequence[Measure], *, params: Mapping[str, Any] | None = None
) -> None:
    """Log metrics of no particular model or data set, and parameters, in one request."""
    now = int(time.time() * 1000)
    metrics = [Metric(measure.key, measure.value, now, measure.step) for measure in measures]
    store.client.log_batch(run_id, metrics=metrics, params=as_params(params or {}))


def as_params(values: Mapping[str, Any]) -> list[Param]:
    """Return parameters as MLflow takes them."""
    return [Param(key, str(value)) for key, value in values.items()]


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
    client.log_batch(run_id, metrics=metrics, params=as_params(content.params))
    log_files(store, run_id, content)


def log_files(store: Store, run_id: str, content: Content) -> None:
    """Log the files of a run's content."""
    client = store.client
    with tempfile.TemporaryDirectory() as scratch:
        for name, text in content.texts.items():
            (Path(scratch) / name).write_text(text)
        client.log_artifacts(run_id, scratch)
    for path, folder in content.files:
        if path.is_dir():
            client.log_artifacts(run_id, str(path), "/".join(filter(None, (folder, path.name))))
        else:
            client.log_artifact(run_id, str(path), folder or None)


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


def close_live_runs(store: Store) -> None:
    """Delete the live runs of finished trainings, whose results are in files, and close those of killed ones.

    A closed run stays; it has no fingerprint, so it belongs to no state. Running trainings are left alone, and so are
    those on other machines, since nobody can tell from here.
    """
    for live in find_runs(store, **{LIVE: "true"}):
        run_id, tags = live.info.run_id, live.data.tags
        if live.info.status == "FINISHED":
            delete_run(store, run_id)
        elif live.info.status == "RUNNING" and tags["host"] == platform.node() and not is_running(tags["process"]):
            close_run(store, run_id, "KILLED")


def is_running(process: str) -> bool:
    """Return whether a process is running on this machine."""
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
