"""Claims about which model is served."""

import numpy as np
import pytest

from fashion_mnist.gate.promotion import Contender, Unfit, best_on_validation, decide_promotion
from fashion_mnist.params import Floors, GateParams
from fashion_mnist.sources.fashion_mnist import CLASS_NAMES

LABELS = np.repeat(np.arange(10, dtype=np.uint8), 100)
GATE = GateParams(margin=0.012, confidence=0.95, floors={})


def contender(model: str, validation: float, *, wrong: int) -> Contender:
    predictions = LABELS.copy()
    predictions[:wrong] = 9
    return Contender(model, validation, LABELS, predictions)


def decide(candidate: Contender, champion: Contender | Unfit | None, gate: GateParams = GATE) -> tuple[bool, str]:
    return decide_promotion(candidate, champion, gate, class_names=CLASS_NAMES)


def test_first_of_two_equal_models_is_best() -> None:
    assert best_on_validation({"dense": 0.9, "cnn": 0.9, "other": 0.8}) == "dense"


def test_first_champion_needs_no_predecessor() -> None:
    moves, reason = decide(contender("cnn", 0.9, wrong=50), None)
    assert moves
    assert "no champion before" in reason


def test_champion_moves_to_better_validation_that_passes_the_gate() -> None:
    moves, reason = decide(contender("cnn", 0.91, wrong=50), contender("dense", 0.9, wrong=60))
    assert moves
    for fact in ("cnn reaches 91.00 %", "the champion, dense, 90.00 %", "the gate passes"):
        assert fact in reason


@pytest.mark.parametrize("validation", [0.9, 0.89])
def test_champion_stays_without_better_validation_however_good_on_test(validation: float) -> None:
    moves, reason = decide(contender("cnn", validation, wrong=0), contender("dense", 0.9, wrong=500))
    assert not moves
    assert "does not beat the champion, dense, 90.00 %" in reason


def test_gate_vetoes_a_loss_on_the_champions_test_images() -> None:
    moves, reason = decide(contender("cnn", 0.95, wrong=100), contender("dense", 0.9, wrong=50))
    assert not moves
    assert "but the gate refuses it: accuracy: 5.00 points lost" in reason


def test_gate_holds_a_challenger_to_its_floor() -> None:
    gate = GATE.model_copy(update={"floors": {"cnn": Floors(accuracy=0.99, recall=0.1)}})
    moves, reason = decide(contender("cnn", 0.95, wrong=50), contender("dense", 0.9, wrong=60), gate)
    assert not moves
    assert "the floor is 99.00 %" in reason


def test_champion_that_is_unfit_is_replaced_by_whatever_is_best_and_the_reason_is_told() -> None:
    moves, reason = decide(contender("cnn", 0.2, wrong=900), Unfit("dense", "does not know the class hat"))
    assert moves
    assert "it replaces the champion, dense, which does not know the class hat" in reason


def test_champion_that_was_scored_anew_is_told_so() -> None:
    champion = contender("dense", 0.9, wrong=60)._replace(note=" on the present images")
    assert "the champion, dense, 90.00 % on the present images" in decide(contender("cnn", 0.91, wrong=50), champion)[1]
