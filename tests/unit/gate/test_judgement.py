"""The gate's judgement: what it must never do, whatever the predictions; and cases that a person can compute."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fashion_mnist.data.split import Labels
from fashion_mnist.gate.judgement import Evaluation, Verdict, judge, least_lead
from fashion_mnist.params import Floors, GateParams
from fashion_mnist.scores.comparison import compare, least_difference

CLASSES = ("a", "b", "c")
FLOORS = Floors(accuracy=0.3, recall=0.1)


def as_labels(values: Any) -> Labels:
    return np.asarray(values, np.uint8)


def verdict(labels: Labels, new: Labels, old: Labels | None, **changed: Any) -> Verdict:
    given: dict[str, Any] = {"margin": 0.05, "floors": FLOORS, "class_names": CLASSES} | changed
    gate = GateParams(margin=given["margin"], confidence=0.95, floors={"m": given["floors"]})
    before = None if old is None else Evaluation(old)
    return judge(labels, Evaluation(new), before, gate, model="m", class_names=given["class_names"])


@st.composite
def tables(draw: st.DrawFn) -> tuple[Labels, Labels, Labels]:
    """Labels, and what the old and the new model predict: each class occurs, predictions are often right."""
    count = draw(st.integers(6, 200))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels = as_labels(rng.permutation(np.arange(count) % len(CLASSES)))
    shares = draw(st.floats(0.2, 1)), draw(st.floats(0.2, 1))
    old, new = (
        np.where(rng.random(count) < share, labels, as_labels(rng.integers(0, 3, count))).astype(np.uint8)
        for share in shares
    )
    return labels, old, new


@given(tables(), st.floats(0.001, 0.2), st.data())
def test_worse_predictions_never_pass_where_better_ones_fail(
    table: tuple[Labels, Labels, Labels], margin: float, data: st.DataObject
) -> None:
    labels, old, better = table
    right = np.flatnonzero(better == labels)
    worse = better.copy()
    spoiled = data.draw(st.lists(st.sampled_from(list(right)), unique=True)) if right.size else []
    worse[spoiled] = (worse[spoiled] + 1) % len(CLASSES)
    if verdict(labels, better, old, margin=margin).failures:
        assert verdict(labels, worse, old, margin=margin).failures


def test_model_that_loses_no_image_passes_however_few_there_are() -> None:
    labels = as_labels([0, 1, 2] * 4)
    old = as_labels([0, 1, 2] * 3 + [1, 2, 0])
    better, worse = labels.copy(), old.copy()
    worse[0] = 1
    floors = Floors(accuracy=0.01, recall=0.01)
    for new, failing in ((old, False), (better, False), (worse, True)):
        assert bool(verdict(labels, new, old, margin=0.001, floors=floors).failures) is failing


@given(tables(), st.permutations(range(3)))
def test_names_of_classes_do_not_matter(table: tuple[Labels, Labels, Labels], names: list[int]) -> None:
    renamed = as_labels(names)
    before = verdict(table[0], table[2], table[1])
    labels, old, new = (renamed[part] for part in table)
    after = verdict(labels, new, old, class_names=[CLASSES[names.index(number)] for number in range(3)])
    assert sorted(after.failures) == sorted(before.failures)
    assert after.exchanged == before.exchanged


@given(tables(), st.integers(0, 2**32 - 1))
def test_order_of_images_does_not_matter(table: tuple[Labels, Labels, Labels], seed: int) -> None:
    labels, old, new = table
    order = np.random.default_rng(seed).permutation(len(labels))
    assert verdict(labels[order], new[order], old[order]) == verdict(labels, new, old)


@given(st.integers(0, 300), st.integers(0, 300), st.integers(600, 5000), st.floats(0.5, 0.99))
@settings(max_examples=300)
def test_bound_falls_with_each_image_that_goes_wrong(lost: int, gained: int, count: int, confidence: float) -> None:
    def bound(lost: int, gained: int) -> float:
        both = count - lost - gained
        paired = {"images": count, "only_baseline_right": lost, "only_candidate_right": gained, "both_right": both}
        return least_difference(paired | {"both_wrong": 0}, confidence=confidence)

    assert bound(lost + 1, gained) < bound(lost, gained) < bound(lost, gained + 1)


def test_same_predictions_pass_without_a_remark() -> None:
    labels = as_labels([0, 1, 2] * 100)
    found = verdict(labels, labels, labels)
    assert (found.change, found.p, found.failures, found.remarks) == (0, 1, [], [])


def test_lost_points_and_their_bound_stand_in_the_sentence() -> None:
    labels = as_labels([0, 1, 2] * 1000)
    new = labels.copy()
    new[:300] = (new[:300] + 1) % 3
    failure = verdict(labels, new, labels).failures[0]
    # 300 of 3000 lost; with half an image in each cell 300/3002 ± 1.645 · sqrt((301/3002 - (300/3002)²) / 3002).
    assert failure == (
        "accuracy: 10.00 points lost (100.00 % to 90.00 %); with 95 % confidence the loss is at most 10.90, "
        "and 5.00 are tolerated"
    )


def test_better_model_passes_and_is_called_better() -> None:
    labels = as_labels([0, 1, 2] * 1000)
    old = labels.copy()
    old[:300] = (old[:300] + 1) % 3
    found = verdict(labels, labels, old)
    assert not found.failures
    assert found.remarks == ["better: 10.00 points gained, with 95 % confidence at least 9.09"]


def test_collapsed_class_fails_while_the_mean_holds() -> None:
    labels = as_labels([0, 1, 2] * 1000)
    old, new = labels.copy(), labels.copy()
    old[:900] = (old[:900] + 1) % 3
    new[labels == 2] = 0
    found = verdict(labels, new, old, floors=Floors(accuracy=0.3, recall=0.5))
    assert found.change == pytest.approx(-1 / 30)
    assert "recall of c is 0.0 %" in found.failures[-1]
    assert "the floor is 50.0 %" in found.failures[-1]


def test_floor_of_recall_is_corrected_for_looking_at_every_class() -> None:
    labels = as_labels([0] * 100 + [1] * 100 + [2] * 100)
    new = labels.copy()
    new[:50] = 1  # Wilson's lower bound of 50 out of 100: 0.419 at 95 %, 0.397 at 1 - 0.05/3
    assert not verdict(labels, new, None, floors=Floors(accuracy=0.1, recall=0.39)).failures
    assert verdict(labels, new, None, floors=Floors(accuracy=0.1, recall=0.41)).failures


def test_model_without_baseline_is_held_to_its_floors() -> None:
    labels = as_labels([0, 1, 2] * 100)
    assert verdict(labels, labels, None).remarks == ["new: the baseline holds no such model"]
    assert "the floor is 30.00 %" in verdict(labels, as_labels([0, 0, 0] * 100), None).failures[0]


def test_mean_over_seeds_decides_where_there_are_several() -> None:
    labels = as_labels([0] * 1000)

    def run(wrong: int) -> Labels:
        return as_labels([1] * wrong + [0] * (1000 - wrong))

    good, bad = (
        Evaluation(run(100), [run(90), run(100), run(110)]),
        Evaluation(run(100), [run(170), run(180), run(190)]),
    )
    gate = GateParams(margin=0.05, confidence=0.95, floors={})
    options: Any = {"gate": gate, "model": "m", "class_names": ["a"]}
    # Welch: standard error sqrt(2 · 0.01²/3) = 0.00816 with 4 degrees of freedom, t = 2.132: 0.08 + 0.0174.
    assert judge(labels, bad, good, **options).failures == [
        "accuracy: 8.00 points lost, the mean of 3 seeds against 3 (90.00 % to 82.00 %); with 95 % confidence the loss "
        "is at most 9.74, and 5.00 are tolerated"
    ]
    assert judge(labels, good, bad, **options).remarks[0].startswith("better: 8.00 points gained")
    alike = Evaluation(run(100), [run(100), run(100)])
    assert not judge(labels, alike, alike, **options).failures


def test_lead_of_a_model_over_itself_is_not_above_zero() -> None:
    labels = as_labels([0, 1, 2] * 100)
    assert least_lead(labels, labels, labels, confidence=0.95) < 0


def test_one_sided_bound_lies_between_estimate_and_two_sided_bound() -> None:
    labels = as_labels([0] * 1000)
    old, new = as_labels([1] * 200 + [0] * 800), as_labels([0] * 100 + [1] * 150 + [0] * 750)
    paired = compare(labels, old, new, confidence=0.95)
    assert paired["difference_low"] < least_difference(paired, confidence=0.95) < paired["difference"]


def test_class_with_too_few_images_for_its_floor_is_named_and_fails_nothing() -> None:
    labels = as_labels(np.repeat([0, 1, 2], [500, 500, 3]))
    floors = Floors(accuracy=0.8, recall=0.6)
    wrong = labels.copy()
    wrong[-3:] = 0
    found = verdict(labels, wrong, labels, floors=floors)
    assert found.failures == []
    assert "a recall of 60.0 %, so not held to it: c" in found.remarks[-1]
    enough = as_labels(np.repeat([0, 1, 2], [500, 500, 30]))
    wrong = enough.copy()
    wrong[-30:] = 0
    assert "recall of c is 0.0 %" in verdict(enough, wrong, enough, floors=floors).failures[-1]


@pytest.mark.parametrize(("count", "named"), [(5, "a, b, c, d, e"), (6, "a, b, c, d, e and 1 more")])
def test_classes_too_small_for_their_floor_are_named_five_at_most(count: int, named: str) -> None:
    labels = as_labels(range(count))
    found = verdict(labels, labels, None, class_names="abcdef"[:count], floors=Floors(accuracy=0.1, recall=0.9))
    (remark,) = [remark for remark in found.remarks if "too few" in remark]
    assert remark.endswith(f"not held to it: {named}")
