"""Which model is served: the best on validation, unless the gate objects."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from fashion_mnist.data.split import Labels
from fashion_mnist.params import GateParams
from fashion_mnist.scores.gating import Evaluation, judge


class Contender(NamedTuple):
    """A model that is or may become champion: accuracy on validation, and on the same test images, shape (n,)."""

    model: str
    validation_accuracy: float
    labels: Labels
    predictions: Labels


class Decision(NamedTuple):
    """Whether a model becomes champion, and the sentence that says why."""

    moves: bool
    reason: str


def best_on_validation(accuracies: Mapping[str, float]) -> str:
    """Return the model with the highest accuracy on validation; the earlier one where two are equal."""
    return max(accuracies, key=lambda model: accuracies[model])


def decide_promotion(
    candidate: Contender, champion: Contender | None, gate: GateParams, *, class_names: Sequence[str]
) -> Decision:
    """Decide whether a candidate takes the place of the present champion.

    Accuracy on validation decides, so that test stays out of the choice; the gate can only veto: no champion is
    replaced by a model that may be worse on the champion's own test images.
    """
    reached = f"{candidate.model} reaches {100 * candidate.validation_accuracy:.2f} % on validation"
    if champion is None:
        return Decision(True, f"{reached}, the best of this state; there was no champion before")
    against = f"the champion, {champion.model}, {100 * champion.validation_accuracy:.2f} %"
    if candidate.validation_accuracy <= champion.validation_accuracy:
        return Decision(False, f"{reached} and does not beat {against}")
    if not np.array_equal(candidate.labels, champion.labels):
        return Decision(False, f"{reached}, but was tested on other images than {against}; they cannot be compared")
    verdict = judge(
        candidate.labels,
        Evaluation(candidate.predictions),
        Evaluation(champion.predictions),
        margin=gate.margin,
        confidence=gate.confidence,
        floors=gate.floors.get(candidate.model),
        class_names=class_names,
    )
    if verdict.failures:
        return Decision(False, f"{reached} against {against}, but the gate refuses it: {'; '.join(verdict.failures)}")
    return Decision(True, f"{reached} against {against}; the gate passes")
