"""Which model is served: the best on validation, unless the gate objects."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fashion_mnist.data.split import Labels
from fashion_mnist.gate.judgement import Evaluation, judge
from fashion_mnist.params import GateParams


class Contender(NamedTuple):
    """A model that is or may become champion: its accuracy on validation, and its predictions for the test images.

    labels, predictions: uint8, shape (n,). note: how it was scored, if not when it was made.
    """

    model: str
    validation_accuracy: float
    labels: Labels
    predictions: Labels
    note: str = ""


class Unfit(NamedTuple):
    """A champion that cannot be compared with any model of the present data, and why."""

    model: str
    reason: str


class Decision(NamedTuple):
    """Whether a model becomes champion, and the sentence that says why."""

    moves: bool
    reason: str


def best_on_validation(accuracies: Mapping[str, float]) -> str:
    """Return the model with the highest accuracy on validation; the earlier one if two are equal."""
    return max(accuracies, key=lambda model: accuracies[model])


def decide_promotion(
    candidate: Contender, champion: Contender | Unfit | None, gate: GateParams, *, class_names: Sequence[str]
) -> Decision:
    """Decide whether a candidate takes the place of the present champion; both are scored on the same images.

    Accuracy on validation decides, so that test stays out of the choice; the gate can only veto: no champion is
    replaced by a model that may be worse on the same test images. A champion that is unfit is replaced.
    """
    reached = f"{candidate.model} reaches {100 * candidate.validation_accuracy:.2f} % on validation"
    if champion is None:
        return Decision(True, f"{reached}, the best of this state; there was no champion before")
    if isinstance(champion, Unfit):
        return Decision(True, f"{reached}; it replaces the champion, {champion.model}, which {champion.reason}")
    against = f"the champion, {champion.model}, {100 * champion.validation_accuracy:.2f} %{champion.note}"
    if candidate.validation_accuracy <= champion.validation_accuracy:
        return Decision(False, f"{reached} and does not beat {against}")
    new, old = Evaluation(candidate.predictions), Evaluation(champion.predictions)
    verdict = judge(candidate.labels, new, old, gate, model=candidate.model, class_names=class_names)
    if verdict.failures:
        return Decision(False, f"{reached} against {against}, but the gate refuses it: {'; '.join(verdict.failures)}")
    return Decision(True, f"{reached} against {against}; the gate passes")
