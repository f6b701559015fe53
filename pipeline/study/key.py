"""What decides a trial's result besides its parameters: what the code computes, and the data.

A short training of each model stands for the code, packages included: code that gives its figures is taken to give
those of the study. So an edit that changes no figure makes no trial old. What this cannot see: docs/decisions/0014.
"""

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from fashion_mnist.data.dataset import array_digest, restore_pixels, scale_pixels
from fashion_mnist.data.description import SPLITS
from fashion_mnist.errors import ArtifactError, StudyError
from fashion_mnist.params import Params
from fashion_mnist.params.training import without_defaults
from fashion_mnist.study.plan import Trial, short_trial
from pipeline.bytes.formats import read_json, read_split
from pipeline.runtime.edits import CODE
from pipeline.runtime.machine import available_workers
from pipeline.runtime.packages import check_packages
from pipeline.runtime.paths import DATA, NORMALIZED
from pipeline.study.process import end_processes, run_process

ONE_AT_A_TIME = Lock()


class Basis(NamedTuple):
    """What the trials of a study rest on.

    short: by model, the short training that stands for its code, as JSON values. code: by model, the sha256 of what
    that gives. data: sha256 by split and part.
    """

    short: Mapping[str, Any]
    code: Mapping[str, str]
    data: Mapping[str, str]

    def key(self, trial: Trial) -> str:
        """Return the name under which a trial's result is stored: 32 hexadecimal digits."""
        # A test split that stays closed decides nothing.
        data = {
            part: sha256 for part, sha256 in self.data.items() if trial.is_scored_on_test or not part.startswith("test")
        }
        # The kind is left out: what is the same training has the same result.
        decides = {
            "params": without_defaults(trial.params.model_dump(mode="json")),
            "cut": trial.cut,
            "all_images": trial.kind == "article",
            "code": self.code[trial.model],
            "data": data,
        }
        return digest(decides)[:32]


def plan_short(params: Params) -> dict[str, Any]:
    """Return the short training of each model of the study, as JSON values."""
    models = sorted({*params.study.replicates, *params.study.sweep})
    return {model: short_trial(model, params.training_of(model)) for model in models}


def take_basis(short: Mapping[str, Any]) -> Basis:
    """Run the short trainings here and hash the data in the current folder.

    Raises ArtifactError unless the installed packages are those of the lock, and the arrays those that
    reports/data.json describes; StudyError if a short training fails.
    """
    check_packages()
    described = read_json(DATA)
    data = {}
    for split in SPLITS:
        found = _split_digests(split, _state_of(NORMALIZED / split, "*.npy"))
        for part, sha256 in found.items():
            if sha256 != described[split][f"{part}_sha256"]:
                raise ArtifactError(
                    f"{NORMALIZED / split / part}.npy: is not what {DATA} describes; run `dvc checkout` or "
                    "`dvc repro -f normalize`"
                )
            data[f"{split} {part}"] = sha256
    # A worker asks from each of its threads; the first one trains.
    with ONE_AT_A_TIME:
        trainings = tuple(sorted((model, json.dumps(trial)) for model, trial in short.items()))
        return Basis(
            short, _code_digests(trainings, tuple(_state_of(Path(folder), "[!.]*.py") for folder in CODE)), data
        )


@lru_cache(maxsize=1)
def _code_digests(trainings: tuple[tuple[str, str], ...], _state: tuple[Any, ...]) -> dict[str, str]:
    """Hash what short trainings give; only once while no file of code changes."""

    def train(item: tuple[str, str]) -> tuple[str, str]:
        model, trial = item
        try:
            return model, digest(run_process(json.loads(trial), short=True))
        except RuntimeError as error:
            raise StudyError(f"a short training of {model} fails ({error}); expected one that succeeds") from error

    with ThreadPoolExecutor(available_workers()) as pool:
        try:
            return dict(pool.map(train, trainings))
        except KeyboardInterrupt:  # which only the driver gets, before any trial runs
            end_processes()
            raise


def digest(value: Any) -> str:
    """Return the sha256 of JSON values, whatever the order of keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _state_of(folder: Path, pattern: str) -> tuple[Any, ...]:
    """Return what changes when a file in a folder is written anew."""
    files = ((path, path.stat()) for path in sorted(folder.rglob(pattern)))
    return tuple((path.as_posix(), stat.st_mtime_ns, stat.st_size) for path, stat in files)


@lru_cache(maxsize=len(SPLITS))
def _split_digests(split: str, _state: tuple[Any, ...]) -> dict[str, str]:
    """Hash the pixels and labels of a split, as `normalize` did; only once while its files stay as they are."""
    images, labels = read_split(split)
    pixels = restore_pixels(images)
    if not np.array_equal(scale_pixels(pixels), images):
        raise ArtifactError(f"{NORMALIZED / split}/images.npy: is damaged; run `dvc repro -f normalize`")
    return {"images": array_digest(pixels), "labels": array_digest(labels)}
