"""The tables of a study: a row for each epoch of each trial, and a column of predictions for each seed.

reports/study.json describes the study and holds the sha256 of both kinds of table, so it stands for all of them.
"""

import csv
import hashlib
import io
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, cast

import numpy as np

from fashion_mnist.data.description import SPLITS, DataDescription
from fashion_mnist.data.split import Labels
from fashion_mnist.errors import ArtifactError, StudyError
from fashion_mnist.params import Params
from fashion_mnist.params.training import without_defaults
from fashion_mnist.study.plan import KINDS, Kind, Study, TrialRecord
from pipeline.bytes.formats import parse_csv, parse_json
from pipeline.runtime.files import read_bytes, reading
from pipeline.runtime.paths import STUDY, STUDY_TRIALS, replicates_of
from pipeline.runtime.tables import HISTORY_COLUMNS

IDENTITY = ("kind", "model", "units", "seed", "cut")
AGAIN = "run `git checkout HEAD -- reports/study`, or `make study` to make it again"
HISTORY = tuple(HISTORY_COLUMNS)


def write_trials(records: Sequence[TrialRecord]) -> bytes:
    """Write trials as CSV, sorted; an empty cell where there is no value."""
    lines = [",".join((*IDENTITY, *HISTORY))]
    for record in sorted(records, key=_place):
        identity = ["" if value is None else str(value) for value in record[: len(IDENTITY)]]
        for row in zip(*(record.history[column] for column in HISTORY), strict=True):
            lines.append(
                ",".join([*identity, str(int(row[0])), *("" if math.isnan(v) else f"{v:.6f}" for v in row[1:])])
            )
    return ("\n".join(lines) + "\n").encode()


def _place(record: TrialRecord) -> tuple[Any, ...]:
    return KINDS.index(record.kind), record.model, record.units or 0, record.seed


def parse_trials(content: bytes, *, name: str) -> list[TrialRecord]:
    """Parse what `write_trials` wrote; name: what an error calls it. Raises ArtifactError when it is none."""
    with reading(name, advice=AGAIN):
        rows = list(csv.reader(io.StringIO(content.decode())))
        if tuple(rows[0]) != IDENTITY + HISTORY:
            raise ValueError(f"columns are {','.join(rows[0])}; expected {','.join(IDENTITY + HISTORY)}")
        records = []
        for identity, group in groupby(rows[1:], key=lambda row: row[: len(IDENTITY)]):
            kind, model, units, seed, cut = identity
            if kind not in KINDS:
                raise ValueError(f"kind is {kind}; expected one of {', '.join(KINDS)}")
            columns = zip(*([float(cell or "nan") for cell in row[len(IDENTITY) :]] for row in group), strict=True)
            history = dict(zip(HISTORY, map(np.array, columns), strict=True))
            numbers = (int(units) if units else None, int(seed), int(cut) if cut else None)
            records.append(TrialRecord(cast("Kind", kind), model, *numbers, history))
        return records


def write_replicates(labels: Labels, predictions: Mapping[int, Sequence[int]]) -> bytes:
    """Write what each seed predicts for every test image as CSV: the column label, then one for each seed."""
    seeds = sorted(predictions)
    rows = np.column_stack([labels, *(predictions[seed] for seed in seeds)])
    text = io.StringIO()
    np.savetxt(text, rows, fmt="%d", delimiter=",", header=",".join(["label", *map(str, seeds)]), comments="")
    return text.getvalue().encode()


def parse_replicates(content: bytes, *, name: str) -> tuple[Labels, Labels]:
    """Parse what `write_replicates` wrote: the labels, shape (n,), and the predictions, shape (seeds, n)."""
    header = content.partition(b"\n")[0].decode(errors="replace").split(",")
    with reading(name, advice=AGAIN):
        if header[0] != "label" or len(header) < 2 or len(set(header)) < len(header):
            raise ValueError("the columns differ; expected label, then one for each seed")
    try:
        table = parse_csv(content, columns=dict.fromkeys(header, "uint16"), name=name)
    except ArtifactError as error:  # which advises `dvc repro`, as for tables that a stage writes
        raise ArtifactError(f"{str(error).rpartition(';')[0]}; {AGAIN}") from error
    return table["label"], np.stack([table[column] for column in header[1:]])


def find_study(
    params: Params, data: DataDescription, read: Callable[[str], bytes] = lambda path: read_bytes(Path(path))
) -> Study | None:
    """Read the study of the present data and parameters; None if none was made.

    read: gives a file's content by its path, such as at a git revision. Models that are now trained with other
    parameters are left out. Raises ArtifactError or StudyError where a file is missing, damaged, or not the one that
    the study's description names.
    """
    description = parse_json(read(STUDY.as_posix()), name=str(STUDY))
    with reading(str(STUDY), advice=f"run `make study`, or `git checkout HEAD -- {STUDY}`"):
        if not description or description["data"] != data_digests(data.model_dump()):
            return None
        same = {
            model
            for model, section in description["train"].items()
            if without_defaults(section) == describe_training(params, model)
        }
        study = read_study(description, read, models=same)
        return study if study.predictions else None


def read_study(
    description: Mapping[str, Any], read: Callable[[str], bytes], *, models: Collection[str], place: str = ""
) -> Study:
    """Read the tables that a description names, whatever they are about; of these models only.

    read: as for `find_study`. place: what an error puts before a path. Raises ArtifactError or StudyError where a file
    is missing, damaged, or not the one that the description names.
    """
    content = {path: read(path) for path in description["files"]}
    for path, sha256 in description["files"].items():
        if hashlib.sha256(content[path]).hexdigest() != sha256:
            raise StudyError(f"{place}{path}: is not what {STUDY} describes; run `make study` to write it again")
    trials = parse_trials(content[STUDY_TRIALS.as_posix()], name=f"{place}{STUDY_TRIALS}")
    trials = [trial for trial in trials if trial.model in models]
    labels = np.zeros(0, np.uint8)
    predictions: dict[tuple[Kind, str], Labels] = {}
    for kind, model in sorted({(trial.kind, trial.model) for trial in trials if trial.kind != "sweep"}):
        path = replicates_of(kind, model).as_posix()
        labels, predictions[kind, model] = parse_replicates(content[path], name=f"{place}{path}")
    return Study(description, trials, labels, predictions)


def data_digests(data: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the sha256 of each part of the data, as a study describes them; data: the content of reports/data.json."""
    return {
        f"{split} {part}": data.get(split, {}).get(f"{part}_sha256")
        for split in SPLITS
        for part in ("images", "labels")
    }


def describe_training(params: Params, model: str) -> dict[str, Any] | None:
    """Return what a section sets for all trainings of a model in a study, without defaults; None if there is none."""
    section = params.train.get(model) or params.recipes.get(model)
    return without_defaults(section.model_dump(mode="json", exclude={"seed"})) if section else None
