"""A small study on this machine, for real: undisturbed, interrupted and killed. On clusters: test_cluster.py."""

import hashlib
import json
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from pipeline.study.tables import parse_replicates, parse_trials
from pipeline.tools.demo import PROJECT, change_params, make_workspace
from tests.end_to_end.conftest import (
    copy_workspace,
    environment_of,
    environment_of_dvc,
    run_dvc,
    run_module,
    with_forks,
)
from tests.processes import Process, run_python

pytestmark = pytest.mark.slow

SMALL_STUDY = {
    "download.dataset": "synthetic",
    "download.synthetic.train_images": 600,
    "download.synthetic.test_images": 200,
    "normalize.validation_images": 100,
    "train.dense.epochs": 2,
    "train.dense.jit_compile": False,  # compiling takes longer than training on so few images
    "study.replicates": {"dense": 2},
    "study.sweep": {"dense": {"units": [8], "epochs": 3, "seeds": 1}},
}
TRIALS = 7  # 2 replicates of 3 kinds, 1 size
ERRORS = "errors.log"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with normalized data, in which no trial ran; not to be changed."""
    folder = tmp_path_factory.mktemp("study") / "clone"
    make_workspace(folder, SMALL_STUDY, params=PROJECT / "tests/params.yaml")
    for stage in ("download", "normalize"):
        assert run_module(stage, folder=folder).returncode == 0
    return folder


class Disturbed(NamedTuple):
    """A study that was interrupted, then killed, then completed: its folder, and what was seen on the way."""

    folder: Path
    code: int
    said: str
    after_interrupt: dict[str, int]
    left_by_interrupt: int
    after_kill: dict[str, int]
    left_by_kill: int


@pytest.fixture(scope="module")
def disturbed(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Disturbed:
    folder = copy_workspace(workspace, tmp_path_factory.mktemp("disturbed") / "clone")
    with started(folder) as study:
        wait_until(lambda: len(stored(folder)) >= 1)
        study.send_signal(signal.SIGINT)
        code = study.wait(240)
    interrupted = (code, (folder / ERRORS).read_text(), stored(folder), len(trials_running(folder)))
    with started(folder) as study:
        wait_until(lambda: len(stored(folder)) >= len(interrupted[2]) + 1)
        study.kill()
    kept = stored(folder)
    with suppress(AssertionError):  # a trial that is still importing notices a little later
        wait_until(lambda: not trials_running(folder), seconds=120)
    left = len(trials_running(folder))
    done = run_module("study", folder=folder)
    assert done.returncode == 0, done.stderr
    return Disturbed(folder, *interrupted, kept, left)


@pytest.fixture(scope="module")
def studied(disturbed: Disturbed) -> Path:
    """A workspace in which the study is complete; not to be changed."""
    return disturbed.folder


@pytest.fixture
def fresh(workspace: Path, tmp_path: Path) -> Path:
    """A copy in which no trial ran, to be changed at will."""
    return copy_workspace(workspace, tmp_path / "clone")


def results_in(folder: Path) -> dict[str, str]:
    """Return the sha256 of all that a study writes for others, by path."""
    paths = [folder / "reports/study.json", *sorted((folder / "reports/study").rglob("*.csv"))]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def stored(folder: Path) -> dict[str, int]:
    """Return when each trial was stored, by its key."""
    return {path.stem: path.stat().st_mtime_ns for path in (folder / "study/trials").glob("*.json")}


def trials_running(folder: Path) -> list[psutil.Process]:
    """List the processes of trials in a folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        if "pipeline.study.process" in (process.info["cmdline"] or []) and process.info["cwd"] == str(folder):
            found.append(process)
    return found


@contextmanager
def started(folder: Path) -> Iterator[Process]:
    """Start the study of a workspace in a fork, and its trials in others; all end with the block."""
    process = Process(
        ["-m", "pipeline.study"],
        folder=folder,
        environment=with_forks(environment_of()),
        out=folder / "said.log",
        errors=folder / ERRORS,
    )
    try:
        yield process
    finally:
        process.kill()


def wait_until(condition: object, *, seconds: float = 300) -> None:
    """Wait until a condition, a function, holds."""
    for _ in range(int(seconds / 0.1)):
        if condition():  # type: ignore[operator]
            return
        time.sleep(0.1)
    raise AssertionError("it does not come true")


def test_study_records_every_trial_and_what_replicates_predict(studied: Path) -> None:
    trials = parse_trials((studied / "reports/study/trials.csv").read_bytes(), name="trials")
    assert len(trials) == TRIALS == len(stored(studied))
    assert [(trial.seed, trial.units) for trial in trials if trial.kind == "sweep"] == [(1, 8)]
    assert all(len(trial.history["epoch"]) == (3 if trial.kind == "sweep" else 2) for trial in trials)
    labels = {}
    for kind in ("replicate", "other_cut", "article"):
        content = (studied / f"reports/study/predictions/{kind}/dense.csv").read_bytes()
        labels[kind], predictions = parse_replicates(content, name=kind)
        assert predictions.shape == (2, 200)
        assert (predictions[0] != predictions[1]).any()  # another seed is another training
    assert not list((studied / "reports/study/predictions").glob("sweep*"))
    described = json.loads((studied / "reports/study.json").read_text())
    assert described["trials"] == TRIALS
    assert described["files"] == {path: sha for path, sha in results_in(studied).items() if path.endswith(".csv")}


def test_study_that_is_complete_runs_nothing(studied: Path, tmp_path: Path) -> None:
    folder = copy_workspace(studied, tmp_path / "clone")
    before = stored(folder)
    again = run_module("study", folder=folder)
    assert again.returncode == 0
    assert f"{TRIALS} of them done" in again.stdout
    assert (stored(folder), results_in(folder)) == (before, results_in(studied))


def test_interrupt_ends_in_one_line_and_loses_nothing(disturbed: Disturbed) -> None:
    assert disturbed.code == 130
    assert len(disturbed.said.splitlines()) == 1
    assert "Run again" in disturbed.said
    assert disturbed.left_by_interrupt == 0
    assert disturbed.after_interrupt.items() <= disturbed.after_kill.items()


def test_killed_study_resumes(disturbed: Disturbed) -> None:
    assert TRIALS > len(disturbed.after_kill) > len(disturbed.after_interrupt)
    assert disturbed.left_by_kill == 0
    assert disturbed.after_kill.items() <= stored(disturbed.folder).items()


def test_larger_study_reuses_what_is_there(studied: Path, tmp_path: Path) -> None:
    folder = copy_workspace(studied, tmp_path / "clone")
    before = stored(folder)
    change_params(folder / "params.yaml", {"study.sweep.dense.units": [8, 4]})
    assert run_module("study", folder=folder).returncode == 0
    added = stored(folder).keys() - before.keys()
    assert before.items() <= stored(folder).items()
    assert len(added) == 1


def test_damaged_result_runs_again(studied: Path, tmp_path: Path) -> None:
    folder = copy_workspace(studied, tmp_path / "clone")
    damaged = sorted((folder / "study/trials").glob("*.json"))[0]
    content = damaged.read_bytes()
    damaged.write_bytes(content.replace(b'"history": [[1, ', b'"history": [[1, 9', 1))
    assert run_module("study", folder=folder).returncode == 0
    assert results_in(folder) == results_in(studied)


OPTIMIZERS = "src/fashion_mnist/training/optimizers.py"


def edit_loop(folder: Path, *, moves_bits: bool) -> None:
    """Change what the training loop calls: a constant of Adam, or only a comment."""
    path = folder / OPTIMIZERS
    text = path.read_text()
    path.write_text(text.replace("EPSILON = 0.9,", "EPSILON = 0.8,") if moves_bits else f"{text}# edited\n")
    assert path.read_text() != text


def test_code_that_changes_while_a_study_runs_is_noticed(fresh: Path) -> None:
    with started(fresh) as study:
        wait_until(lambda: len(stored(fresh)) >= 1)
        kept = stored(fresh)
        edit_loop(fresh, moves_bits=True)
        assert study.wait(240) == 1
    said = (fresh / ERRORS).read_text()
    assert said.splitlines()[-1].startswith("error: ")
    assert "a short training of dense gives other figures" in said
    assert len(stored(fresh)) <= len(kept) + 2  # what was nearly done when the file changed


@pytest.mark.parametrize("is_clone", [True, False])
def test_comment_makes_no_study_old(studied: Path, tmp_path: Path, is_clone: bool) -> None:
    folder = copy_workspace(studied, tmp_path / "clone")
    if is_clone:
        shutil.rmtree(folder / "study/trials")
    edit_loop(folder, moves_bits=False)
    again = run_module("study", folder=folder)
    assert again.returncode == 0, again.stderr
    assert f"{TRIALS} of them done" in again.stdout
    assert results_in(folder) == results_in(studied)


def test_edit_that_moves_bits_makes_the_whole_study_old(studied: Path, tmp_path: Path) -> None:
    folder = copy_workspace(studied, tmp_path / "clone")
    edit_loop(folder, moves_bits=True)
    with started(folder) as study:
        wait_until(lambda: study.poll() is not None or len(stored(folder)) > TRIALS)
    assert len(stored(folder)) > TRIALS


def test_tables_of_other_parameters_or_damaged_ones_are_made_again(studied: Path, tmp_path: Path) -> None:
    folder = copy_workspace(studied, tmp_path / "clone")
    shutil.rmtree(folder / "study/trials")
    table = folder / "reports/study/trials.csv"
    table.write_bytes(table.read_bytes()[:-1])
    done = run_module("study", folder=folder)
    assert "0 of them done" in done.stdout
    assert results_in(folder) == results_in(studied)


def test_short_training_that_fails_ends_in_one_line(fresh: Path) -> None:
    network = fresh / "src/fashion_mnist/networks/dense.py"
    start = "    return keras.Sequential("
    network.write_text(network.read_text().replace(start, f"    raise ValueError('too wide')\n{start}"))
    done = run_module("study", folder=fresh)
    assert done.returncode == 1
    assert done.stderr.startswith("error: a short training of dense fails (")
    assert "too wide" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_damaged_data_are_named(fresh: Path) -> None:
    path = fresh / "data/normalized/train/images.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    done = run_module("study", folder=fresh)
    assert done.returncode == 1
    assert "data/normalized/train/images.npy" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_dvc_runs_a_study_once(studied: Path, tmp_path: Path) -> None:
    folder = copy_workspace(studied, tmp_path / "clone")
    first = run_dvc("repro", "study/dvc.yaml", workspace=folder)
    assert first.returncode == 0, first.stdout + first.stderr
    again = run_dvc("repro", "study/dvc.yaml", workspace=folder)
    assert "up to date" in again.stdout
    assert results_in(folder) == results_in(studied)


def test_gate_takes_no_study_that_dvc_finds_of_other_code(studied: Path, tmp_path: Path) -> None:
    folder = copy_workspace(studied, tmp_path / "clone")

    def fault() -> str:
        script = "from pipeline.gate.staleness import check_study; check_study()"
        return run_python("-c", script, folder=folder, environment=environment_of_dvc(folder)).stderr

    assert "study/dvc.lock: is missing" in fault()
    assert run_dvc("repro", "study/dvc.yaml", workspace=folder).returncode == 0
    assert fault() == ""
    edit_loop(folder, moves_bits=False)
    assert "StudyError: reports/study.json: src/fashion_mnist/training was edited since" in fault()
    assert run_dvc("repro", "study/dvc.yaml", workspace=folder).returncode == 0
    assert fault() == ""
