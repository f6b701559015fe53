"""`dvc repro` as a user types it, on synthetic data in a workspace of its own."""

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.tools.demo import change_params
from tests.end_to_end.conftest import copy_workspace, run_dvc, stages_in

ALL = ["download", "normalize", "train@dense", "train@cnn", "evaluate", "report", "track"]


@pytest.fixture(scope="module")
def reproduced(tracked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_workspace(tracked, tmp_path_factory.mktemp("reproduced") / "clone")
    assert repro(folder) == ["track"]
    return folder


def repro(folder: Path, *arguments: str) -> list[str]:
    """Run `dvc repro` and list the stages that it ran."""
    done = run_dvc("repro", *arguments, workspace=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return stages_in(done.stdout)


def test_run_makes_everything_that_the_lock_lists(tracked: Path, reproduced: Path) -> None:
    assert sorted(stages_in(tracked.with_name("repro.log").read_text())) == sorted(ALL)
    lock = YAML(typ="safe").load(reproduced / "dvc.lock")["stages"]
    assert sorted(lock) == sorted(ALL)
    outputs = [out["path"] for stage in lock.values() for out in stage["outs"]]
    assert len(outputs) == len(set(outputs))
    assert all((reproduced / path).exists() for path in outputs)


def test_second_run_does_nothing(reproduced: Path) -> None:
    assert repro(reproduced) == []


@pytest.mark.slow
def test_changed_parameter_reruns_what_depends_on_it(reproduced: Path) -> None:
    change_params(reproduced / "params.yaml", {"train.dense.units": 16})
    assert repro(reproduced) == ["train@dense", "evaluate", "report", "track"]
    change_params(reproduced / "params.yaml", {"train.dense.units": 128})
    # DVC restores the rest from its run cache, which leaves out a stage whose page is neither cached nor a plot.
    assert repro(reproduced) == ["report", "track"]


@pytest.mark.slow
def test_same_inputs_give_the_same_bytes_in_another_process(reproduced: Path) -> None:
    files = [
        path.format(model) for model in ("dense", "cnn") for path in ("models/{}/model.keras", "reports/history/{}.csv")
    ]
    before = {name: (reproduced / name).read_bytes() for name in files}
    # Without the run cache, which would restore the files instead of making them.
    assert repro(reproduced, "--force", "--no-run-cache", "--single-item", "train@dense", "train@cnn") == [
        "train@dense",
        "train@cnn",
    ]
    assert {name: (reproduced / name).read_bytes() for name in files} == before


def test_metrics_and_plots_are_what_dvc_shows(reproduced: Path) -> None:
    shown = run_dvc("metrics", "show", workspace=reproduced).stdout.splitlines()
    assert [line.split()[0] for line in shown] == ["Path", "reports/metrics/cnn.json", "reports/metrics/dense.json"]
    scores = json.loads((reproduced / "reports/metrics/dense.json").read_text())
    assert set(shown[0].split()[1:]) == set(scores)
    plots = run_dvc("plots", "show", "--out", "plots", workspace=reproduced)
    assert plots.returncode == 0, plots.stderr
    page = (reproduced / "plots/index.html").read_text()
    for title in ("accuracy on validation", "confusion on test", "accuracy on shifted test images"):
        assert page.count(f'"text": "{title}"') == 2, title  # one for each model


def test_params_that_make_no_sense_stop_the_run_before_anything_is_lost(reproduced: Path) -> None:
    model = (reproduced / "models/cnn/model.keras").read_bytes()
    try:
        change_params(reproduced / "params.yaml", {"download.synthetic.seed": "seven"})
        done = run_dvc("repro", workspace=reproduced)
        assert done.returncode != 0
        assert "error: params.yaml: download.synthetic.seed is 'seven'; expected a valid integer" in done.stderr
        assert (reproduced / "models/cnn/model.keras").read_bytes() == model
    finally:
        change_params(reproduced / "params.yaml", {"download.synthetic.seed": 7})
