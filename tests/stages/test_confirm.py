"""When a study is kept after an edit, with trainings made up; a real one: end_to_end/test_study.py."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fashion_mnist.errors import StudyError
from fashion_mnist.params import Params
from fashion_mnist.study.plan import Study, Trial, plan
from pipeline.runtime.parameters import read_params
from pipeline.study import confirm
from pipeline.study.confirm import choose_sample, recorded_result
from pipeline.study.key import Fingerprint
from pipeline.study.results import StoredResult, find_result, write_result
from pipeline.tools.demo import change_params
from tests.small_study import planned_study

STUDY = {
    "study.replicates": {"dense": 3},
    "study.sweep": {"dense": {"units": [8, 16], "epochs": 4, "seeds": 2}},
    "train.dense.epochs": 3,
}
TRIALS = 3 * 3 + 2 * 2
SAMPLE = 3 + 2
FINGERPRINT = Fingerprint({"code.py": "1"}, {"train images": "2"})


@pytest.fixture
def params(workspace: Path) -> Params:
    change_params(workspace / "params.yaml", STUDY)
    return read_params()


@pytest.fixture
def study(params: Params, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A study of all that params ask for, which comes out again when a sample of it is trained."""
    (workspace / "reports/data.json").write_text("{}")
    study = planned_study(params)
    monkeypatch.setattr(confirm, "find_study", lambda *_: study)
    monkeypatch.setattr(confirm, "read_description", lambda: None)
    monkeypatch.setattr(confirm, "take_fingerprint", lambda: FINGERPRINT)
    monkeypatch.setattr(confirm, "run_missing", trains_as(study))
    return study


def trains_as(study: Study, **changed: Any) -> Any:
    """Return a stand-in for `run_missing`, which stores what a study recorded, but for what is changed."""

    def run(missing: Mapping[str, Trial], *_: Any, **__: Any) -> dict[str, StoredResult]:
        return {
            key: write_result(key, trial, recorded_result(study, trial)._asdict() | changed, seconds=1.0)
            for key, trial in missing.items()
        }

    return run


def find_results(params: Params) -> list[StoredResult]:
    results = [find_result(FINGERPRINT.key(trial)) for trial in plan(params)]
    return [result for result in results if result is not None]


def test_sample_holds_each_kind_model_and_size_once_and_trains_the_replicate_alone_to_its_end(params: Params) -> None:
    sample = choose_sample(plan(params))
    assert len(sample) == SAMPLE
    assert {trial.params.seed for trial in sample} == {1}
    assert {trial.kind: trial.params.epochs for trial in sample} == {
        "replicate": 3, "other_cut": 2, "article": 2, "sweep": 2,
    }  # fmt: skip


def test_one_cycle_is_not_cut_short(params: Params) -> None:
    one_cycle = params.train["dense"].model_copy(update={"schedule": "one_cycle"})
    changed = params.model_copy(update={"train": {**params.train, "dense": one_cycle}})
    assert {trial.kind: trial.params.epochs for trial in choose_sample(plan(changed))} == {
        "replicate": 3, "other_cut": 3, "article": 3, "sweep": 4,
    }  # fmt: skip


def test_study_whose_sample_comes_out_again_is_kept_whole(params: Params, study: Study) -> None:
    confirm.main([])
    results = find_results(params)
    assert len(results) == TRIALS
    assert sum(result.carried_over for result in results) == TRIALS - 1  # the replicate was trained to its end
    for trial, result in zip(plan(params), results, strict=True):
        wanted = recorded_result(study, trial)
        assert json.dumps(result[:2]) == json.dumps(wanted[:2])


@pytest.mark.usefixtures("study")
def test_second_run_keeps_what_is_there(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    confirm.main([])
    before = find_results(params)
    monkeypatch.setattr(confirm, "run_missing", None)  # nothing is trained
    confirm.main([])
    assert find_results(params) == before


def test_other_history_is_refused_and_nothing_is_kept(
    params: Params, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = plan(params)[-1]
    history = [[1 + row, 0.123456, 0.5, None, None] for row in range(first.params.epochs)]
    monkeypatch.setattr(confirm, "run_missing", trains_as(study, history=history))
    monkeypatch.setattr(confirm, "choose_sample", lambda _: [first])
    with pytest.raises(StudyError) as raised:
        confirm.main([])
    assert all(part in str(raised.value) for part in (first.name, "loss of epoch 1 is 0.123456", "make study"))
    assert len(find_results(params)) == 1


def test_other_predictions_are_refused(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    predictions = study.predictions["replicate", "dense"][0].tolist()
    predictions[:2] = [(label + 1) % 10 for label in predictions[:2]]
    monkeypatch.setattr(confirm, "run_missing", trains_as(study, predictions=predictions))
    with pytest.raises(StudyError, match="2 predictions of test images differ"):
        confirm.main([])


@pytest.mark.usefixtures("study")
def test_what_no_study_recorded_stays_missing(params: Params, workspace: Path) -> None:
    change_params(workspace / "params.yaml", {"study.replicates": {"dense": 4}})
    confirm.main([])
    assert len(find_results(params)) == TRIALS
    assert len(find_results(read_params())) == TRIALS


@pytest.mark.usefixtures("study")
def test_without_a_study_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirm, "find_study", lambda *_: None)
    with pytest.raises(StudyError, match="make study"):
        confirm.main([])
