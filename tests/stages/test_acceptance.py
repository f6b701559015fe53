"""What a change may say on purpose: another test set, a model that is gone. It holds for that change, and is shown."""

import json
from pathlib import Path

import numpy as np
import pytest

from fashion_mnist.sources.published import FASHION_MNIST
from pipeline.tools.demo import change_params
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

ORDER = np.random.default_rng(0).permutation(len(LABELS))


@pytest.fixture
def other_test_set(repository: Path) -> Path:
    """A branch whose results are of a test set with other labels."""
    git("checkout", "--quiet", "-b", "change")
    write_evaluation("dense", DENSE[ORDER], LABELS[ORDER])
    write_evaluation("cnn", CNN[ORDER], LABELS[ORDER])
    return repository


@pytest.fixture
def renamed(repository: Path) -> Path:
    """A branch on which the model third is called fourth."""
    write_evaluation("third", CNN)
    commit("third")
    git("checkout", "--quiet", "-b", "change")
    git("rm", "--quiet", "reports/metrics/third.json", "reports/predictions/third.csv")
    return repository


def say(message: str) -> str:
    """Put a text at the end of the last commit's message; returns the commit."""
    git("commit", "--quiet", "--all", "--amend", "--message", git("log", "-1", "--format=%B"), "--message", message)
    return git("rev-parse", "HEAD")


def test_refusal_names_the_line_that_accepts(other_test_set: Path, judged: Judge) -> None:  # noqa: ARG001
    commit("other images")
    code, said = judged()
    assert code == CANNOT_JUDGE
    assert "`Gate-Accept: test set`" in said
    say("Gate-Accept: test set")
    assert judged()[0] == PASSES


def test_accepted_test_set_is_shown_everywhere_and_models_are_not_compared(other_test_set: Path, judged: Judge) -> None:
    commit("other images")
    sha = say("Gate-Accept: test set")
    commit("later")
    code, said = judged("--json", "gate.json", "--summary", "gate.md")
    assert code == PASSES
    assert f"accepted in {sha[:7]}: test set\n" in said
    assert "cnn: not compared with the baseline" in said
    assert f"- accepted in {sha[:7]}: test set\n" in (other_test_set / "gate.md").read_text()
    judgement = json.loads((other_test_set / "gate.json").read_text())
    assert judgement["accepted"] == [{"what": "test set", "commit": sha, "needed": True}]
    assert judgement["models"]["cnn"]["change"] is None


def test_floors_and_lead_count_on_an_accepted_test_set(other_test_set: Path, judged: Judge) -> None:
    worse = right_but(dict.fromkeys(range(10), 200))
    write_evaluation("cnn", worse[ORDER], LABELS[ORDER])
    commit("other images\n\nGate-Accept: test set")
    code, said = judged()
    assert code == REGRESSION
    assert "the floor is 85.00 %" in said
    change_params(other_test_set / "params.yaml", {"gate.floors": {}})
    code, said = judged()
    assert code == REGRESSION
    assert "cnn is not shown to be more accurate than dense" in said


def test_lead_on_other_images_demands_none_on_ones_own(other_test_set: Path, judged: Judge) -> None:
    write_evaluation("cnn", DENSE[ORDER], LABELS[ORDER])
    write_data(sha256="56", dataset=FASHION_MNIST.model_copy(update={"dataset": "folder", "name": "Own"}))
    change_params(other_test_set / "params.yaml", {"gate.floors": {}})
    commit("my own images\n\nGate-Accept: test set")
    code, said = judged()
    assert code == PASSES
    assert "cnn is not shown to be more accurate than dense" in said


def test_model_that_is_gone_is_accepted_by_name_and_the_others_are_judged(renamed: Path, judged: Judge) -> None:  # noqa: ARG001
    commit("third is gone\n\nGate-Accept: model fourth")
    code, said = judged()
    assert code == CANNOT_JUDGE
    assert "`Gate-Accept: model third`" in said
    sha = say("Gate-Accept: model third")
    code, said = judged()
    assert code == PASSES
    assert f"accepted in {sha[:7]}: model third\n" in said
    assert f"accepted in {sha[:7]}: model fourth, which was not needed\n" in said
    write_evaluation("cnn", right_but(dict.fromkeys(range(10), 105)))
    code, said = judged()
    assert code == REGRESSION
    assert "FAILS cnn: accuracy: 1.50 points lost" in said


def test_every_line_that_is_lacking_is_named_at_once(renamed: Path, judged: Judge) -> None:  # noqa: ARG001
    write_evaluation("dense", DENSE[ORDER], LABELS[ORDER])
    write_evaluation("cnn", CNN[ORDER], LABELS[ORDER])
    commit("everything at once")
    code, said = judged()
    assert code == CANNOT_JUDGE
    assert "`Gate-Accept: test set` and `Gate-Accept: model third`" in said


def test_acceptance_of_a_loss_is_none(repository: Path, judged: Judge) -> None:  # noqa: ARG001
    git("checkout", "--quiet", "-b", "change")
    write_evaluation("cnn", right_but(dict.fromkeys(range(10), 105)))
    commit("worse\n\nGate-Accept: model cnn\nGate-Accept: test set")
    code, said = judged()
    assert code == REGRESSION
    assert said.count(", which was not needed") == 2


@pytest.mark.parametrize("value", ["everything", "", "model", "test-set", "model a b"])
def test_unknown_acceptance_is_named(repository: Path, judged: Judge, value: str) -> None:  # noqa: ARG001
    sha = commit(f"change\n\nGate-Accept: {value}")
    code, said = judged()
    assert code == CANNOT_JUDGE
    assert sha[:7] in said
    assert "expected `test set` or `model NAME`" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("how", ["merge", "squash", "squash on a page", "rebase", "cherry-pick"])
def test_acceptance_survives(other_test_set: Path, judged: Judge, how: str) -> None:  # noqa: ARG001
    commit("other images\n\nWhy this is needed.\n\ngate-accept:   test set")
    message = git("log", "-1", "--format=%B")
    git("checkout", "--quiet", "main")
    if how == "merge":
        git("merge", "--quiet", "--no-ff", "--message", "merged", "change")
    elif how == "squash":
        git("merge", "--quiet", "--squash", "change")
        git("commit", "--quiet", "--no-edit")
    elif how == "squash on a page":
        git("merge", "--quiet", "--squash", "change")
        git(
            "commit", "--quiet", "--message", f"Other images (#7)\n\n* {message}\n\n* an afterthought\n\nReviewed-by: a"
        )
    elif how == "rebase":
        commit("main moves on")
        git("rebase", "--quiet", "main", "change")
    else:
        git("cherry-pick", "change")
    code, said = judged()
    assert code == PASSES, said
    assert "accepted in " in said


def test_acceptance_ends_with_its_change(other_test_set: Path, judged: Judge) -> None:  # noqa: ARG001
    commit("other images\n\nGate-Accept: test set")
    git("checkout", "--quiet", "main")
    git("merge", "--quiet", "change")
    commit("later")
    git("checkout", "--quiet", "-b", "next")
    write_evaluation("dense", DENSE)
    write_evaluation("cnn", CNN)
    commit("the former images again")
    code, said = judged()
    assert code == CANNOT_JUDGE
    assert "`Gate-Accept: test set`" in said


def test_sentence_about_the_line_is_no_acceptance(other_test_set: Path, judged: Judge) -> None:  # noqa: ARG001
    commit("other images\n\nThe gate asks for a line `Gate-Accept: test set`, or\n`Gate-Accept: model cnn`.")
    assert judged()[0] == CANNOT_JUDGE
