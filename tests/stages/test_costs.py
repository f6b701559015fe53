"""What a stage cost is kept beside the run store, as long as its files are there, and never in a stage's way."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.runtime import command
from pipeline.runtime.costs import Work, peak_memory, read_costs, record_cost
from pipeline.tools.demo import PROJECT

RESULT = Path("result.json")


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A folder with a result in it, and the environment of a stage that DVC runs there."""
    monkeypatch.chdir(tmp_path)
    for name in ("DVC_ROOT", "DVC_EXP_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DVC_STAGE", "normalize")
    RESULT.write_text("one")
    return monkeypatch


def test_cost_is_read_back_by_stage(stage: pytest.MonkeyPatch) -> None:
    record_cost(Work([RESULT], images=50))
    cost = read_costs()["normalize"]
    assert set(cost) == {"seconds", "images_per_second", "peak_memory_mebibytes"}
    assert cost["images_per_second"] == pytest.approx(50 / cost["seconds"])
    stage.setenv("DVC_STAGE", "../dvc.yaml:train@cnn")  # as DVC says in another folder than that of dvc.yaml
    record_cost(Work([RESULT], images=50, seconds=0.5))
    assert read_costs()["train@cnn"]["images_per_second"] == 100
    assert read_costs()["normalize"] == cost


def test_cost_of_what_is_no_longer_there_does_not_count(stage: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    record_cost(Work([RESULT], images=50))
    RESULT.write_text("another")
    assert read_costs() == {}
    RESULT.write_text("one")
    assert set(read_costs()) == {"normalize"}
    RESULT.unlink()
    assert read_costs() == {}


def test_damaged_record_does_not_count(stage: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    record_cost(Work([RESULT], images=50))
    (record,) = Path("tracking/costs").iterdir()
    record.write_text(record.read_text()[:40])
    assert read_costs() == {}


def test_experiments_keep_records_of_their_own_in_the_projects_store(stage: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # As DVC runs a queued experiment: in a copy of the project, of which nothing stays.
    copy = tmp_path / ".dvc/tmp/exps/copy"
    copy.mkdir(parents=True)
    record_cost(Work([RESULT], images=50))
    stage.setenv("DVC_ROOT", str(tmp_path))
    stage.setenv("DVC_EXP_NAME", "wider")
    stage.chdir(copy)
    RESULT.write_text("wider")
    record_cost(Work([RESULT], images=10_000))
    assert not (copy / "tracking").exists()
    wider = read_costs()["normalize"]
    stage.chdir(tmp_path)
    assert read_costs()["normalize"] != wider


@pytest.mark.parametrize("dvc", [True, False])
def test_stage_leaves_a_record_where_dvc_runs_it_and_nothing_elsewhere(stage: pytest.MonkeyPatch, dvc: bool) -> None:
    if not dvc:
        stage.delenv("DVC_STAGE")
    with pytest.raises(SystemExit) as ended:
        command.run(lambda: Work([RESULT], images=50))
    assert ended.value.code == 0
    assert Path("tracking").exists() == dvc
    assert list(read_costs()) == (["normalize"] if dvc else [])


@pytest.mark.parametrize("fault", ["folder", "result"])
def test_stage_whose_cost_cannot_be_recorded_succeeds(
    stage: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    _ = stage
    if fault == "folder":
        Path("tracking").write_text("a file where a folder belongs")
    else:
        RESULT.unlink()
    with pytest.raises(SystemExit) as ended:
        command.run(lambda: Work([RESULT], images=50))
    assert ended.value.code == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: the cost of this stage was not recorded. ")
    assert ("tracking/costs" if fault == "folder" else "result.json: cannot be read") in line


def test_failed_stage_leaves_no_record(stage: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    def fail() -> Work:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit):
        command.run(fail)
    assert not Path("tracking").exists()


def test_peak_memory_is_that_of_this_process_and_not_of_the_one_that_started_it() -> None:
    ballast = b"x" * (600 << 20)
    done = subprocess.run(
        [sys.executable, "-c", "from pipeline.runtime.costs import peak_memory; print(peak_memory())"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert 10 < float(done.stdout) < 500
    assert peak_memory() > len(ballast) / 2**20


def test_seconds_count_what_the_stage_imports(stage: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stage.setenv("PYTHONPATH", f"{PROJECT}:{PROJECT / 'src'}")
    slow = (
        "import pipeline, time; time.sleep(1.5)\n"
        "from pathlib import Path\n"
        "from pipeline.runtime.command import run\n"
        "from pipeline.runtime.costs import Work\n"
        "run(lambda: Work([Path('result.json')], 1))\n"
    )
    subprocess.run([sys.executable, "-c", slow], cwd=tmp_path, check=True)
    (record,) = (tmp_path / "tracking/costs").iterdir()
    assert json.loads(record.read_text())["cost"]["seconds"] > 1.5
