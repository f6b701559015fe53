"""Fail a change that makes a model worse: reports/ here against reports/ at a git revision -> exit code.

Exit codes: 0 passes; 1 regression; 2 cannot judge, with the reason in one line. What cannot be judged does not pass.
Without --baseline, the revision is where HEAD left the branch that the change is for; on that branch itself, the last
commit if results are uncommitted, else the one before. It needs only git, DVC and the committed reports: no data, no
cache, no TensorFlow. A line `Gate-Accept: test set` or `Gate-Accept: model NAME` in a commit of the change accepts
another test set, or that a model is gone.
"""

import argparse
import sys
import traceback
from collections.abc import Collection, Sequence
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from fashion_mnist.data.description import DataDescription, parse_description
from fashion_mnist.errors import PipelineError
from fashion_mnist.gate.judgement import NEW, Verdict, judge, least_lead
from fashion_mnist.gate.text import judgement_markdown, judgement_text
from fashion_mnist.params import Params
from fashion_mnist.report.language import points
from pipeline.bytes.formats import write_json
from pipeline.gate.acceptance import TEST_SET, read_accepted, refuse_unaccepted
from pipeline.gate.baselines import Baseline, find_baseline
from pipeline.gate.evaluations import RecordedEvaluation, list_changes, read_evaluation, revision, working_tree
from pipeline.gate.replicates import add_replicates
from pipeline.gate.staleness import check_current
from pipeline.runtime.command import run, say
from pipeline.runtime.files import write_bytes
from pipeline.runtime.machine import cpu_model
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import DATA, METRICS, PREDICTIONS, STUDY, STUDY_PREDICTIONS

EXIT_CODES = {"passes": 0, "regression": 1, "cannot judge": 2}
# What is compared: if none of it differs from a commit, then that commit is what is judged.
JUDGED = (METRICS, PREDICTIONS, DATA)
STUDIED = (*JUDGED, STUDY, STUDY_PREDICTIONS)


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


def judge_change(params: Params, named: str | None, *, seeds: bool) -> dict[str, Any]:
    """Judge the working tree against a revision. Raises PipelineError when that is not possible."""
    baseline = find_baseline(named, STUDIED if seeds else JUDGED)
    check_current(params)
    accepted = read_accepted(baseline.commit)
    old, new, needed = read_sides(params, baseline, accepted, seeds=seeds)
    data = parse_description(DataDescription, new.data, name=str(DATA))
    verdicts = judge_models(params, old, new, class_names=data.classes, is_compared=TEST_SET not in needed)
    failures = [f"{name}: {failure}" for name, verdict in verdicts.items() for failure in verdict.failures]
    remarks = [f"{name}: {remark}" for name, verdict in verdicts.items() for remark in verdict.remarks]
    if lacking := lacks_lead(params, new):
        # Of a folder nobody has said that the candidate leads, unless it did before.
        is_claimed = data.dataset != "folder" or not lacks_lead(params, old)
        (failures if is_claimed else remarks).append(lacking)
    return {
        "verdict": "regression" if failures else "passes",
        "baseline": {"revision": baseline.commit, "described": baseline.described},
        "accepted": [{"what": what, "commit": commit, "needed": what in needed} for what, commit in accepted.items()],
        "margin": params.gate.margin,
        "confidence": params.gate.confidence,
        "cpu": cpu_model(),
        "instructions": {name: params.train[name].instructions for name in params.train},
        "reproduced": is_reproduced(old, new),
        "failures": failures,
        "remarks": remarks,
        "changes": list_changes(old, new),
        "models": {name: verdict._asdict() for name, verdict in verdicts.items()},
    }


def judge_models(
    params: Params,
    old: RecordedEvaluation,
    new: RecordedEvaluation,
    *,
    class_names: Sequence[str],
    is_compared: bool,
) -> dict[str, Verdict]:
    """Judge each model, against the baseline if the two can be compared, and against its floors."""
    why_not_compared = NEW if is_compared else "not compared with the baseline: another test set"
    return {
        name: judge(
            new.labels,
            evaluation,
            old.evaluations.get(name) if is_compared else None,
            margin=params.gate.margin,
            confidence=params.gate.confidence,
            floors=params.gate.floors.get(name),
            class_names=class_names,
            why_not_compared=why_not_compared,
        )
        for name, evaluation in new.evaluations.items()
    }


def read_sides(
    params: Params, baseline: Baseline, accepted: Collection[str], *, seeds: bool
) -> tuple[RecordedEvaluation, RecordedEvaluation, Collection[str]]:
    """Read the evaluations at a commit and in the working tree, and what the change needs to be accepted.

    Raises PipelineError when they cannot be compared.
    """
    there, here = revision(baseline.commit), working_tree()
    known = [PurePath(name).stem for name in there.list(str(METRICS))]
    new = read_evaluation(here, list(params.train))
    old = read_evaluation(there, known) if known else RecordedEvaluation(new.labels, {}, {}, {}, {})
    needed = list_needed(old, new, baseline.described)
    refuse_unaccepted(needed, accepted)
    if seeds:
        old = old if TEST_SET in needed else add_replicates(there, old, known)
        new = add_replicates(here, new, known)
    return old, new, needed


def list_needed(old: RecordedEvaluation, new: RecordedEvaluation, described: str) -> dict[str, str]:
    """List what must be accepted before two evaluations can be compared, each with the reason."""
    needed = {}
    if not old.evaluations:
        needed[TEST_SET] = f"{described} holds no {METRICS}, so there is nothing to compare first results with"
    elif not np.array_equal(old.labels, new.labels):
        needed[TEST_SET] = (
            f"the test labels differ from those at {described}, in their values or order; expected the same images, "
            "since two test sets cannot be compared"
        )
    for name in old.evaluations:
        if name not in new.evaluations:
            needed[f"model {name}"] = f"{name} is evaluated at {described}, but not here; expected every model of it"
    return needed


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


if __name__ == "__main__":
    try:
        run(main, refused=EXIT_CODES["cannot judge"])
    except Exception:  # noqa: BLE001 - a defect in the gate must not count as a regression
        traceback.print_exc()
        sys.exit(EXIT_CODES["cannot judge"])
