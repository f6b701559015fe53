"""What `dvc repro` has produced stands in MLflow, complete and exactly once."""

import json
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from pipeline.runtime.lock import dvc_digest
from pipeline.tools.demo import change_params
from tests.end_to_end.conftest import (
    COSTS,
    describe_run,
    describe_store,
    environment_of_dvc,
    run_dvc,
    run_module,
    run_real_module,
    run_script,
    runs_of,
)

pytestmark = pytest.mark.slow

Reader = Callable[[Path], MlflowClient]


def test_one_parent_with_a_nested_run_for_each_model(tracked: Path, read_store: Reader) -> None:
    client = read_store(tracked)
    cnn, dense, parent = runs_of(client)
    assert [run.info.run_name for run in (cnn, dense)] == ["cnn", "dense"]
    assert {run.info.status for run in (cnn, dense, parent)} == {"FINISHED"}
    assert {run.data.tags["mlflow.parentRunId"] for run in (cnn, dense)} == {parent.info.run_id}
    metrics = json.loads((tracked / "reports/metrics/cnn.json").read_text())
    assert {key: cnn.data.metrics[key] for key in metrics} == metrics
    recalls = [value for key, value in cnn.data.metrics.items() if key.startswith("recall_")]
    assert len(recalls) == 10
    # The test split holds equally many images of each class.
    assert sum(recalls) / 10 == pytest.approx(metrics["accuracy"])
    assert {"recall_t_shirt_top", "precision_ankle_boot"} <= set(cnn.data.metrics)
    assert parent.data.params["train.cnn.epochs"] == cnn.data.params["epochs"] == "2"
    accuracy = f"{100 * metrics['accuracy']:.2f} %"
    assert accuracy in parent.data.tags["mlflow.note.content"]
    assert parent.data.tags["git.commit"].startswith("none: ")


def test_metrics_have_a_point_per_epoch_and_name_model_and_data(tracked: Path, read_store: Reader) -> None:
    client = read_store(tracked)
    described = describe_store(client)
    history = (tracked / "reports/history/cnn.csv").read_text().splitlines()[1:]
    losses = [(int(row.split(",")[0]), float(row.split(",")[1])) for row in history]
    assert described["cnn"]["metrics"]["epoch_loss"] == losses
    data = json.loads((tracked / "reports/data.json").read_text())
    linked = {key: digest for key, _, digest in described["model cnn"][3]}
    assert linked["accuracy"] == data["test"]["images_sha256"][:36]
    assert linked["validation_accuracy"] == data["validation"]["images_sha256"][:36]


def test_artifacts_are_the_files_of_the_reports(tracked: Path, read_store: Reader) -> None:
    described = describe_store(read_store(tracked))
    parent = next(run for name, run in described.items() if name.startswith("pipeline"))
    assert {"params.yaml", "dvc.lock", "reports/report.md", "reports/comparison.json"} <= set(parent["files"])
    assert {"reports/report.html", "reports/figures/confusion_cnn.svg"} <= set(parent["files"])
    assert {"predictions/cnn.csv", "metrics/cnn.json", "confusion.csv", "history.csv"} == set(described["cnn"]["files"])


def test_aliases_mark_the_best_on_validation_and_the_other(tracked: Path, read_store: Reader) -> None:
    client = read_store(tracked)
    scores = {
        name: json.loads((tracked / f"reports/metrics/{name}.json").read_text())["validation_accuracy"]
        for name in ("dense", "cnn")
    }
    best = max(scores, key=lambda name: scores[name])
    (other,) = set(scores) - {best}
    by_alias = {
        alias: client.get_model_version_by_alias("fashion-mnist", alias) for alias in ("champion", "challenger")
    }
    assert {alias: version.tags["model"] for alias, version in by_alias.items()} == {
        "champion": best,
        "challenger": other,
    }
    assert by_alias["champion"].tags["promotion"].startswith(f"promoted: {best} reaches ")
    assert float(by_alias["champion"].tags["validation_accuracy"]) == scores[best]


def test_stages_that_ran_say_what_they_cost_and_those_that_were_restored_do_not(
    tracked: Path, clone: Path, read_store: Reader
) -> None:
    cnn, dense, parent = runs_of(read_store(tracked))
    known = {key for run in (cnn, dense, parent) for key, value in run.data.metrics.items() if value > 0}
    assert known >= COSTS
    for run in (cnn, dense):
        record = json.loads((tracked / f"tracking/costs/workspace.train@{run.info.run_name}.json").read_text())
        costs = {f"train_{measure}": value for measure, value in record["cost"].items()}
        assert {key: value for key, value in run.data.metrics.items() if key in COSTS} == costs
        # The throughput is that of computing; the seconds are those of the whole stage.
        images = int(run.data.params["epochs"]) * 500
        assert images / run.data.metrics["train_images_per_second"] < run.data.metrics["train_seconds"]
    assert parent.data.metrics["normalize_images_per_second"] * parent.data.metrics["normalize_seconds"] == (
        pytest.approx(800)
    )
    assert run_module("track", folder=clone).returncode == 0
    assert not any(set(run.data.metrics) & COSTS for run in runs_of(read_store(clone)))


def test_cost_of_another_state_is_left_out(tracked: Path, clone: Path, read_store: Reader) -> None:
    shutil.copytree(tracked / "tracking/costs", clone / "tracking/costs")
    # As if another run of the stage had written it.
    page, lock = clone / "reports/report.md", clone / "dvc.lock"
    before = dvc_digest(page)
    page.write_text(page.read_text() + "changed\n")
    lock.write_text(lock.read_text().replace(before, dvc_digest(page)))
    assert run_module("track", folder=clone).returncode == 0
    *_, parent = runs_of(read_store(clone))
    assert "evaluate_seconds" in parent.data.metrics
    assert "report_seconds" not in parent.data.metrics


def test_six_repros_leave_the_same_runs_as_one(clone: Path, read_store: Reader) -> None:
    assert run_dvc("repro", workspace=clone).returncode == 0
    first = read_store(clone)
    six = (
        "from pathlib import Path\n"
        "from dvc.cli import main\n"
        "for number in range(6):\n"
        "    if number in (2, 3):\n"
        "        Path('tracking/receipt.json').unlink()\n"
        "    assert main(['repro']) == 0\n"
    )
    done = run_script(six, folder=clone, **environment_of_dvc(clone))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Running stage 'track'") == 2
    assert done.stdout.count("Data and pipelines are up to date") == 4
    last = read_store(clone)
    assert [run.to_dictionary() for run in runs_of(last)] == [run.to_dictionary() for run in runs_of(first)]
    assert describe_store(last) == describe_store(first)


def test_deleted_store_comes_back_the_same(tracked: Path, clone: Path, read_store: Reader) -> None:
    before = describe_store(read_store(tracked))
    receipt = (tracked / "tracking/receipt.json").read_bytes()
    shutil.rmtree(clone / "tracking")
    done = run_dvc("repro", workspace=clone)
    assert done.returncode == 0, done.stderr
    assert "Running stage 'track'" in done.stdout
    assert "Running stage 'report'" not in done.stdout
    assert describe_store(read_store(clone)) == before
    assert (clone / "tracking/receipt.json").read_bytes() == receipt
    assert "Data and pipelines are up to date" in run_dvc("repro", workspace=clone).stdout


@pytest.mark.parametrize("call", ["create_run", "create_logged_model", "log_outputs", "set_registered_model_alias"])
def test_killed_half_way_is_completed_by_the_next(tracked: Path, clone: Path, read_store: Reader, call: str) -> None:
    dies = (
        "import os, pipeline.track as track\n"
        "from pipeline.store.connection import MlflowClient\n"
        f"original, calls = MlflowClient.{call}, iter(range(9))\n"
        "def wrapper(*args, **kwargs):\n"
        "    done = original(*args, **kwargs)\n"
        "    next(calls) and os.kill(os.getpid(), 9)\n"
        "    return done\n"
        f"MlflowClient.{call} = wrapper\n"
        "track.main([])\n"
    )
    assert run_script(dies, folder=clone).returncode == -signal.SIGKILL
    assert not (clone / "tracking/receipt.json").exists()
    assert run_module("track", folder=clone).returncode == 0
    assert describe_store(read_store(clone)) == describe_store(read_store(tracked))


def test_missing_nested_run_is_rebuilt_alone(clone: Path, read_store: Reader, tracked: Path) -> None:
    assert run_module("track", folder=clone).returncode == 0
    client = MlflowClient(f"sqlite:///{clone / 'tracking/mlflow.db'}")
    cnn, dense, parent = runs_of(client)
    client.delete_run(dense.info.run_id)
    assert run_module("track", folder=clone).returncode == 0
    assert [run.info.run_id for run in runs_of(client)][::2] == [cnn.info.run_id, parent.info.run_id]
    names = {parent.info.run_id: parent.info.run_name}
    rebuilt = describe_run(client, runs_of(client)[1], names)
    assert rebuilt == describe_store(read_store(tracked))["dense"]


def test_changed_parameter_makes_a_second_state(clone: Path, read_store: Reader) -> None:
    assert run_module("track", folder=clone).returncode == 0
    change_params(clone / "params.yaml", {"gate.margin": 0.02})
    done = run_dvc("repro", workspace=clone)
    assert "Running stage 'track'" in done.stdout
    client = read_store(clone)
    assert len(runs_of(client)) == 6
    assert len(client.search_model_versions("name = 'fashion-mnist'")) == 2  # the same models, judged otherwise


def test_model_that_is_not_the_one_in_dvc_lock_is_refused(clone: Path) -> None:
    archive = clone / "models/cnn/model.keras"
    content = archive.read_bytes()
    archive.unlink()
    archive.write_bytes(content + b"x")
    done = run_module("track", folder=clone)
    assert done.returncode == 1
    assert done.stderr.startswith("error: models/cnn/model.keras: md5 is ")
    assert len(done.stderr.splitlines()) == 1


def test_server_that_is_down_takes_one_line_and_leaves_the_files_alone(clone: Path) -> None:
    before = (clone / "models/cnn/model.keras").read_bytes()
    started = time.monotonic()
    done = run_real_module("track", folder=clone, MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: http://127.0.0.1:9: the run store failed (")
    assert time.monotonic() - started < 60
    assert (clone / "models/cnn/model.keras").read_bytes() == before
    assert not (clone / "tracking/receipt.json").exists()
    shutil.rmtree(clone / "tracking")


def test_model_that_dvc_links_to_its_cache_is_logged_as_a_file(clone: Path, tmp_path: Path) -> None:
    model = clone / "models/cnn/model.keras"
    model.rename(tmp_path / "object")
    model.symlink_to(tmp_path / "object")
    done = run_module("track", folder=clone)
    assert done.returncode == 0, done.stderr
    logged = list((clone / "tracking").rglob("model.keras"))
    assert len(logged) == 2
    assert not any(path.is_symlink() for path in logged)
    assert model.read_bytes() in [path.read_bytes() for path in logged]
