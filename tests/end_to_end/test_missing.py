"""What was deleted in MLflow comes back, alone; and a project that was moved, renamed or copied keeps its store."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from pipeline.bytes.formats import read_json
from pipeline.runtime.paths import PARAMS
from pipeline.store.connection import DATABASE
from pipeline.store.relocation import ADDRESSES, relocate
from pipeline.tools.demo import change_params
from tests.end_to_end.conftest import (
    EXPERIMENT,
    add_study,
    copy_workspace,
    describe_store,
    environment_of,
    run_dvc,
    run_module,
    runs_of,
    stages_in,
)
from tests.processes import run_python

pytestmark = pytest.mark.slow

SAID_AGAIN = "the store already holds its 3 runs"
Deletion = Callable[[MlflowClient, Path], Any]


@pytest.fixture
def moved(tracked: Path, tmp_path: Path) -> Path:
    """A copy of the complete workspace with its store, which says that its artifacts lie in the original."""
    return copy_workspace(tracked, tmp_path / "my pröject", store=True)


def client_of(folder: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{folder / 'tracking' / DATABASE}")


def track(folder: Path, **environment: str) -> str:
    done = run_module("track", folder=folder, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


def predict(folder: Path) -> "tuple[int, str]":
    images = folder / "data/raw/t10k-images-idx3-ubyte.gz"
    done = run_module("tools.predict", str(images), "--output", str(folder / "found.csv"), folder=folder)
    return done.returncode, done.stderr.strip()


def run_named(client: MlflowClient, name: str) -> str:
    return str(next(run.info.run_id for run in runs_of(client) if run.info.run_name.startswith(name)))


def logged_of(client: MlflowClient, alias: str) -> str:
    version = client.get_model_version_by_alias(EXPERIMENT, alias)
    return str(version.source).removeprefix("models:/")


def number_of(client: MlflowClient, alias: str) -> str:
    return str(client.get_model_version_by_alias(EXPERIMENT, alias).version)


def experiment_of(client: MlflowClient) -> str:
    found = client.get_experiment_by_name(EXPERIMENT)
    assert found is not None
    return str(found.experiment_id)


def change_file(folder: Path, name: str) -> None:
    for path in (folder / "tracking/artifacts/models").rglob(name):
        path.write_bytes(path.read_bytes() + b" ")


# What a person deletes; whether `mlflow gc` runs then; whether the champion can be served until `track` runs.
DELETIONS: dict[str, tuple[Deletion, bool, bool]] = {
    "the registered model": (lambda client, _: client.delete_registered_model(EXPERIMENT), False, False),
    "a version": (
        lambda client, _: client.delete_model_version(EXPERIMENT, number_of(client, "champion")), False, False
    ),
    "an alias": (lambda client, _: client.delete_registered_model_alias(EXPERIMENT, "champion"), False, False),
    "the other alias": (lambda client, _: client.delete_registered_model_alias(EXPERIMENT, "challenger"), False, True),
    "a run": (lambda client, _: client.delete_run(run_named(client, "cnn")), False, True),
    "a run for good": (lambda client, _: client.delete_run(run_named(client, "dense")), True, True),
    "a logged model": (lambda client, _: client.delete_logged_model(logged_of(client, "champion")), False, False),
    "the experiment": (lambda client, _: client.delete_experiment(experiment_of(client)), False, True),
    "the experiment for good": (lambda client, _: client.delete_experiment(experiment_of(client)), True, False),
    "all artifacts": (lambda _, folder: shutil.rmtree(folder / "tracking/artifacts"), False, False),
    "a byte of the networks": (lambda _, folder: change_file(folder, "model.keras"), False, False),
}  # fmt: skip


@pytest.mark.parametrize("what", DELETIONS)
def test_what_was_deleted_is_made_again_by_track_as_predict_says(what: str, moved: Path, tracked: Path) -> None:
    delete, for_good, serves = DELETIONS[what]
    relocate(moved / "tracking" / DATABASE, (moved / "tracking/artifacts").as_uri())
    client = client_of(moved)
    delete(client, moved)
    if for_good:
        address = f"sqlite:///{moved / 'tracking' / DATABASE}"
        collect = ["-m", "mlflow", "gc", "--backend-store-uri", address, "--tracking-uri", address]
        done = run_python(*collect, folder=moved, environment=environment_of())
        assert done.returncode == 0, done.stderr
    if not serves:
        code, said = predict(moved)
        assert code == 1
        assert "run `python -m pipeline.track`" in said
    track(moved)
    assert by_model(describe_store(client_of(moved))) == by_model(describe_store(client_of(tracked)))


def by_model(described: dict[str, Any]) -> dict[str, Any]:
    """Describe a store, with each version under its model in place of its number."""
    return {
        f"version of {value[0]}" if name.startswith("version ") else name: value for name, value in described.items()
    }


def test_file_of_a_run_that_was_deleted_is_logged_again_and_nothing_else_changes(moved: Path) -> None:
    client = client_of(moved)
    runs = [run.info.run_id for run in runs_of(client)]
    for name in ("cnn.csv", "report.html"):
        for path in (moved / "tracking/artifacts").rglob(name):
            path.unlink()
    assert f"{SAID_AGAIN}; files of 2 were missing, and are there again" in track(moved)
    assert SAID_AGAIN + "\n" in track(moved)
    assert [run.info.run_id for run in runs_of(client)] == runs


def test_file_of_a_study_that_was_deleted_is_logged_again(moved: Path) -> None:
    add_study(moved, seeds=1)
    track(moved)
    for path in (moved / "tracking/artifacts").rglob("study.json"):
        path.unlink()
    assert "runs; files of 1 were missing, and are there again" in track(moved)
    assert "were missing" not in track(moved)


def addresses_in(folder: Path) -> set[str]:
    """List all addresses of artifacts in a store, but for that of MLflow's own experiment, which nothing uses."""
    with closing(sqlite3.connect(folder / "tracking" / DATABASE)) as connection:
        return {
            str(address)
            for table, column in ADDRESSES
            for (address,) in connection.execute(f"SELECT {column} FROM {table}")  # noqa: S608 - names of ours
            if not str(address).endswith("/mlruns/0")
        }


def are_here(folder: Path) -> bool:
    """Say whether all artifacts lie beside the store."""
    here = (folder / "tracking/artifacts").as_uri()
    return all(address == here or address.startswith(f"{here}/") for address in addresses_in(folder))


def test_moved_project_serves_its_champion_and_keeps_runs_and_versions(moved: Path, tracked: Path) -> None:
    before = describe_store(client_of(tracked))
    former = (tracked / "tracking" / DATABASE).read_bytes()
    assert predict(moved) == (0, "")
    assert SAID_AGAIN in track(moved)
    assert describe_store(client_of(moved)) == before
    assert are_here(moved)
    assert (tracked / "tracking" / DATABASE).read_bytes() == former


def test_queued_experiment_of_a_moved_project_writes_to_its_store(moved: Path, tmp_path: Path) -> None:
    queued = copy_workspace(moved, tmp_path / "queued", store=False)
    assert SAID_AGAIN in track(queued, DVC_ROOT=str(moved))
    assert not (queued / "tracking" / DATABASE).exists()
    assert are_here(moved)


def test_project_behind_a_link_is_the_project_itself(moved: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(moved)
    assert SAID_AGAIN in track(link)
    assert are_here(moved)


def test_copied_database_without_its_artifacts_is_completed_and_leaves_the_original_alone(
    moved: Path, tracked: Path
) -> None:
    shutil.rmtree(moved / "tracking/artifacts")
    files = sorted(path for path in (tracked / "tracking/artifacts").rglob("*"))
    track(moved)
    assert SAID_AGAIN in track(moved)
    assert sorted(path for path in (tracked / "tracking/artifacts").rglob("*")) == files


def test_experiment_that_the_project_did_not_make_keeps_its_artifacts(moved: Path) -> None:
    client = client_of(moved)
    client.create_experiment("mine", artifact_location="file:///srv/mine")
    client.create_experiment("bucket", artifact_location="s3://bucket/tracking/artifacts")
    track(moved)
    assert {"file:///srv/mine", "s3://bucket/tracking/artifacts"} <= addresses_in(moved)


def test_champion_is_scored_again_when_only_the_test_images_change(moved: Path) -> None:
    change_params(moved / PARAMS, {"download.synthetic.test_images": 250})
    done = run_dvc("repro", workspace=moved)
    assert done.returncode == 0, done.stderr
    assert not any(stage.startswith("train") for stage in stages_in(done.stdout))
    accuracy = f"{100 * read_json(moved / 'reports/metrics/cnn.json')['validation_accuracy']:.2f} %"
    # The networks are the same, and so are their answers, by evaluate and by the registered model.
    beaten = f"does not beat the champion, cnn, {accuracy} on the present images"
    assert f"not promoted: cnn reaches {accuracy} on validation and {beaten}" in done.stdout
    shutil.rmtree(moved / "data")  # on the same data, track opens no split
    assert SAID_AGAIN in track(moved)
