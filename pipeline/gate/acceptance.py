"""Read what a change says on purpose that the gate shall accept: lines `Gate-Accept: …` in messages of its commits.

Such a line may stand anywhere in a message, also indented or in a list, since that is what a squash makes of trailers.
"""

import re
from collections.abc import Collection, Mapping

from fashion_mnist.errors import BaselineError
from pipeline.runtime import git

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


def refuse_unaccepted(needed: Mapping[str, str], accepted: Collection[str]) -> None:
    """Raise BaselineError with the lines to add, unless the change accepts all that it needs; needed: with reasons."""
    if lacking := [what for what in needed if what not in accepted]:
        lines = " and ".join(f"`Gate-Accept: {what}`" for what in lacking)
        raise BaselineError(
            f"{'; '.join(needed[what] for what in lacking)}. If that is meant, say so in the message of a commit of "
            f"this change, on a line of its own: {lines}"
        )
