"""The store of trials: a file for each result, named by what decides its bytes, ignored by git and DVC.

A trial whose file is there need not run again. Deleting the folder loses time, nothing else.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fashion_mnist.errors import ArtifactError
from fashion_mnist.study.plan import Trial
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
