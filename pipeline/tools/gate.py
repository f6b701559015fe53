"""Fail a change that makes a model worse: reports/ here against reports/ at a git revision -> exit code.

Exit codes: 0 passes; 1 regression; 2 cannot judge, with the reason in one line. What cannot be judged does not pass.
Without --baseline, the revision is where the present branch left the default branch, or the last commit if there is
no default branch. It needs only git and the committed reports: no data, no cache, no TensorFlow.
"""

import argparse
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from fashion_mnist.data.description import DataDescription, parse_description
from fashion_mnist.errors import BaselineError, PipelineError
from fashion_mnist.params import Params
from fashion_mnist.report.judgement import judgement_markdown, judgement_text
from fashion_mnist.report.language import points
from fashion_mnist.scores.gating import describe_changes, judge, least_lead
from pipeline.runtime import git
from pipeline.runtime.command import run, say
from pipeline.runtime.files import write_bytes
from pipeline.runtime.formats import write_json
from pipeline.runtime.machine import cpu_model
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import DATA, METRICS
from pipeline.tools.evaluations import RecordedEvaluation, read_evaluation, revision, working_tree
from pipeline.tools.replicates import add_replicates
from pipeline.trials.fingerprint import describe_code, take_code

EXIT_CODES = {"passes": 0, "regression": 1, "cannot judge": 2}
DEFAULT_BRANCHES = ("origin/HEAD", "origin/main", "origin/master", "main", "master")


def main(argv: Sequence[str] | None = None) -> None:
    """Print the judgement, write it to the files asked for, and exit with its code."""
    options = parse(argv)
    try:
        judgement = judge_change(read_params(), options.baseline, seeds=options.seeds)
    except PipelineError as error:
        judgement = {"verdict": "cannot judge", "reason": str(error)}
    say(judgement_text(judgement))
    try:
        if options.json:
            write_json(judgement, options.json)
        if options.summary:
            write_bytes(judgement_markdown(judgement).encode(), options.summary)
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_CODES["cannot judge"])
    sys.exit(EXIT_CODES[judgement["verdict"]])


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line; a mistake exits with code 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--baseline", metavar="REVISION", help="a git revision whose reports/ to compare with")
    parser.add_argument("--seeds", action="store_true", help="compare means over the seeds of `make study`")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the judgement to FILE, for machines")
    parser.add_argument("--summary", type=Path, metavar="FILE", help="also write it as Markdown, for a pull request")
    return parser.parse_args(argv)


def judge_change(params: Params, baseline: str | None, *, seeds: bool) -> dict[str, Any]:
    """Judge the working tree against a revision. Raises PipelineError when that is not possible."""
    commit, described = find_baseline(baseline)
    old, new = read_sides(params, commit, described=described, seeds=seeds)
    data = parse_description(DataDescription, new.data, name=str(DATA))
    verdicts = {
        name: judge(
            new.labels,
            evaluation,
            old.evaluations.get(name),
            margin=params.gate.margin,
            confidence=params.gate.confidence,
            floors=params.gate.floors.get(name),
            class_names=data.classes,
        )
        for name, evaluation in new.evaluations.items()
    }
    failures = [f"{name}: {failure}" for name, verdict in verdicts.items() for failure in verdict.failures]
    remarks = [f"{name}: {remark}" for name, verdict in verdicts.items() for remark in verdict.remarks]
    if lacking := lacks_lead(params, new):
        # Of a folder nobody has said that the candidate leads, unless it did before.
        is_claimed = data.dataset != "folder" or not lacks_lead(params, old)
        (failures if is_claimed else remarks).append(lacking)
    return {
        "verdict": "regression" if failures else "passes",
        "baseline": {"revision": commit, "described": described},
        "margin": params.gate.margin,
        "confidence": params.gate.confidence,
        "cpu": cpu_model(),
        "instructions": {name: params.train[name].instructions for name in params.models},
        "reproduced": is_reproduced(old, new),
        "failures": failures,
        "remarks": remarks,
        "changes": list_changes(old, new),
        "models": {name: verdict._asdict() for name, verdict in verdicts.items()},
    }


def read_sides(
    params: Params, commit: str, *, described: str, seeds: bool
) -> tuple[RecordedEvaluation, RecordedEvaluation]:
    """Read the evaluations at a commit and in the working tree. Raises PipelineError when they cannot be compared."""
    there, here = revision(commit), working_tree()
    known = [PurePath(name).stem for name in there.list(str(METRICS))]
    if not known:
        raise BaselineError(
            f"{described} holds no {METRICS}; expected a committed evaluation. Commit what `dvc repro` writes, "
            "or name a revision that has one with --baseline"
        )
    if vanished := [name for name in known if name not in params.models]:
        raise BaselineError(f"{vanished[0]} is evaluated at {described}, but not here; expected every model of it")
    old, new = read_evaluation(there, known), read_evaluation(here, list(params.models))
    if not np.array_equal(old.labels, new.labels):
        raise BaselineError(
            f"the test labels differ from those at {described}, in their values or order; expected the same images. "
            "Two test sets cannot be compared"
        )
    if seeds:  # code is compared here alone: an old revision holds other files
        old = add_replicates(there, old, known)
        new = add_replicates(here, new, known, code=describe_code(take_code()))
    return old, new


def find_baseline(baseline: str | None) -> tuple[str, str]:
    """Return the commit to compare with, and how to call it. Raises BaselineError when there is none."""
    if baseline:
        commit = git.find_commit(baseline)
        if commit is None:
            raise BaselineError(f"{baseline} is not a revision of this clone{advice()}")
        return commit, f"{baseline} ({commit[:7]})" if not commit.startswith(baseline) else commit[:7]
    head = git.find_commit("HEAD")
    if head is None:
        raise BaselineError("this repository has no commit; expected one that holds reports/. Commit the first results")
    for branch in DEFAULT_BRANCHES:
        tip = git.find_commit(branch)
        if tip:
            commit = git.merge_base(head, tip)
            if commit is None:
                raise BaselineError(f"HEAD and {branch} have no common commit in this clone{advice()}")
            name = git.branch_name(branch)
            return (
                commit,
                f"{commit[:7]}, the last commit" if commit == head else f"{commit[:7]}, where HEAD left {name}",
            )
    return head, f"{head[:7]}, the last commit"


def advice() -> str:
    """Return advice on how to get a commit that this clone lacks."""
    if git.is_shallow():
        return ", which is shallow. Type `git fetch --unshallow` and run again"
    return ". Name one with --baseline"


def lacks_lead(params: Params, state: RecordedEvaluation) -> str:
    """Return a sentence unless the candidate is shown to be more accurate than the baseline model; empty if it is."""
    baseline, candidate = params.report.baseline, params.report.candidate
    if not {baseline, candidate} <= state.evaluations.keys():
        return f"{candidate} and {baseline} are not both evaluated"
    lead = least_lead(
        state.labels,
        state.evaluations[baseline].predictions,
        state.evaluations[candidate].predictions,
        confidence=params.gate.confidence,
    )
    if lead > 0:
        return ""
    return (
        f"{candidate} is not shown to be more accurate than {baseline}: with {100 * params.gate.confidence:g} % "
        f"confidence its lead is at least {points(lead)} points; expected more than 0"
    )


def is_reproduced(old: RecordedEvaluation, new: RecordedEvaluation) -> bool:
    """Tell whether metrics, predictions and models are the same bytes in both states."""
    return old.content == new.content and all(
        old.training_record(name).get("outs") == new.training_record(name).get("outs") for name in old.evaluations
    )


def list_changes(old: RecordedEvaluation, new: RecordedEvaluation) -> list[str]:
    """Name the data, parameters, code and seeds that differ between two states."""
    changes = [
        f"data: the {split} {part} differ"
        for split in ("train", "validation", "test")
        for part in ("images", "labels")
        if old.data.get(split, {}).get(f"{part}_sha256") != new.data.get(split, {}).get(f"{part}_sha256")
    ]
    for name in new.evaluations:
        if name in old.evaluations:
            changes += describe_changes(old.training_record(name), new.training_record(name), name=name)
    return changes


if __name__ == "__main__":
    try:
        run(main)
    except Exception:  # noqa: BLE001 - a defect in the gate must not count as a regression
        traceback.print_exc()
        sys.exit(EXIT_CODES["cannot judge"])
