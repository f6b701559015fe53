"""Find the commit that the gate compares with; no state is ever compared with itself.

A change is compared with the commit where it left the branch that it is for: the one that CI names, else the default
branch. On that branch itself, uncommitted results are compared with the last commit, and committed ones with the commit
before the push, or else with the one before HEAD.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from fashion_mnist.errors import BaselineError, PipelineError
from pipeline.gate.evaluations import WORKING_TREE, read_data, revision
from pipeline.runtime import git
from pipeline.runtime.paths import DVC_LOCK

# Variables of CI systems, as these document them. The branch that a pull request is to be merged into:
TARGETS = (
    "GITHUB_BASE_REF",  # also Gitea and Forgejo
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME",  # GitLab
    "CHANGE_TARGET",  # Jenkins
    "BITBUCKET_PR_DESTINATION_BRANCH",
    "SYSTEM_PULLREQUEST_TARGETBRANCH",  # Azure Pipelines
    "BUILDKITE_PULL_REQUEST_BASE_BRANCH",
)
# The commit where the pull request left that branch. Second choice: GitLab keeps it when the target is changed.
BASE = "CI_MERGE_REQUEST_DIFF_BASE_SHA"
DEFAULTS = ("CI_DEFAULT_BRANCH", "BUILDKITE_PIPELINE_DEFAULT_BRANCH")
# The commit that was pushed or built before. Jenkins' last success comes first, so later failures are judged again.
BEFORE = ("CI_COMMIT_BEFORE_SHA", "GIT_PREVIOUS_SUCCESSFUL_COMMIT", "GIT_PREVIOUS_COMMIT")
EVENT = "GITHUB_EVENT_PATH"  # a file in which GitHub describes the push
VARIABLES = (*TARGETS, BASE, *DEFAULTS, *BEFORE, EVENT)


class Baseline(NamedTuple):
    """A commit to compare with, and how to call it."""

    commit: str
    described: str


def find_baseline(named: str | None, judged: Sequence[Path]) -> Baseline:
    """Return the commit to compare with. Raises BaselineError if this clone holds none.

    named: a revision that the user names. judged: the files that are compared.
    """
    head = git.find_commit("HEAD")
    if head is None:
        raise BaselineError("this repository has no commit; expected one that holds reports/. Commit the first results")
    if named:
        return take_named(named, head, judged)
    commit, branch = where_head_left(head)
    if commit != head:
        return Baseline(commit, f"{commit[:7]}, where HEAD left {branch}")
    if git.changed_files(*judged):
        return Baseline(head, f"{head[:7]}, the last commit")
    return take_previous(head)


def take_named(named: str, head: str, judged: Sequence[Path]) -> Baseline:
    """Return the commit that the user names. Raises BaselineError if it is the state to be judged."""
    commit = git.find_commit(named)
    if commit is None:
        raise BaselineError(f"{named} is not a revision of this clone{advice()}")
    if commit == head and not git.changed_files(*judged, DVC_LOCK):
        raise BaselineError(
            f"{named} is the commit that is checked out, and no result differs from it; expected another state to "
            "compare with. Name an earlier one, such as HEAD~1"
        )
    return Baseline(commit, f"{named} ({commit[:7]})" if not commit.startswith(named) else commit[:7])


def where_head_left(head: str) -> tuple[str, str]:
    """Return the last commit that HEAD shares with the branch it is for, and the name of that branch.

    A branch whose results are about other data is taken only if there is no other: a project that began as a clone of
    this one may still have this one as its remote.
    """
    if target := first(TARGETS) or event("merge_group", "base_ref"):
        return left_target(head, target.removeprefix("refs/heads/"))
    of_other_data = None
    for branch in default_branches():
        name, commit = git.branch_name(branch), git.merge_base(head, branch)
        if commit is None:
            raise BaselineError(f"HEAD and {name} have no common commit in this clone{advice()}")
        if not holds_other_data(commit):
            return commit, name
        of_other_data = of_other_data or (commit, name)
    if of_other_data:
        return of_other_data
    way = ". Name a revision with --baseline"
    if remote := git.remote():
        fetch = fetch_command(remote, f"'+refs/heads/*:refs/remotes/{remote}/*'")
        way = f", or that of {remote}. Type `{fetch} && git remote set-head {remote} --auto` and run again, or name "
        way += "a revision with --baseline"
    raise BaselineError(f"this clone does not say which branch is the default one; expected main or master{way}")


def left_target(head: str, target: str) -> tuple[str, str]:
    """Return the last commit that HEAD shares with the branch that CI names, and the name of that branch."""
    remote = git.remote() or "origin"
    for branch in (f"refs/remotes/{remote}/{target}", f"refs/heads/{target}"):
        if git.find_commit(branch) and (commit := git.merge_base(head, branch)):
            return commit, git.branch_name(branch)
    if (base := os.environ.get(BASE)) and (commit := git.find_commit(base)):
        return commit, target
    raise BaselineError(
        f"this change is for {target}, as CI says, and this clone does not hold where it left that branch. Type "
        f"`{fetch_command(remote, f'+refs/heads/{target}:refs/remotes/{remote}/{target}')}` and run again"
    )


def default_branches() -> Iterator[str]:
    """List the branches of this clone that may be the default one, the most likely first."""
    remote = git.remote()
    named = (*map(os.environ.get, DEFAULTS), event("repository", "default_branch"))
    names = [*filter(None, named), "main", "master"]
    if remote:
        yield from filter(git.find_commit, (f"refs/remotes/{remote}/{name}" for name in ("HEAD", *names)))
    branches = git.branches()
    yield from (f"refs/heads/{name}" for name in names if f"refs/heads/{name}" in branches)
    if not remote and len(branches) == 1:
        yield from branches


def holds_other_data(commit: str) -> bool:
    """Tell whether the evaluation at a commit is about a data set of another name, with other test labels."""
    with suppress(PipelineError, KeyError, TypeError):
        here, there = map(read_data, (WORKING_TREE, revision(commit)))
        is_renamed = any(here[key] != there[key] for key in ("dataset", "name"))
        return is_renamed and bool(here["test"]["labels_sha256"] != there["test"]["labels_sha256"])
    return False


def take_previous(head: str) -> Baseline:
    """Return the commit before the push, or the one before HEAD. Raises BaselineError if this clone lacks it."""
    before = first(BEFORE) or event("before")
    if before.strip("0") and before != head:
        if commit := git.find_commit(before):
            return Baseline(commit, f"{commit[:7]}, the commit before this push")
        raise BaselineError(
            f"CI says that {before} was there before this push, and this clone lacks it. Type "
            f"`git fetch {git.remote() or 'origin'} {before}` and run again, or name a revision with --baseline"
        )
    if commit := git.find_commit(f"{head}^1"):
        return Baseline(commit, f"{commit[:7]}, the commit before HEAD")
    if git.is_shallow():
        raise BaselineError(f"no commit before {head[:7]} is in this clone{advice()}")
    raise BaselineError(
        f"{head[:7]} is the first commit; expected an earlier one to compare its results with. The next change will be "
        "compared with it"
    )


def first(variables: Sequence[str]) -> str:
    """Return the value of the first of these environment variables that has one; empty if none has."""
    return next(filter(None, map(os.environ.get, variables)), "")


def event(*keys: str) -> str:
    """Return a text in GitHub's description of the event that started this run; empty if there is none."""
    value: Any = {}
    with suppress(OSError, ValueError):
        value = json.loads(Path(os.environ.get(EVENT, "")).read_bytes())
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def advice() -> str:
    """Return advice on how to get a commit that this clone lacks."""
    if git.is_shallow():
        return ", which is shallow. Type `git fetch --unshallow` and run again"
    return ". Name one with --baseline"


def fetch_command(remote: str, what: str) -> str:
    """Return the command that fetches something with all of its history."""
    return f"git fetch{' --unshallow' if git.is_shallow() else ''} {remote} {what}"
