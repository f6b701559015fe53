"""Fail a change that makes a model worse: reports/ here against reports/ at a git revision -> exit code.

Exit codes: 0 passes; 1 regression; 2 cannot judge, with the reason in one line. What cannot be judged does not pass.
Without --baseline, the revision is where the present branch left the default branch, or the last commit if there is
no default branch. Nothing but git and the committed reports is needed: no data, no cache, no TensorFlow.
"""

import argparse
import math
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import numpy as np
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from fashion_mnist.data.dataset import CLASS_NAMES
from fashion_mnist.errors import ArtifactError, BaselineError, PipelineError
from fashion_mnist.params import Params
from fashion_mnist.report.language import percent, points
from fashion_mnist.report.templating import render_gate
from fashion_mnist.scores.gating import Evaluation, Verdict, describe_changes, judge, least_lead
from fashion_mnist.scores.metrics import Labels, score_predictions
from pipeline.runtime.command import run, say
from pipeline.runtime.files import (
    PREDICTIONS,
    REPORTS,
    parse_csv,
    parse_json,
    read_bytes,
    read_params,
    write_bytes,
    write_json,
)

EXIT_CODES = {"passes": 0, "regression": 1, "cannot judge": 2}
DEFAULT_BRANCHES = ("origin/HEAD", "origin/main", "origin/master", "main", "master")
REPLICATE = {"label": "uint8", "prediction": "uint8"}
ROUNDING = 1e-6  # metrics are stored with six decimals
# These also depend on the level of confidence, which may have changed.
INTERVAL = {"accuracy_low", "accuracy_high"}


class Place(NamedTuple):
    """Where an evaluation is read: the working tree, or a git revision."""

    name: str  # what an error puts before a path
    read: Callable[[str], bytes]
    list: Callable[[str], list[str]]  # names of the files in a folder


class State(NamedTuple):
    """What one place records: the test labels, the evaluations and their bytes by model, the data, and dvc.lock."""

    labels: Labels
    evaluations: Mapping[str, Evaluation]
    content: Mapping[str, bytes]
    data: Mapping[str, Any]
    lock: Mapping[str, Any]


def main(argv: Sequence[str] | None = None) -> None:
    """Judge, say what was found, write it where asked, and exit with the code that says the same."""
    options = parse(argv)
    try:
        judgement = judge_change(read_params(), options.baseline, seeds=options.seeds)
    except PipelineError as error:
        judgement = {"verdict": "cannot judge", "reason": str(error)}
    say(as_text(judgement))
    try:
        if options.json:
            write_json(judgement, options.json)
        if options.summary:
            write_bytes(render_gate(judgement).encode(), options.summary)
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_CODES["cannot judge"])
    sys.exit(EXIT_CODES[judgement["verdict"]])


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line; a mistake exits with code 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--baseline", metavar="REVISION", help="a git revision whose reports/ to compare with")
    parser.add_argument("--seeds", action="store_true", help="compare means over the seeds of `make seeds`")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the judgement to FILE, for machines")
    parser.add_argument("--summary", type=Path, metavar="FILE", help="also write it as Markdown, for a pull request")
    return parser.parse_args(argv)


def judge_change(params: Params, revision: str | None, *, seeds: bool) -> dict[str, Any]:
    """Judge the working tree against a revision. Raises PipelineError when that is not possible."""
    sha, described = find_baseline(revision)
    there = Place(f"{sha[:7]}:", partial(read_revision, sha), partial(list_revision, sha))
    here = Place("", lambda path: read_bytes(Path(path)), list_folder)
    known = [PurePath(name).stem for name in there.list(f"{REPORTS}/metrics")]
    if not known:
        raise BaselineError(
            f"{described} holds no {REPORTS}/metrics; expected a committed evaluation. Commit what `dvc repro` writes, "
            "or name a revision that has one with --baseline"
        )
    if vanished := [name for name in known if name not in params.models]:
        raise BaselineError(f"{vanished[0]} is evaluated at {described}, but not here; expected every model of it")
    old, new = read_state(there, known, seeds=seeds), read_state(here, params.models, seeds=seeds)
    if not np.array_equal(old.labels, new.labels):
        raise BaselineError(
            f"the test labels differ from those at {described}, in their values or order; expected the same images. "
            "Two test sets cannot be compared"
        )
    verdicts = {
        name: judge(
            new.labels,
            evaluation,
            old.evaluations.get(name),
            margin=params.gate.margin,
            confidence=params.gate.confidence,
            floors=params.gate.floors.get(name),
            class_names=CLASS_NAMES,
        )
        for name, evaluation in new.evaluations.items()
    }
    failures = [f"{name}: {failure}" for name, verdict in verdicts.items() for failure in verdict.failures]
    failures += check_claim(params, new)
    return {
        "verdict": "regression" if failures else "passes",
        "baseline": {"revision": sha, "described": described},
        "margin": params.gate.margin,
        "confidence": params.gate.confidence,
        "reproduced": reproduced(old, new),
        "failures": failures,
        "remarks": [f"{name}: {remark}" for name, verdict in verdicts.items() for remark in verdict.remarks],
        "changes": list_changes(old, new),
        "models": {name: as_json(verdict) for name, verdict in verdicts.items()},
    }


def find_baseline(revision: str | None) -> tuple[str, str]:
    """Return the commit to compare with, and how to call it. Raises BaselineError when there is none."""
    if revision:
        sha = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", missing="")
        if not sha:
            raise BaselineError(f"{revision} is no revision of this clone{hint()}")
        return sha, f"{revision} ({sha[:7]})" if not sha.startswith(revision) else sha[:7]
    head = git("rev-parse", "--verify", "--quiet", "HEAD^{commit}", missing="")
    if not head:
        raise BaselineError("this repository has no commit; expected one that holds reports/. Commit the first results")
    for branch in DEFAULT_BRANCHES:
        tip = git("rev-parse", "--verify", "--quiet", f"{branch}^{{commit}}", missing="")
        if tip:
            sha = git("merge-base", head, tip, missing="")
            if not sha:
                raise BaselineError(f"HEAD and {branch} have no common commit in this clone{hint()}")
            name = git("rev-parse", "--abbrev-ref", branch)  # the branch that origin/HEAD stands for
            return sha, f"{sha[:7]}, the last commit" if sha == head else f"{sha[:7]}, where HEAD left {name}"
    return head, f"{head[:7]}, the last commit"


def hint() -> str:
    """Say how to get at a commit that is not there."""
    if git("rev-parse", "--is-shallow-repository", missing="") == "true":
        return ", which is shallow. Type `git fetch --unshallow` and run again"
    return ". Name one with --baseline"


def git(*arguments: str, missing: str | None = None) -> str:
    """Return what a git command prints; `missing` in its place if it fails. Raises BaselineError if that is None."""
    return git_bytes(*arguments, missing=None if missing is None else missing.encode()).decode().strip()


def git_bytes(*arguments: str, missing: bytes | None = None) -> bytes:
    """Return the bytes that a git command prints, as `git` does."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=False)  # noqa: S603, S607
    except OSError as error:
        raise BaselineError(
            f"git does not start ({error.strerror}); expected git and a clone of the project"
        ) from error
    if done.returncode == 0:
        return done.stdout
    if missing is None:
        reason = " ".join(done.stderr.decode(errors="replace").split())
        raise BaselineError(f"git {arguments[0]} failed ({reason}); expected a revision that holds an evaluation")
    return missing


def read_revision(sha: str, path: str) -> bytes:
    """Return the content of a file at a revision; the path is relative to the current folder."""
    return git_bytes("show", f"{sha}:./{path}")


def list_revision(sha: str, folder: str) -> list[str]:
    """Return the names of the files in a folder at a revision; none if there is no such folder."""
    return [PurePath(line).name for line in git("ls-tree", "--name-only", sha, f"{folder}/").splitlines()]


def list_folder(folder: str) -> list[str]:
    """Return the names of the files in a folder of the working tree; none if there is no such folder."""
    return sorted(path.name for path in Path(folder).glob("*.*"))


def read_state(place: Place, models: Sequence[str], *, seeds: bool) -> State:
    """Read and check what a place records. Raises ArtifactError that names the file that is not as expected."""
    data = read_document(place, f"{REPORTS}/data.json", parse_json)
    lock = read_document(place, "dvc.lock", parse_yaml)
    labels: Labels | None = None
    evaluations: dict[str, Evaluation] = {}
    content: dict[str, bytes] = {}
    for name in models:
        paths = f"{REPORTS}/metrics/{name}.json", f"{REPORTS}/predictions/{name}.csv"
        content |= {path: place.read(path) for path in paths}
        metrics = parse_json(content[paths[0]], name=f"{place.name}{paths[0]}")
        table = parse_csv(content[paths[1]], columns=PREDICTIONS, name=f"{place.name}{paths[1]}")
        labels = table["label"] if labels is None else labels
        check_table(table, labels, images=data["test"]["images"], name=f"{place.name}{paths[1]}")
        check_metrics(metrics, table, name=f"{place.name}{paths[0]}")
        evaluations[name] = Evaluation(table["prediction"], read_replicates(place, name, labels) if seeds else ())
    assert labels is not None  # noqa: S101 - there is at least one model
    return State(labels, evaluations, content, data, lock)


def read_document(place: Place, path: str, parse: Callable[..., Any]) -> Any:
    """Read and parse a document that must be a mapping."""
    document = parse(place.read(path), name=f"{place.name}{path}")
    if not isinstance(document, Mapping):
        raise ArtifactError(f"{place.name}{path}: is no mapping; run `dvc repro` to make it again")
    return document


def parse_yaml(content: bytes, *, name: str) -> Any:
    """Parse a YAML document. Raises ArtifactError when it is none."""
    try:
        return YAML(typ="safe").load(content)
    except YAMLError as error:
        raise ArtifactError(f"{name}: is not YAML ({' '.join(str(error).split())}); run `dvc repro`") from error


def read_replicates(place: Place, model: str, labels: Labels) -> list[Labels]:
    """Return what a model predicts with each seed of `make seeds`. Raises ArtifactError if there are none."""
    folder = f"{REPORTS}/seeds/{model}"
    names = place.list(folder)
    if len(names) < 2:
        raise ArtifactError(f"{place.name}{folder}: {len(names)} files; expected at least 2. Run `make seeds` there")
    tables = {
        name: parse_csv(place.read(f"{folder}/{name}"), columns=REPLICATE, name=f"{place.name}{folder}/{name}")
        for name in names
    }
    for name, table in tables.items():
        check_table(table, labels, images=len(labels), name=f"{place.name}{folder}/{name}")
    return [table["prediction"] for table in tables.values()]


def check_table(table: Mapping[str, Labels], labels: Labels, *, images: int, name: str) -> None:
    """Refuse predictions that are not one for each test image, in the order of the labels."""
    found = len(table["label"])
    if found != images:
        raise ArtifactError(f"{name}: {found} rows; expected {images}, one for each test image. Run `dvc repro`")
    if not np.array_equal(table["label"], labels):
        raise ArtifactError(f"{name}: its labels, or their order, are not those of the other models. Run `dvc repro`")
    if (highest := max(table["label"].max(), table["prediction"].max())) >= len(CLASS_NAMES):
        raise ArtifactError(f"{name}: class {highest}; expected 0 to {len(CLASS_NAMES) - 1}. Run `dvc repro`")


def check_metrics(metrics: Any, table: Mapping[str, Labels], *, name: str) -> None:
    """Refuse metrics that hold anything but finite numbers, or that the predictions beside them do not give."""
    if not isinstance(metrics, Mapping):
        raise ArtifactError(f"{name}: is no mapping of metrics. Run `dvc repro`")
    for key, value in metrics.items():
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise ArtifactError(f"{name}: {key} is {value}; expected a finite number. Run `dvc repro`")
    given = score_predictions(table["label"], table["prediction"], class_names=CLASS_NAMES, confidence=0.95)
    for key in given.keys() - INTERVAL:
        if abs(metrics.get(key, math.inf) - given[key]) > ROUNDING:
            raise ArtifactError(
                f"{name}: {key} is {metrics.get(key, 'missing')}, but the predictions beside it give {given[key]:.6f}; "
                "expected files of one run. Run `dvc repro`"
            )


def check_claim(params: Params, state: State) -> list[str]:
    """Return a sentence unless the candidate is shown to be more accurate than the baseline model."""
    baseline, candidate = params.report.baseline, params.report.candidate
    lead = least_lead(
        state.labels,
        state.evaluations[baseline].predictions,
        state.evaluations[candidate].predictions,
        confidence=params.gate.confidence,
    )
    if lead > 0:
        return []
    return [
        f"{candidate} is not shown to be more accurate than {baseline}: with {100 * params.gate.confidence:g} % "
        f"confidence its lead is at least {points(lead)} points; expected more than 0"
    ]


def reproduced(old: State, new: State) -> bool:
    """Tell whether metrics, predictions and models are the same bytes in both states."""
    return old.content == new.content and all(
        stage_of(old, name).get("outs") == stage_of(new, name).get("outs") for name in old.evaluations
    )


def list_changes(old: State, new: State) -> list[str]:
    """Name the data, parameters, code and seeds that differ between two states."""
    changes = [
        f"data: the {split} {part} are others"
        for split in ("train", "validation", "test")
        for part in ("images", "labels")
        if old.data.get(split, {}).get(f"{part}_sha256") != new.data.get(split, {}).get(f"{part}_sha256")
    ]
    for name in new.evaluations:
        if name in old.evaluations:
            changes += describe_changes(stage_of(old, name), stage_of(new, name), name=name)
    return changes


def stage_of(state: State, model: str) -> Mapping[str, Any]:
    """Return what dvc.lock records of a model's training."""
    record: Mapping[str, Any] = state.lock.get("stages", {}).get(f"train@{model}", {})
    return record


def as_json(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as a mapping that JSON can hold."""
    return {**verdict._asdict(), "failures": list(verdict.failures), "remarks": list(verdict.remarks)}


def as_text(judgement: Mapping[str, Any]) -> str:
    """Lay the judgement out for a terminal: a line for each model, then sentences, then the verdict."""
    if judgement["verdict"] == "cannot judge":
        return f"gate: cannot judge. {judgement['reason']}"
    tolerated = points(-judgement["margin"])
    lines = [f"gate against {judgement['baseline']['described']}; points of test accuracy, {tolerated} tolerated", ""]
    lines += [f"{'model':10}{'was':>10}{'is':>10}{'change':>10}{'at worst':>10}{'at best':>10}{'lost':>7}{'gained':>8}"]
    for name, model in judgement["models"].items():
        counts = [sum(count[side] for count in model["exchanged"].values()) for side in ("lost", "gained")]
        cells = [*map(percent, (model["baseline_accuracy"], model["accuracy"]))]
        cells += [*map(points, (model["change"], model["at_worst"], model["at_best"]))]
        lines.append(f"{name:10}{''.join(f'{cell:>10}' for cell in cells)}{counts[0]:7}{counts[1]:8}")
    same = "the same bytes as at the baseline" if judgement["reproduced"] else "other bytes than at the baseline"
    lines += ["", f"metrics, predictions and models: {same}", *judgement["changes"], *judgement["remarks"]]
    lines += [f"FAILS {failure}" for failure in judgement["failures"]]
    return "\n".join([*lines, "", f"gate: {judgement['verdict']}"])


if __name__ == "__main__":
    try:
        run(main)
    except Exception:  # noqa: BLE001 - a defect of the gate is no regression of a model
        traceback.print_exc()
        sys.exit(EXIT_CODES["cannot judge"])
