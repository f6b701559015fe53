"""The results of trials: a file for each, named by what decides its bytes, and a forecast of those that are missing.

Git and DVC ignore the files. A trial whose file is there need not run again. Deleting the folder only loses time.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Hashable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from fashion_mnist.errors import ArtifactError
from fashion_mnist.study.plan import Trial, units_of
from pipeline.bytes.formats import parse_json
from pipeline.runtime.files import read_bytes, write_bytes

TRIALS = Path("study/trials")


class StoredResult(NamedTuple):
    """What a trial gave.

    history: a row for each epoch: epoch, loss, accuracy, val_loss, val_accuracy; the last two are None without
    validation. predictions: of each test image, or None. seconds: how long the trial took; None if only reports/study
    holds it.
    """

    history: list[list[float | None]]
    predictions: list[int] | None
    seconds: float | None


def path_of(key: str) -> Path:
    """Return where a result is stored."""
    return TRIALS / f"{key}.json"


def write_result(key: str, trial: Trial, result: Mapping[str, Any], seconds: float) -> StoredResult:
    """Store a trial's result and return it."""
    stored = StoredResult(result["history"], result["predictions"], seconds)
    content = {"trial": trial.document(), "result": stored._asdict()}
    write_bytes((json.dumps({"sha256": _digest(content), **content}) + "\n").encode(), path_of(key))
    return stored


def find_result(key: str) -> StoredResult | None:
    """Return a stored result; None if there is none, or if its file is damaged, so that the trial runs again."""
    path = path_of(key)
    if not path.is_file():
        return None
    try:
        document = parse_json(read_bytes(path), name=str(path))
        content = {part: document[part] for part in ("trial", "result")}
        return StoredResult(**content["result"]) if document["sha256"] == _digest(content) else None
    except (ArtifactError, KeyError, TypeError):
        return None


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


class Forecast:
    """Learns from finished trials how long the others take: from those of the same network and size, if there are."""

    def __init__(self, trials: Mapping[str, Trial], done: Mapping[str, StoredResult]) -> None:
        self._trials = trials
        self._missing = set(trials)
        # Seconds and epochs of finished trials: of the same model and size, of the same model, of all.
        self._seen: dict[Hashable, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self._best: tuple[float, str] = (0.0, "")
        for key, result in done.items():
            self.add(key, result)

    def add(self, key: str, result: StoredResult) -> None:
        """Note a finished trial."""
        self._missing.discard(key)
        trial, val_accuracy = self._trials[key], result.history[-1][-1]
        if result.seconds is not None:
            for group in _groups(trial):
                seen = self._seen[group]
                seen[0] += result.seconds
                seen[1] += trial.params.epochs
        if val_accuracy is not None and val_accuracy > self._best[0]:
            size = f" {units_of(trial.params)}" if trial.kind == "sweep" else ""
            self._best = (val_accuracy, f"{trial.model}{size}")

    def describe(self, *, slots: int) -> str:
        """Say what is left and what is best on validation; slots: how many trials run at a time."""
        left = timedelta(seconds=round(self.seconds_left() / max(1, slots)))
        best = f", best on validation: {self._best[1]} {100 * self._best[0]:.2f} %" if self._best[1] else ""
        return f"about {left} left{best}"

    def seconds_left(self) -> float:
        """Estimate how long the missing trials would take one after the other."""
        return sum(self._seconds_of(self._trials[key]) for key in self._missing)

    def _seconds_of(self, trial: Trial) -> float:
        known = next((self._seen[group] for group in _groups(trial) if group in self._seen), [0.0, 1.0])
        return known[0] / known[1] * trial.params.epochs


def _groups(trial: Trial) -> tuple[Hashable, ...]:
    return (trial.model, units_of(trial.params)), trial.model, None
