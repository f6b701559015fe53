"""What a change needs to be accepted before it is judged, and what its commits accept: lines `Gate-Accept: …`.

Such a line may stand anywhere in a message, also indented or in a list, since that is what a squash makes of trailers.
"""

import re
from collections.abc import Collection

import numpy as np

from fashion_mnist.errors import BaselineError
from pipeline.gate.evaluations import RecordedEvaluation
from pipeline.runtime import git
from pipeline.runtime.paths import METRICS

TEST_SET = "test set"
LINE = re.compile(r"^[ \t]*(?:[*-][ \t]+)?gate-accept[ \t]*:[ \t]*(.*?)[ \t]*$", re.IGNORECASE | re.MULTILINE)
KNOWN = re.compile(rf"{TEST_SET}|model \w+")


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
