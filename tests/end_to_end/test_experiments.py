"""Experiments of DVC, run at once or from its queue, stand in the store under their names."""

import json
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from pipeline.tools.demo import PROJECT
from tests.end_to_end.conftest import run_dvc, runs_of, stages_in

pytestmark = pytest.mark.slow


def dvc(folder: Path, *arguments: str) -> str:
    done = run_dvc(*arguments, workspace=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


@pytest.fixture
def repository(clone: Path) -> Iterator[Path]:
    """A clone of git with everything committed, in which DVC may make commits for its experiments."""
    (clone / ".gitignore").write_text((PROJECT / ".gitignore").read_text())
    (clone / ".dvc/.gitignore").write_text((PROJECT / ".dvc/.gitignore").read_text() + "/site-cache\n")
    (clone / ".dvc/config").write_text((PROJECT / ".dvc/config").read_text())
    for command in (
        "init --quiet",
        "config user.name tester",
        "config user.email tester@example.org",
        "add --all",
        "commit --quiet --message one",
    ):
        subprocess.run(["git", *command.split()], cwd=clone, check=True)
    yield clone
    run_dvc("queue", "stop", "--kill", workspace=clone)


def state_named(runs: list[Any], name: str) -> list[Any]:
    """The run of an experiment and those nested in it."""
    (parent,) = [run for run in runs if run.info.run_name == name]
    return [parent, *(run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id)]


def test_experiments_stand_in_the_store_under_their_names(repository: Path) -> None:
    ran = dvc(repository, "exp", "run", "--name", "wider", "--set-param", "gate.margin=0.02")
    assert stages_in(ran) == ["track"]
    # The queued one also runs a stage before, whose cost its process leaves in the project's store.
    dvc(repository, "exp", "run", "--queue", "--name", "queued", "--set-param", "report.article.cnn.test=0.92")
    assert stages_in(dvc(repository, "exp", "run", "--run-all")) == ["report", "track"]

    runs = runs_of(MlflowClient(f"sqlite:///{repository / 'tracking/mlflow.db'}"))
    assert len(runs) == 6
    changed = {"wider": ("gate.margin", "0.02"), "queued": ("report.article.cnn.test", "0.92")}
    for name, (key, value) in changed.items():
        parent, *nested = state_named(runs, name)
        assert parent.data.params[key] == value
        assert sorted(run.info.run_name for run in nested) == ["cnn", "dense"]
        for run in (parent, *nested):
            assert (run.info.status, run.data.tags["dvc.experiment"]) == ("FINISHED", name)
    costs = {name: state_named(runs, name)[0].data.metrics.get("report_seconds", 0) for name in changed}
    assert costs["wider"] == 0 < costs["queued"]


def test_plots_draw_two_revisions_with_templates_of_dvc(repository: Path) -> None:
    curve = repository / "reports/position/cnn.csv"
    curve.write_text(curve.read_text().replace("\n1.000000,", "\n1.500000,"))
    plots = json.loads(dvc(repository, "plots", "diff", "HEAD", "--json"))["data"]
    for path in ("reports/history/cnn.csv", "reports/predictions/cnn.csv", "reports/position/cnn.csv"):
        (plot,) = [drawn for drawn in plots[path] if drawn["type"] == "vega"]
        assert sorted(plot["revisions"]) == ["HEAD", "workspace"], path
    assert "1.500000" in json.dumps(plots["reports/position/cnn.csv"])


def test_queued_experiment_runs_the_code_that_it_was_queued_with(repository: Path) -> None:
    """DVC runs it in a copy of the folder, which shares the environment, and so the editable install, with this one."""
    network, archive = repository / "src/fashion_mnist/networks/dense.py", repository / "models/dense/model.keras"
    before, relu = network.read_text(), archive.read_bytes()
    network.write_text(before.replace('"relu"', '"tanh"'))
    dvc(repository, "exp", "run", "--queue", "--name", "tanh")
    network.write_text(before)
    assert "train@dense" in stages_in(dvc(repository, "exp", "run", "--run-all"))
    assert archive.read_bytes() == relu
    dvc(repository, "exp", "apply", "tanh")
    with zipfile.ZipFile(archive) as trained:
        assert b'"tanh"' in trained.read("config.json")
    recorded, tanh = (repository / "dvc.lock").read_text(), archive.read_bytes()
    dvc(repository, "repro", "--force", "--single-item", "train@dense")
    assert (archive.read_bytes(), (repository / "dvc.lock").read_text()) == (tanh, recorded)
