"""A study of made-up trainings, as a value and as files: quick to make, and with effects that tests can look for."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fashion_mnist.data.split import Labels
from fashion_mnist.params import Params
from fashion_mnist.study.plan import KINDS, Kind, Study, TrialRecord, plan, units_of
from pipeline.runtime.paths import STUDY, STUDY_TRIALS, replicates_of
from pipeline.study.tables import HISTORY, describe_training, write_replicates, write_trials

ACCURACY = {"dense": 0.87, "cnn": 0.91}


def small_study(
    params: Params,
    labels: Labels,
    *,
    seeds: int = 5,
    units: Sequence[int] = (16, 128, 1024),
    epochs: int = 6,
    data: Mapping[str, str | None] | None = None,
) -> Study:
    """Make up a study of the models in `params`, for these test labels.

    Accuracy on test is ACCURACY, with a spread of half a point over seeds. On validation, more units help until 128;
    validation loss is lowest at epoch 3, accuracy on train rises to the end.
    """
    rng = np.random.default_rng(0)
    trials, predictions = [], {}
    for model in params.train:
        accuracy = ACCURACY.get(model, 0.9)
        for kind in KINDS[:3]:
            made = []
            for seed in range(1, seeds + 1):
                found = accuracy + 0.005 * rng.standard_normal()
                wrong = rng.random(len(labels)) > found
                made.append(np.where(wrong, (labels + 1) % 10, labels).astype(np.uint8))
                cut = seed if kind == "other_cut" else None
                trials.append(TrialRecord(kind, model, 128, seed, cut, history(rng, accuracy, epochs, kind)))
            predictions[kind, model] = np.stack(made)
        for size in units:
            reached = accuracy - 0.02 * (size < 128)
            trials += [
                TrialRecord("sweep", model, size, seed, None, history(rng, reached, epochs, "sweep"))
                for seed in range(1, seeds + 1)
            ]
    description = {
        "dataset": "fashion_mnist",
        "trials": len(trials),
        "train": {model: describe_training(params, model) for model in params.train},
        "data": data or {},
        "code": dict.fromkeys(params.train, "0" * 64),
        "files": {},
    }
    return Study(description, trials, labels, predictions)


def planned_study(params: Params) -> Study:
    """Make up a study of all the trainings that `params` ask for, on ten thousand test images; it has no files."""
    labels = np.repeat(np.arange(10, dtype=np.uint8), 1000)
    rng = np.random.default_rng(0)
    trials, seeds = [], Counter[tuple[Kind, str]]()
    for kind, model, training, cut in plan(params):
        made = history(rng, 0.9, training.epochs, kind)
        trials.append(TrialRecord(kind, model, units_of(training), training.seed, cut, made))
        seeds[kind, model] += kind != "sweep"
    predictions = {place: np.tile(labels, (count, 1)) for place, count in (+seeds).items()}
    return Study(small_study(params, labels).description, trials, labels, predictions)


def history(rng: np.random.Generator, accuracy: float, epochs: int, kind: str) -> dict[str, np.ndarray]:
    """Make up the epochs of one training."""
    epoch = np.arange(1, epochs + 1, dtype=float)
    noise = 0.002 * rng.standard_normal((4, epochs))
    columns = {
        "epoch": epoch,
        "loss": 0.5 / epoch + noise[0],
        "accuracy": accuracy + 0.06 - 0.2 / epoch + noise[1],
        "val_loss": 0.3 + 0.01 * (epoch - 3) ** 2 + noise[2] / 10,
        "val_accuracy": accuracy - 0.05 / epoch + noise[3],
    }
    if kind == "article":
        columns |= {"val_loss": np.full(epochs, np.nan), "val_accuracy": np.full(epochs, np.nan)}
    return {column: columns[column] for column in HISTORY}


def write_files(study: Study, folder: Path) -> None:
    """Write a study as `make study` does, below the folder of a workspace."""
    tables = {STUDY_TRIALS: write_trials(study.trials)}
    for (kind, model), made in study.predictions.items():
        tables[replicates_of(kind, model)] = write_replicates(study.labels, dict(enumerate(made.tolist(), start=1)))
    for path, content in tables.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    files = {path.as_posix(): hashlib.sha256(content).hexdigest() for path, content in tables.items()}
    (folder / STUDY).write_text(json.dumps({**study.description, "files": files}))
