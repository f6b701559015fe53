"""A small share of `make faults`: kills, failing calls and damage where a point takes a fraction of a second."""

import json
import signal
from pathlib import Path

import pytest

from checks.faults.__main__ import ERRORS, evenly
from checks.faults.calls import available
from checks.faults.cases import CASES, read_runs
from checks.faults.damage import PLACES, damage
from checks.faults.judge import KILL, disturb, take_reference
from checks.faults.together import kill_server, kill_track, list_requests, two_tracks
from tests.end_to_end.conftest import copy_workspace, tracked

__all__ = ["tracked"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not available(), reason="strace is not installed, or may not trace"),
]
CASES_BY_NAME = {case.name: case for case in CASES}


@pytest.fixture(scope="module")
def folder(tracked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete workspace in `base`, without its store, and room for the copy that is disturbed."""
    folder = tmp_path_factory.mktemp("faults")
    copy_workspace(tracked, folder / "base", store=False)
    return folder


# A point of report takes five seconds, so `make faults` alone has it.
@pytest.mark.parametrize("name", ["download", "normalize"])
def test_disturbed_stage_loses_nothing_and_a_repetition_completes_it(name: str, folder: Path) -> None:
    case = CASES_BY_NAME[name]
    reference = take_reference(case, folder)
    verdicts = [
        disturb(case, point, fault, reference, folder, by_dvc=False)
        for fault, most in ((KILL, 8), *((error, 2) for error in ERRORS))
        for point in evenly(reference.points, most)
    ]
    assert len([verdict for verdict in verdicts if not verdict.missed]) >= 10
    assert [verdict for verdict in verdicts if verdict.wrong] == []


@pytest.mark.parametrize(
    ("stage", "path", "place"),
    [
        ("normalize", "data/raw/train-images-idx3-ubyte.gz", PLACES[0]),
        ("normalize", "data/raw/train-images-idx3-ubyte.gz", PLACES[1]),
        ("report", "reports/arrays.npz", PLACES[0]),
    ],
)
def test_flipped_bit_is_refused_and_mended_as_the_message_says(stage: str, path: str, place: str, folder: Path) -> None:
    assert damage(folder, stage, path, place).wrong == []


@pytest.fixture(scope="module")
def with_runs(folder: Path, tracked: Path) -> Path:
    """The same folder, and what the store of the undisturbed workspace holds."""
    (folder / "runs.json").write_text(json.dumps(read_runs(tracked)))
    return folder


@pytest.mark.parametrize("name", ["rollback, project moved", "track, models deleted"])
def test_store_that_must_be_mended_is_mended_also_after_a_kill(name: str, tracked: Path, tmp_path: Path) -> None:
    copy_workspace(tracked, tmp_path / "base", store=True)
    case = CASES_BY_NAME[name]
    reference = take_reference(case, tmp_path)
    verdicts = [disturb(case, point, KILL, reference, tmp_path, by_dvc=False) for point in evenly(reference.points, 3)]
    assert [verdict for verdict in verdicts if verdict.wrong] == []


def test_two_tracks_against_one_server_leave_each_run_once(with_runs: Path) -> None:
    ended, wrong = two_tracks(with_runs, 0)
    assert [end.code for end in ended] == [0, 0]
    assert wrong == []


@pytest.fixture(scope="module")
def asked(with_runs: Path) -> list[str]:
    """The requests of an undisturbed `track`."""
    return [line.partition("/mlflow/")[2] for line in list_requests(with_runs)]


# While it logs a model, when a run is complete, and when it registers versions: about there, since it meets another.
@pytest.mark.parametrize(
    ("near", "moment"), [("logged-models", "during"), ("runs/update", "after"), ("model-versions/create", "before")]
)
def test_track_that_is_killed_beside_another_one_loses_no_run_and_leaves_none_twice(
    with_runs: Path, asked: list[str], near: str, moment: str
) -> None:
    ended, wrong = kill_track(with_runs, 1 + asked.index(near), moment)
    assert [end.code for end in ended] == [-signal.SIGKILL, 0]
    assert wrong == []


def test_server_that_dies_during_a_request_loses_no_run_and_makes_none_twice(with_runs: Path) -> None:
    (ended,), wrong = kill_server(with_runs, 12, "during")
    assert ended.code == 1
    assert wrong == []


def test_harness_notices_a_write_that_is_not_atomic(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_in_place(content: bytes, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    monkeypatch.setattr("pipeline.download.write_bytes", write_in_place)
    case = CASES_BY_NAME["download"]
    reference = take_reference(case, folder)
    point = next(point for point in reference.points if point.call == "write" and "train-images" in point.path)
    assert disturb(case, point, KILL, reference, folder, by_dvc=False).wrong
