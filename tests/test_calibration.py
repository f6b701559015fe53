"""What benchmarks/gate.py measures, on cases that a person can compute."""

from collections.abc import Mapping
from itertools import permutations

import numpy as np
import pytest
from scipy.stats import norm

from benchmarks.gate import (
    DROP,
    MARGINS,
    MOST_FALSE_ALARMS,
    Errors,
    Share,
    bounds_of_pairs,
    group_errors,
    groups,
    main,
    models_of,
    plant,
    recommended_margin,
    share_of_pairs,
    single_errors,
    sizes_of,
)
from fashion_mnist.errors import StudyError
from fashion_mnist.gate.judgement import Evaluation, judge
from fashion_mnist.params import GateParams
from fashion_mnist.study.plan import Study
from pipeline.runtime.parameters import read_params
from pipeline.tools.demo import PROJECT
from tests.small_study import small_study

GATE = GateParams(margin=0.01, confidence=0.95, floors={})


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(PROJECT / "tests")  # of params.yaml that stay when those of the project change
    labels = np.repeat(np.arange(10, dtype=np.uint8), 200)
    return small_study(read_params(), labels, seeds=6)


def test_bounds_of_pairs_are_those_of_the_gate(made_up: Study) -> None:
    labels, runs = made_up.labels, made_up.predictions["replicate", "cnn"]
    gate, names = GateParams(margin=0.01, confidence=0.9, floors={}), list("abcdefghij")
    bounds = bounds_of_pairs(runs == labels, runs == labels, confidence=0.9)
    for old, new in permutations(range(len(runs)), 2):
        verdict = judge(labels, Evaluation(runs[new]), Evaluation(runs[old]), gate, model="cnn", class_names=names)
        assert bounds[old, new] == pytest.approx(verdict.at_worst, abs=1e-12)


def test_planted_drop_takes_so_many_right_predictions_from_each_training(made_up: Study) -> None:
    right = made_up.predictions["replicate", "dense"] == made_up.labels
    spoiled = plant(right)
    assert not (spoiled & ~right).any()
    assert (right.sum(axis=1) - spoiled.sum(axis=1)).tolist() == [round(DROP * right.shape[1])] * len(right)


def test_false_alarms_and_catches_fall_as_the_margin_grows(made_up: Study) -> None:
    for model in models_of(made_up):
        errors = single_errors(made_up, model, GATE)
        for share in ("false_alarms", "caught"):
            values = [getattr(errors[margin], share).value for margin in MARGINS]
            assert values == sorted(values, reverse=True)
        assert all(errors[margin].false_alarms.value <= errors[margin].caught.value for margin in MARGINS)


def test_share_counts_ordered_pairs_of_different_trainings() -> None:
    failing = np.zeros((4, 4), bool)
    failing[0, 1:] = True  # three of twelve pairs
    np.fill_diagonal(failing, val=True)  # which is not a comparison
    share = share_of_pairs(failing)
    assert share.value == 3 / 12
    assert 0 < share.low < 3 / 12 < share.high < 1


def test_interval_is_the_jackknife_s() -> None:
    failing = np.zeros((4, 4), bool)
    failing[0, 1:] = True
    # Without the first training no pair fails; without another, 2 of 6 do: 0, 1/3, 1/3, 1/3, around their mean 1/4.
    # Error: sqrt(3/4 · (1/16 + 3/144)) = 1/4. On log odds: 1/4 / (1/4 · 3/4) = 4/3, times t of 3 degrees, 3.1824.
    odds = np.log(1 / 3) + np.array([-1, 1]) * 3.182446 * 4 / 3
    assert share_of_pairs(failing)[1:] == pytest.approx(1 / (1 + np.exp(-odds)), rel=1e-5)


@pytest.mark.parametrize(("failing", "expected"), [(False, (0.0, 0.0, 0.6024)), (True, (1.0, 0.3976, 1.0))])
def test_interval_of_pairs_that_all_agree_is_that_of_disjoint_ones(
    failing: bool, expected: tuple[float, float, float]
) -> None:
    # Eight trainings make four disjoint pairs: Clopper and Pearson's upper limit of none in four, 1 - 0.025^(1/4).
    assert share_of_pairs(np.full((8, 8), failing)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("count", [2, 4, 6])
def test_pairs_that_all_fail_one_way_round_leave_much_open(count: int) -> None:
    share = share_of_pairs(np.triu(np.ones((count, count), bool)))  # whichever is left out, half of the rest fails
    assert share.value == 0.5
    assert share.low < 0.15
    assert share.high > 0.85


def test_interval_holds_the_true_share_where_a_binomial_one_does_not() -> None:
    rng = np.random.default_rng(0)
    true = float(norm.cdf(-2 / np.sqrt(2)))  # of differences beyond two standard deviations of one training
    held, held_by_binomial = 0, 0
    for _ in range(200):
        accuracies = rng.standard_normal(40)
        share = share_of_pairs(accuracies[None, :] - accuracies[:, None] < -2)
        held += share.low <= true <= share.high
        reach = 1.96 * np.sqrt(share.value * (1 - share.value) / (40 * 39))
        held_by_binomial += abs(share.value - true) <= reach
    assert held / 200 > 0.9
    assert held_by_binomial / 200 < 0.7


def errors_by_margin(false_alarms: Mapping[float, float]) -> dict[float, Errors]:
    """Errors with these shares of false alarms, and none at other margins."""
    shares = {margin: Share(false_alarms.get(margin, 0.0), 0.0, 1.0) for margin in MARGINS}
    return {margin: Errors(share, share) for margin, share in shares.items()}


def test_recommended_margin_is_the_smallest_that_suits_every_model() -> None:
    quiet = errors_by_margin({MARGINS[0]: 0.051})
    noisy = errors_by_margin(dict(zip(MARGINS, (0.3, 0.2, 0.1, MOST_FALSE_ALARMS), strict=False)))
    assert recommended_margin({"cnn": quiet}) == MARGINS[1]
    assert recommended_margin({"cnn": quiet, "dense": noisy}) == MARGINS[3]


def test_no_margin_is_recommended_where_all_raise_false_alarms() -> None:
    with pytest.raises(StudyError, match=r"no margin up to 2\.4 points"):
        recommended_margin({"dense": errors_by_margin(dict.fromkeys(MARGINS, 0.06))})


def test_groups_of_equal_trainings_raise_no_alarm_and_catch_each_drop() -> None:
    found = group_errors(np.full(6, 0.9), 3, GATE)
    assert all(found[margin] == (0, margin < DROP) for margin in MARGINS)


def test_groups_share_no_training() -> None:
    assert {len({*old.tolist(), *new.tolist()}) for old, new in groups(7, 3)} == {6}


@pytest.mark.parametrize(("count", "sizes"), [(2, []), (3, []), (5, [2]), (10, [3, 5]), (40, [3, 10, 20])])
def test_sizes_of_groups_leave_as_many_for_the_other_side(count: int, sizes: list[int]) -> None:
    assert sizes_of(count) == sizes


def test_tables_are_printed_for_few_trainings(
    made_up: Study, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = made_up._replace(predictions={key: runs[:3] for key, runs in made_up.predictions.items()})
    monkeypatch.setattr("benchmarks.gate.read_description", lambda: None)
    monkeypatch.setattr("benchmarks.gate.find_study", lambda *_: few)
    monkeypatch.setattr("benchmarks.gate.MOST_FALSE_ALARMS", 1.0)
    main([])
    said = capsys.readouterr().out
    assert "| dense | 3 |" in said
    assert f"| {100 * MARGINS[-1]:.1f} |" in said
    assert "Recommended: 0.6 points" in said


def test_study_of_another_state_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT / "tests")  # of params.yaml that stay when those of the project change
    monkeypatch.setattr("benchmarks.gate.read_description", lambda: None)
    monkeypatch.setattr("benchmarks.gate.find_study", lambda *_: None)
    with pytest.raises(StudyError, match="make study"):
        main([])
