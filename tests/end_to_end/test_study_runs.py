"""A study stands in MLflow as well, in an experiment of its own, each training exactly once."""

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from fashion_mnist.study.plan import Study
from pipeline.store.runs import PARENT
from tests.end_to_end.conftest import (
    STUDY_EXPERIMENT,
    add_study,
    copy_workspace,
    describe_run,
    describe_store,
    run_module,
    run_script,
    runs_of,
)

pytestmark = pytest.mark.slow

Reader = Callable[[Path], MlflowClient]


@pytest.fixture(scope="module")
def studied(tracked: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Study]:
    """A workspace with a study, both in the store; not to be changed."""
    folder = copy_workspace(tracked, tmp_path_factory.mktemp("study") / "clone")
    study = add_study(folder)
    done = run_module("track", folder=folder)
    assert done.returncode == 0, done.stderr
    return folder, study


def describe_study_runs(client: MlflowClient) -> dict[str, Any]:
    """Describe everything in the study's experiment but ids and times."""
    runs = runs_of(client, STUDY_EXPERIMENT)
    names = {run.info.run_id: run.info.run_name for run in runs}
    assert len(set(names.values())) == len(names), "a run is there twice"
    return {run.info.run_name: describe_run(client, run, names) for run in runs}


def test_each_training_is_a_nested_run_with_its_parameters_and_its_curve(
    studied: tuple[Path, Study], read_store: Reader
) -> None:
    folder, study = studied
    described = describe_study_runs(read_store(folder))
    (parent,) = set(described) - {trial.name for trial in study.trials}
    assert len(described) == 1 + len(study.trials) == 17
    assert {run["status"] for run in described.values()} == {"FINISHED"}
    assert {run["tags"].get(PARENT) for name, run in described.items() if name != parent} == {parent}

    for seed, expected in ((1, study.accuracies("other_cut", "cnn")[0]), (2, study.accuracies("other_cut", "cnn")[1])):
        run = described[f"cnn other cut, seed {seed}"]
        assert run["metrics"]["accuracy"] == [(0, expected)]
        assert run["params"].items() >= {"kind": "other_cut", "cut": str(seed), "seed": str(seed)}.items()
        assert run["params"].items() >= {"epochs": "3", "filters": "[32, 64]", "units": "128"}.items()
    trial = next(trial for trial in study.trials if trial.name == "cnn replicate, seed 2")
    losses = [(epoch, pytest.approx(loss, abs=1e-6)) for epoch, loss in enumerate(trial.history["val_loss"], start=1)]
    assert described[trial.name]["metrics"]["epoch_val_loss"] == losses
    assert "cut" not in described[trial.name]["params"]


def test_files_of_the_study_lie_in_the_folder_of_the_store(studied: tuple[Path, Study], read_store: Reader) -> None:
    folder, _ = studied
    experiment = read_store(folder).get_experiment_by_name(STUDY_EXPERIMENT)
    assert experiment is not None
    assert experiment.artifact_location.startswith((folder / "tracking").as_uri())
    assert not (folder / "mlruns").exists()


def test_nothing_is_logged_that_a_training_does_not_have(studied: tuple[Path, Study], read_store: Reader) -> None:
    described = describe_study_runs(read_store(studied[0]))
    assert set(described["dense article, seed 1"]["metrics"]) == {"epoch_loss", "epoch_accuracy", "accuracy"}
    sweep = described["dense sweep, 16 units, seed 2"]
    assert set(sweep["metrics"]) == {"epoch_loss", "epoch_accuracy", "epoch_val_loss", "epoch_val_accuracy"}
    assert (sweep["params"]["units"], sweep["params"]["seed"]) == ("16", "2")


def test_parent_sums_the_study_up_and_holds_its_files(studied: tuple[Path, Study], read_store: Reader) -> None:
    folder, study = studied
    parent = next(run for name, run in describe_study_runs(read_store(folder)).items() if name.startswith("study "))
    first, second = study.accuracies("replicate", "dense")
    assert parent["metrics"]["replicate_dense_accuracy_mean"] == [(0, pytest.approx((first + second) / 2))]
    assert parent["metrics"]["replicate_dense_accuracy_sd"] == [(0, pytest.approx(abs(first - second) / 2**0.5))]
    assert f"{50 * (first + second):.2f} %" in parent["tags"]["mlflow.note.content"]
    tables = {f"reports/study/predictions/{kind}/{model}.csv" for kind, model in study.predictions}
    assert set(parent["files"]) == {"reports/study.json", "reports/study/trials.csv", *tables}
    receipt = json.loads((folder / "tracking/receipt.json").read_text())
    assert receipt["study"] == parent["tags"]["fingerprint"]


def test_runs_of_the_pipeline_are_as_without_a_study(
    studied: tuple[Path, Study], tracked: Path, read_store: Reader
) -> None:
    assert describe_store(read_store(studied[0])) == describe_store(read_store(tracked))
    assert read_store(tracked).get_experiment_by_name(STUDY_EXPERIMENT) is None
    assert "study" not in json.loads((tracked / "tracking/receipt.json").read_text())


@pytest.mark.parametrize(("call", "after"), [("create_run", 9), ("log_batch", 9), ("log_artifact", 1)])
def test_killed_half_way_is_completed_by_the_next(
    studied: tuple[Path, Study], tmp_path: Path, read_store: Reader, call: str, after: int
) -> None:
    folder = copy_workspace(studied[0], tmp_path / "clone")
    dies = (
        "import os, pipeline.track as track\n"
        "from pipeline.store.connection import MlflowClient\n"
        f"original, projection = MlflowClient.{call}, track.project_study\n"
        "def project_study(*args):\n"
        f"    calls = iter(range({after}, -1, -1))\n"
        "    def wrapper(*args, **kwargs):\n"
        "        done = original(*args, **kwargs)\n"
        "        next(calls) or os.kill(os.getpid(), 9)\n"
        "        return done\n"
        f"    MlflowClient.{call} = wrapper\n"
        "    return projection(*args)\n"
        "track.project_study = project_study\n"
        "track.main([])\n"
    )
    assert run_script(dies, folder=folder).returncode == -signal.SIGKILL
    assert not (folder / "tracking/receipt.json").exists()
    done_before = {run.info.run_id for run in finished(read_store(folder))}
    assert 0 < len(done_before) < 17
    assert run_module("track", folder=folder).returncode == 0
    assert done_before <= {run.info.run_id for run in finished(read_store(folder))}
    assert describe_study_runs(read_store(folder)) == describe_study_runs(read_store(studied[0]))
    assert (folder / "tracking/receipt.json").read_bytes() == (studied[0] / "tracking/receipt.json").read_bytes()


def finished(client: MlflowClient) -> list[Any]:
    return [run for run in runs_of(client, STUDY_EXPERIMENT) if run.info.status == "FINISHED"]


def test_once_more_changes_nothing_and_another_state_comes_beside_the_first(
    studied: tuple[Path, Study], tracked: Path, tmp_path: Path, read_store: Reader
) -> None:
    folder = copy_workspace(studied[0], tmp_path / "clone")
    assert run_module("track", folder=folder).returncode == 0
    first = [run.to_dictionary() for run in runs_of(read_store(folder), STUDY_EXPERIMENT)]
    assert run_module("track", folder=folder).returncode == 0
    assert [run.to_dictionary() for run in runs_of(read_store(folder), STUDY_EXPERIMENT)] == first

    add_study(folder, seeds=1)
    assert run_module("track", folder=folder).returncode == 0
    second = [run.to_dictionary() for run in runs_of(read_store(folder), STUDY_EXPERIMENT)]
    assert len(second) == len(first) + 9
    assert [run for run in second if run in first] == first

    shutil.copy(tracked / "reports/study.json", folder / "reports/study.json")
    done = run_module("track", folder=folder)
    assert "study" not in done.stdout
    assert "study" not in json.loads((folder / "tracking/receipt.json").read_text())
    assert len(runs_of(read_store(folder), STUDY_EXPERIMENT)) == len(second)


def test_table_that_the_study_does_not_describe_is_refused(studied: tuple[Path, Study], tmp_path: Path) -> None:
    folder = copy_workspace(studied[0], tmp_path / "clone")
    table = folder / "reports/study/trials.csv"
    table.write_text(table.read_text().replace("replicate,cnn,128,1,,1,", "replicate,cnn,128,1,,1,9"))
    done = run_module("track", folder=folder)
    assert done.returncode == 1
    assert done.stderr.startswith("error: reports/study/trials.csv: ")
    assert len(done.stderr.splitlines()) == 1
