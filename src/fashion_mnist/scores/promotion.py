"""What a run store is told of a pipeline's state: fingerprints, flat parameters, a table, and who is champion."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fashion_mnist.params import GateParams
from fashion_mnist.scores.gating import Evaluation, judge
from fashion_mnist.scores.metrics import Labels


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


def fingerprint(*parts: Any) -> str:
    """Return 32 hexadecimal digits that stand for JSON values; the order of keys does not count, any value does."""
    canonical = json.dumps(parts, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


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
        return Decision(False, f"{reached}, {against}; expected more")
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
        return Decision(False, f"{reached}, {against}, but the gate refuses it: {'; '.join(verdict.failures)}")
    return Decision(True, f"{reached}, {against}; the gate passes")


def describe_state(scores: Mapping[str, Mapping[str, float]], comparison: Mapping[str, float], *, dataset: str) -> str:
    """Lay the models' scores out as a Markdown table, with the paired difference below it."""
    rows = [
        ("test accuracy", "accuracy"),
        ("lower end of its interval", "accuracy_low"),
        ("upper end of its interval", "accuracy_high"),
        ("validation accuracy", "validation_accuracy"),
        ("train accuracy", "train_accuracy"),
    ]
    lines = [f"| on {dataset} | {' | '.join(scores)} |", f"| --- |{' ---: |' * len(scores)}"]
    for title, key in rows:
        lines.append(f"| {title} | {' | '.join(f'{100 * score[key]:.2f} %' for score in scores.values())} |")
    counts = (f"{score['parameters']:,.0f}" for score in scores.values())
    lines += [f"| parameters | {' | '.join(counts)} |", ""]
    lines.append(
        f"Paired difference on test: {100 * comparison['difference']:+.2f} points, interval "
        f"{100 * comparison['difference_low']:+.2f} to {100 * comparison['difference_high']:+.2f}; "
        f"McNemar's exact p = {comparison['mcnemar_p']:.2g}."
    )
    return "\n".join(lines) + "\n"
