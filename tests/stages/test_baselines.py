"""Which commit the gate compares with, in each kind of clone; no state is compared with itself."""

import json
import subprocess
from pathlib import Path

import pytest

from fashion_mnist.errors import BaselineError
from fashion_mnist.sources.published import FASHION_MNIST
from pipeline.gate.baselines import find_baseline
from pipeline.gate.change import JUDGED
from tests.stages.gated import (
    CANNOT_JUDGE,
    CNN,
    DENSE,
    LABELS,
    PASSES,
    REGRESSION,
    Judge,
    commit,
    git,
    right_but,
    write_data,
    write_evaluation,
)

WORSE = right_but(dict.fromkeys(range(10), 105))  # 1.5 points fewer, above every floor
EVERY_BRANCH = "+refs/heads/*:refs/remotes/origin/*"


@pytest.fixture
def origin(repository: Path) -> Path:
    """A remote whose main holds the evaluation; the first of two commits on its branch change loses 1.5 points."""
    git("checkout", "--quiet", "-b", "change")
    write_evaluation("cnn", WORSE)
    commit("1.5 points lost")
    commit("something else")
    git("checkout", "--quiet", "main")
    return repository


@pytest.fixture
def clone(origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty clone of it, as CI's checkouts begin; as the current folder."""
    folder = tmp_path / "clone"
    git("init", "--quiet", str(folder))
    monkeypatch.chdir(folder)
    git("remote", "add", "origin", origin.as_uri())
    return folder


def baseline() -> str:
    """Return the subject of the commit that the gate would compare with."""
    return git("log", "-1", "--format=%s", find_baseline(None, JUDGED).commit)


def push_worse_to_main(origin: Path, *later: str) -> str:
    """Commit a loss to the remote's main, and more; returns the commit before."""
    before = git("-C", str(origin), "rev-parse", "HEAD")
    git("-C", str(origin), "merge", "--quiet", "change")
    for message in later:
        git("-C", str(origin), "commit", "--quiet", "--allow-empty", "--message", message)
    return before


def type_what(said: str) -> None:
    """Type the command that a refusal names."""
    _, command, _ = said.split("`")
    subprocess.run(command, shell=True, check=True, capture_output=True)  # noqa: S602 - as a user does


# A clean tree against its own commit


def test_named_commit_that_is_checked_out_is_no_baseline(repository: Path, judged: Judge) -> None:  # noqa: ARG001
    git("tag", "v1.0")
    Path("notes.txt").write_text("untracked files and other edits make no results")
    for name in ("HEAD", "@", "main", "v1.0", "HEAD~0", git("rev-parse", "--short", "HEAD")):
        code, said = judged("--baseline", name)
        assert code == CANNOT_JUDGE, name
        assert f"{name} is the commit that is checked out" in said
    write_evaluation("cnn", WORSE)
    assert judged("--baseline", "HEAD")[0] == REGRESSION


def test_uncommitted_results_are_compared_with_the_last_commit(repository: Path) -> None:  # noqa: ARG001
    commit("last")
    write_evaluation("cnn", WORSE)
    assert baseline() == "last"


def test_committed_results_on_main_are_compared_with_the_commit_before(origin: Path, judged: Judge) -> None:
    push_worse_to_main(origin)
    git("reset", "--quiet", "--hard", "HEAD~1")
    Path("notes.txt").write_text("an untracked file makes no uncommitted results")
    code, said = judged()
    assert code == REGRESSION
    assert f" {git('rev-parse', '--short=7', 'HEAD~1')}, the commit before HEAD" in said


def test_first_commit_has_nothing_before_it(repository: Path, judged: Judge) -> None:  # noqa: ARG001
    git("checkout", "--quiet", "--orphan", "fresh")
    commit("all at once")
    git("branch", "--quiet", "--move", "--force", "main")
    code, said = judged()
    assert code == CANNOT_JUDGE
    assert f" {git('rev-parse', '--short=7', 'HEAD')} is the first commit" in said


# Clones as CI makes them


def test_shallow_clone_of_a_branch_is_not_judged_and_what_it_says_helps(clone: Path, judged: Judge) -> None:  # noqa: ARG001
    git("fetch", "--quiet", "--depth", "1", "origin", "change")
    git("checkout", "--quiet", "FETCH_HEAD")
    code, said = judged()
    assert code == CANNOT_JUDGE
    type_what(said)
    assert judged()[0] == REGRESSION


@pytest.mark.parametrize("variable", ["GITHUB_BASE_REF", "CHANGE_TARGET", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME"])
def test_fetched_branch_is_judged_once_the_named_base_is_there(
    clone: Path,  # noqa: ARG001
    judged: Judge,
    variable: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(variable, "main")
    git("fetch", "--quiet", "--depth", "1", "origin", "change")
    git("checkout", "--quiet", "--detach", "FETCH_HEAD")
    code, said = judged()
    assert code == CANNOT_JUDGE
    assert "this change is for main" in said
    type_what(said)
    code, said = judged()
    assert code == REGRESSION
    assert "where HEAD left origin/main" in said


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("BITBUCKET_PR_DESTINATION_BRANCH", "main"),
        ("SYSTEM_PULLREQUEST_TARGETBRANCH", "refs/heads/main"),
        ("BUILDKITE_PULL_REQUEST_BASE_BRANCH", "main"),
    ],
)
def test_base_that_ci_names_wins_over_the_default_branch(
    clone: Path,  # noqa: ARG001
    variable: str,
    value: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    git("fetch", "--quiet", "origin", "main:refs/remotes/origin/main", "change:refs/remotes/origin/change")
    git("checkout", "--quiet", "--detach", "origin/change")
    git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/change")
    assert baseline() == "1.5 points lost"
    monkeypatch.setenv(variable, value)
    assert baseline() == "something else"
    monkeypatch.setenv(variable, "")
    assert baseline() == "1.5 points lost"


def test_gitlabs_base_commit_is_taken_where_the_branch_is_not_fetched(
    clone: Path,  # noqa: ARG001
    judged: Judge,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    git("fetch", "--quiet", "--depth", "20", "origin", "change")
    git("checkout", "--quiet", "--detach", "FETCH_HEAD")
    monkeypatch.setenv("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main")
    monkeypatch.setenv("CI_MERGE_REQUEST_DIFF_BASE_SHA", git("rev-parse", "HEAD~2"))
    assert judged()[0] == REGRESSION


def test_merge_queue_names_its_base(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git("fetch", "--quiet", "origin", EVERY_BRANCH)
    git("checkout", "--quiet", "--detach", "origin/change")
    write_event(clone, monkeypatch, merge_group={"base_ref": "refs/heads/main"})
    assert baseline() == "something else"


def write_event(folder: Path, monkeypatch: pytest.MonkeyPatch, **content: object) -> None:
    """Write what GitHub tells of the event that started a run."""
    path = folder.with_name("event.json")
    path.write_text(json.dumps(content))
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(path))


# The default branch


@pytest.mark.parametrize("how", ["origin/HEAD", "CI_DEFAULT_BRANCH", "BUILDKITE_PIPELINE_DEFAULT_BRANCH", "event"])
def test_default_branch_of_another_name_is_found(
    origin: Path, clone: Path, judged: Judge, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("-C", str(origin), "branch", "--move", "main", "trunk")
    git("fetch", "--quiet", "origin", EVERY_BRANCH)
    git("checkout", "--quiet", "change")
    code, said = judged()
    assert code == CANNOT_JUDGE
    assert "git remote set-head origin --auto" in said
    if how == "origin/HEAD":
        type_what(said)
    elif how == "event":
        write_event(clone, monkeypatch, repository={"default_branch": "trunk"})
    else:
        monkeypatch.setenv(how, "trunk")
    code, said = judged()
    assert code == REGRESSION
    assert "where HEAD left origin/trunk" in said


def test_only_remote_may_have_another_name(clone: Path, judged: Judge) -> None:  # noqa: ARG001
    git("remote", "rename", "origin", "company")
    git("fetch", "--quiet", "company")
    git("checkout", "--quiet", "change")
    code, said = judged()
    assert code == REGRESSION
    assert "where HEAD left company/main" in said


def test_only_branch_of_a_repository_without_remotes_is_the_default_one(repository: Path) -> None:  # noqa: ARG001
    git("branch", "--move", "main", "trunk")
    assert baseline() == "results"
    git("checkout", "--quiet", "-b", "change")
    commit("a change")
    with pytest.raises(BaselineError, match="which branch is the default one"):
        baseline()


def test_tag_and_old_commit_of_main_are_compared_with_the_commit_before(origin: Path) -> None:
    push_worse_to_main(origin, "later")
    git("checkout", "--quiet", "--detach", "HEAD~2")
    assert git("log", "-1", "--format=%s") == "1.5 points lost"
    assert baseline() == "something else"


# Main after a push


@pytest.mark.parametrize("variable", ["CI_COMMIT_BEFORE_SHA", "GIT_PREVIOUS_COMMIT", "event"])
def test_push_of_several_commits_is_compared_with_the_commit_before_the_push(
    origin: Path, clone: Path, judged: Judge, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = push_worse_to_main(origin, "later")
    git("fetch", "--quiet", "origin", EVERY_BRANCH)
    git("checkout", "--quiet", "-B", "main", "origin/main")
    assert judged()[0] == PASSES  # the last commit alone changed no result
    for value in (before, "0" * 40, git("rev-parse", "HEAD")):
        if variable == "event":
            write_event(clone, monkeypatch, before=value)
        else:
            monkeypatch.setenv(variable, value)
        code, said = judged()
        assert code == (REGRESSION if value == before else PASSES)
        assert ("the commit before this push" in said) == (value == before)


def test_last_success_of_jenkins_wins_over_its_last_build(
    repository: Path,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GIT_PREVIOUS_SUCCESSFUL_COMMIT", git("rev-parse", "HEAD"))
    write_evaluation("cnn", WORSE)
    monkeypatch.setenv("GIT_PREVIOUS_COMMIT", commit("failed"))
    commit("later")
    assert baseline() == "something else"


def test_push_to_a_branch_is_compared_with_where_it_left_main(origin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git("checkout", "--quiet", "change")
    write_event(origin, monkeypatch, before=git("rev-parse", "HEAD~1"))
    assert baseline() == "something else"
    assert find_baseline(None, JUDGED).commit == git("rev-parse", "main")


def test_shallow_clone_of_main_is_judged_after_what_it_says(origin: Path, clone: Path, judged: Judge) -> None:  # noqa: ARG001
    push_worse_to_main(origin)
    git("fetch", "--quiet", "--depth", "1", "origin", "main:refs/remotes/origin/main")
    git("checkout", "--quiet", "-B", "main", "origin/main")
    code, said = judged()
    assert code == CANNOT_JUDGE
    assert f"no commit before {git('rev-parse', '--short=7', 'HEAD')} is in this clone" in said
    type_what(said)
    assert judged()[0] == PASSES
    git("reset", "--quiet", "--hard", "HEAD~1")
    assert judged()[0] == REGRESSION


def test_commit_before_a_forced_push_is_asked_for(clone: Path, judged: Judge, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    git("fetch", "--quiet", "origin", EVERY_BRANCH)
    git("checkout", "--quiet", "main")
    monkeypatch.setenv("CI_COMMIT_BEFORE_SHA", "1234567" * 5 + "12345")
    code, said = judged()
    assert code == CANNOT_JUDGE
    assert "git fetch origin 1234567" in said


# A project that began as a clone of another one


def make_own(labels_sha256: str = "own") -> None:
    """Replace the evaluation by one of own images, as docs/make-it-yours.md does, in two commits."""
    git("rm", "--quiet", "-r", "reports")
    commit("results taken out")
    labels = LABELS[::-1].copy()
    for name, predictions in (("dense", DENSE), ("cnn", CNN)):
        write_evaluation(name, predictions[::-1].copy(), labels)
    write_data(dataset=FASHION_MNIST.model_copy(update={"dataset": "folder", "name": "Digits"}))
    path = Path("reports/data.json")
    data = json.loads(path.read_text())
    data["test"]["labels_sha256"] = labels_sha256
    path.write_text(json.dumps(data))


def test_results_of_own_images_are_not_compared_with_the_template(clone: Path, judged: Judge) -> None:  # noqa: ARG001
    git("fetch", "--quiet", "origin", EVERY_BRANCH)
    git("checkout", "--quiet", "main")
    make_own()
    commit("First results")
    code, said = judged()
    assert code == CANNOT_JUDGE
    assert "nothing to compare first results with" in said
    assert "`Gate-Accept: test set`" in said
    git("commit", "--quiet", "--amend", "--message", "First results", "--message", "Gate-Accept: test set")
    code, said = judged()
    assert code == PASSES
    assert "accepted in" in said
    commit("something else")
    code, said = judged()
    assert code == PASSES
    assert "the same bytes as at the baseline" in said
    write_evaluation("cnn", WORSE[::-1].copy(), LABELS[::-1].copy())
    assert judged()[0] == REGRESSION
    git("checkout", "--quiet", "-b", "change-of-mine")
    commit("worse")
    commit("later")
    code, said = judged()
    assert code == REGRESSION
    assert "where HEAD left main" in said


def test_other_data_on_a_branch_are_no_way_around_the_comparison(origin: Path, judged: Judge) -> None:  # noqa: ARG001
    git("checkout", "--quiet", "-b", "renamed")
    make_own()
    commit("other data of another name")
    commit("later")
    code, said = judged()
    assert code == CANNOT_JUDGE
    assert "the test labels differ" in said
    assert "where HEAD left main" in said
