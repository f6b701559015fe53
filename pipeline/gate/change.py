"""Judge a change: the evaluation in the working tree against that at a git revision, and what its commits accept."""

import re
from collections.abc import Collection
from pathlib import PurePath
from typing import Any

import numpy as np

from fashion_mnist.data.description import DataDescription, parse_description
from fashion_mnist.errors import BaselineError, PipelineError
from fashion_mnist.gate.judgement import NEW, judge, lacks_lead
from fashion_mnist.params import Params
from pipeline.gate.baselines import Baseline, find_baseline
from pipeline.gate.evaluations import (
    WORKING_TREE,
    RecordedEvaluation,
    add_replicates,
    list_changes,
    read_evaluation,
    revision,
)
from pipeline.gate.staleness import check_current, check_study
from pipeline.runtime import git
from pipeline.runtime.machine import cores, cpu_model
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import DATA, METRICS, PREDICTIONS, STUDY, STUDY_PREDICTIONS

EXIT_CODES = {"passes": 0, "regression": 1, "cannot judge": 2}
# What is compared: if none of it differs from a commit, then that commit is what is judged.
JUDGED = (METRICS, PREDICTIONS, DATA)
STUDIED = (*JUDGED, STUDY, STUDY_PREDICTIONS)
# What commits may accept, and in which lines of their messages: also indented or in a list, as a squash leaves them.
TEST_SET = "test set"
LINE = re.compile(r"^[ \t]*(?:[*-][ \t]+)?gate-accept[ \t]*:[ \t]*(.*?)[ \t]*$", re.IGNORECASE | re.MULTILINE)
KNOWN = re.compile(rf"{TEST_SET}|model \w+")
OTHER_TEST_SET = "not compared with the baseline: another test set"


def judge_change(named: str | None, *, seeds: bool = False) -> dict[str, Any]:
    """Judge the working tree against a revision; the verdict, one of EXIT_CODES, with its reasons.

    named: a revision that the user names. seeds: compare means over the seeds of both studies.
    """
    try:
        return _judge(read_params(), named, seeds=seeds)
    except PipelineError as error:
        return {"verdict": "cannot judge", "reason": str(error)}


def _judge(params: Params, named: str | None, *, seeds: bool) -> dict[str, Any]:
    gate, baseline = params.gate, find_baseline(named, STUDIED if seeds else JUDGED)
    check_current(params)
    accepted = read_accepted(baseline.commit)
    old, new, needed = read_sides(params, baseline, accepted, seeds=seeds)
    data = parse_description(DataDescription, new.data, name=str(DATA))
    is_compared = TEST_SET not in needed
    options: dict[str, Any] = {"class_names": data.classes, "why_not_compared": NEW if is_compared else OTHER_TEST_SET}
    verdicts = {
        name: judge(new.labels, found, old.evaluations.get(name) if is_compared else None, gate, model=name, **options)
        for name, found in new.evaluations.items()
    }
    failures = [f"{name}: {failure}" for name, verdict in verdicts.items() for failure in verdict.failures]
    remarks = [f"{name}: {remark}" for name, verdict in verdicts.items() for remark in verdict.remarks]
    same_models = all(old.training_of(name).outs == new.training_of(name).outs for name in old.evaluations)
    if lacking := lacks_lead(new.labels, new.evaluations, params.report, gate.confidence):
        # For your own images, a lead is required only if the baseline had one on the same images.
        is_required = data.dataset != "folder" or (
            is_compared and not lacks_lead(old.labels, old.evaluations, params.report, gate.confidence)
        )
        (failures if is_required else remarks).append(lacking)
    return {
        "verdict": "regression" if failures else "passes",
        "baseline": {"revision": baseline.commit, "described": baseline.described},
        "accepted": [{"what": what, "commit": commit, "needed": what in needed} for what, commit in accepted.items()],
        "margin": gate.margin,
        "confidence": gate.confidence,
        "cpu": cpu_model(),
        "cores": cores(),
        "instructions": {name: section.instructions for name, section in params.train.items()},
        "reproduced": old.content == new.content and same_models,
        "failures": failures,
        "remarks": remarks,
        "changes": list_changes(old, new),
        "models": {name: verdict._asdict() for name, verdict in verdicts.items()},
    }


def read_sides(
    params: Params, baseline: Baseline, accepted: Collection[str], *, seeds: bool
) -> tuple[RecordedEvaluation, RecordedEvaluation, Collection[str]]:
    """Read the evaluations at a commit and in the working tree, and what the change needs to be accepted.

    Raises PipelineError if they cannot be compared.
    """
    there = revision(baseline.commit)
    known = [PurePath(name).stem for name in there.list(str(METRICS))]
    new = read_evaluation(WORKING_TREE, list(params.train))
    old = read_evaluation(there, known) if known else RecordedEvaluation(new.labels, {}, {}, {}, {})
    needed = list_needed(old, new, accepted, described=baseline.described)
    if seeds:
        old = old if TEST_SET in needed else add_replicates(there, old, known)
        new = add_replicates(WORKING_TREE, new, known)
        check_study()
    return old, new, needed


def read_accepted(baseline: str) -> dict[str, str]:
    """Return what the commits since the baseline accept, each with the last commit that does.

    Raises BaselineError for what cannot be accepted.
    """
    accepted: dict[str, str] = {}
    for commit, message in git.messages_since(baseline):
        for found in LINE.findall(message):
            what = " ".join(found.split())
            if not KNOWN.fullmatch(what):
                raise BaselineError(
                    f"the message of {commit[:7]} holds `Gate-Accept: {what}`; expected `{TEST_SET}` or `model NAME`. "
                    "Amend it"
                )
            accepted.setdefault(what, commit)
    return accepted


def list_needed(
    old: RecordedEvaluation, new: RecordedEvaluation, accepted: Collection[str], *, described: str
) -> list[str]:
    """List what must be accepted before two evaluations can be compared; described: what to call the old one.

    Raises BaselineError with the lines to add unless the change accepts all of it.
    """
    needed = {
        f"model {name}": f"{name} is evaluated at {described}, but not here; expected every model of it"
        for name in old.evaluations
        if name not in new.evaluations
    }
    if not old.evaluations:
        needed = {TEST_SET: f"{described} holds no {METRICS}, so there is nothing to compare first results with"}
    elif not np.array_equal(old.labels, new.labels):
        differ = (
            f"the test labels differ from those at {described}, in their values or order; expected the same images, "
            "since two test sets cannot be compared"
        )
        needed = {TEST_SET: differ} | needed
    if lacking := [what for what in needed if what not in accepted]:
        lines = " and ".join(f"`Gate-Accept: {what}`" for what in lacking)
        raise BaselineError(
            f"{'; '.join(needed[what] for what in lacking)}. If that is meant, say so in the message of a commit of "
            f"this change, on a line of its own: {lines}"
        )
    return list(needed)
