"""Fingerprints, the table and the choice of a champion, on values that a person can check."""

import numpy as np
import pytest

from fashion_mnist.data.fashion_mnist import CLASS_NAMES
from fashion_mnist.params import Floors, GateParams
from fashion_mnist.report.run_description import describe_state
from fashion_mnist.scores.promotion import Contender, best_on_validation, decide_promotion
from pipeline.store.state import fingerprint

LABELS = np.repeat(np.arange(10, dtype=np.uint8), 100)
GATE = GateParams(margin=0.012, confidence=0.95, floors={}, seeds=(1, 2))


def contender(model: str, validation: float, *, wrong: int) -> Contender:
    predictions = LABELS.copy()
    predictions[:wrong] = 9
    return Contender(model, validation, LABELS, predictions)


def decide(candidate: Contender, champion: Contender | None, gate: GateParams = GATE) -> tuple[bool, str]:
    return decide_promotion(candidate, champion, gate, class_names=CLASS_NAMES)


def test_fingerprint_heeds_values_and_not_the_order_of_keys() -> None:
    assert fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": [2], "a": 1})
    assert fingerprint({"a": 1, "b": [2]}) != fingerprint({"a": 1, "b": [3]})
    assert fingerprint("a", "b") != fingerprint("ab")


def test_first_of_two_equal_models_is_best() -> None:
    assert best_on_validation({"dense": 0.9, "cnn": 0.9, "other": 0.8}) == "dense"


def test_first_champion_needs_no_predecessor() -> None:
    assert decide(contender("cnn", 0.9, wrong=50), None) == (
        True,
        "cnn reaches 90.00 % on validation, the best of this state; there was no champion before",
    )


def test_champion_moves_to_better_validation_that_passes_the_gate() -> None:
    moves, reason = decide(contender("cnn", 0.91, wrong=50), contender("dense", 0.9, wrong=60))
    assert moves
    assert reason == "cnn reaches 91.00 % on validation, the champion, dense, 90.00 %; the gate passes"


@pytest.mark.parametrize("validation", [0.9, 0.89])
def test_champion_stays_without_better_validation_however_good_on_test(validation: float) -> None:
    moves, reason = decide(contender("cnn", validation, wrong=0), contender("dense", 0.9, wrong=500))
    assert not moves
    assert reason.endswith("the champion, dense, 90.00 %; expected more")


def test_gate_vetoes_a_loss_on_the_champions_test_images() -> None:
    moves, reason = decide(contender("cnn", 0.95, wrong=100), contender("dense", 0.9, wrong=50))
    assert not moves
    assert "but the gate refuses it: accuracy: 5.00 points lost" in reason


def test_gate_holds_a_challenger_to_its_floor() -> None:
    gate = GATE.model_copy(update={"floors": {"cnn": Floors(accuracy=0.99, recall=0.1)}})
    moves, reason = decide(contender("cnn", 0.95, wrong=50), contender("dense", 0.9, wrong=60), gate)
    assert not moves
    assert "the floor is 99.00 %" in reason


def test_models_tested_on_other_images_are_not_compared() -> None:
    champion = contender("dense", 0.9, wrong=50)._replace(labels=LABELS[::-1])
    moves, reason = decide(contender("cnn", 0.95, wrong=50), champion)
    assert not moves
    assert "was tested on other images" in reason


def test_table_has_a_column_for_each_model_and_the_paired_difference() -> None:
    scores = dict.fromkeys(
        ("accuracy", "accuracy_low", "accuracy_high", "validation_accuracy", "train_accuracy"), 0.87654
    ) | {"parameters": 101770}
    comparison = {"difference": 0.04, "difference_low": 0.03, "difference_high": 0.05, "mcnemar_p": 1e-9}
    text = describe_state({"dense": scores, "cnn": scores}, comparison, dataset="synthetic")
    assert "| on synthetic | dense | cnn |" in text
    assert "| test accuracy | 87.65 % | 87.65 % |" in text
    assert "| parameters | 101,770 | 101,770 |" in text
    assert "+4.00 points, interval +3.00 to +5.00; McNemar's exact p = 1e-09" in text
