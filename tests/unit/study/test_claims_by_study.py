"""Claims of the article, judged by many trainings: when one holds, on figures that a person can follow."""

from collections.abc import Sequence

import numpy as np
import pytest

from fashion_mnist.params import PublishedAccuracy
from fashion_mnist.study.claims import Claim, check_claims_by_study
from fashion_mnist.study.plan import Study, TrialRecord

ARTICLE = {"dense": PublishedAccuracy(train=None, test=0.8782), "cnn": PublishedAccuracy(train=0.97, test=0.91)}
LABELS = np.zeros(10_000, np.uint8)
# Five trainings: standard deviation 0.001581, so one more ends within 2.776 · 0.001581 · √1.2 = 0.00481 of the mean.
STEPS = np.array([-0.002, -0.001, 0, 0.001, 0.002])
REPLICATES = 10


def made_up(
    *,
    test: dict[str, float] | None = None,
    on_train: float = 0.97,
    gap: float = 0.05,
    rising: int = REPLICATES,
    models: Sequence[str] = ("dense", "cnn"),
) -> Study:
    """Make up a study.

    test: mean accuracy of the article's trainings by model. on_train: of the candidate in their last epoch. gap: mean
    of train minus validation accuracy of the candidate's replicates; rising: in how many the validation loss rose.
    """
    reached = {"dense": 0.88, "cnn": 0.91} | (test or {})
    predictions, trials = {}, []
    for model in models:
        wrong = np.round(10_000 * (1 - reached[model] - STEPS)).astype(int)
        predictions["article", model] = np.stack([np.arange(10_000) < count for count in wrong]).astype(np.uint8)
        for seed, step in enumerate(STEPS, start=1):
            history = {"accuracy": np.array([0.5, on_train + step])}
            trials.append(TrialRecord("article", model, 128, seed, None, history))
    for seed in range(REPLICATES):
        history = {
            "accuracy": np.array([0.5, 0.95]),
            "val_accuracy": np.array([0.9, 0.95 - gap - 0.01 * (-1) ** seed]),
            "val_loss": np.array([0.3, 0.4 if seed < rising else 0.2]),
        }
        trials.append(TrialRecord("replicate", "cnn", 128, seed + 1, None, history))
    return Study({}, trials, LABELS, predictions)  # type: ignore[arg-type]


def checked(study: Study) -> dict[tuple[str, str], Claim]:
    claims = check_claims_by_study(ARTICLE, study, baseline="dense", candidate="cnn", confidence=0.95)
    return {(claim.kind, claim.model): claim for claim in claims}


def test_claims_are_the_same_as_those_judged_by_one_run() -> None:
    assert list(checked(made_up())) == [
        ("test", "dense"),
        ("test", "cnn"),
        ("train", "cnn"),
        ("overfits", "cnn"),
        ("better", "cnn"),
    ]


def test_accuracy_is_a_mean_of_trainings_with_the_prediction_interval_of_one_more() -> None:
    claim = checked(made_up())["test", "dense"]
    assert (claim.stated, claim.trainings) == (0.8782, (5,))
    assert (claim.found, claim.low, claim.high) == pytest.approx((0.88, 0.88 - 0.00481, 0.88 + 0.00481), abs=1e-5)


@pytest.mark.parametrize(("mean", "holds"), [(0.8782, True), (0.8830, True), (0.8832, False), (0.8732, False)])
def test_accuracy_on_test_holds_if_one_more_training_may_end_there(mean: float, holds: bool) -> None:
    assert checked(made_up(test={"dense": mean}))["test", "dense"].holds is holds


@pytest.mark.parametrize(("mean", "holds"), [(0.97, True), (0.9795, True), (0.9805, False), (0.9600, False)])
def test_accuracy_on_train_is_that_of_the_last_epoch_as_it_runs(mean: float, holds: bool) -> None:
    claim = checked(made_up(on_train=mean))["train", "cnn"]
    assert claim.found == pytest.approx(mean)
    assert claim.holds is holds


def test_network_overfits_if_train_is_ahead_and_validation_loss_rose_in_most_trainings() -> None:
    claim = checked(made_up())["overfits", "cnn"]
    assert claim.found == pytest.approx(0.05)
    assert 0 < claim.low < 0.05 < claim.high
    assert claim.trainings == (REPLICATES,)
    assert claim.holds


@pytest.mark.parametrize(("rising", "holds"), [(10, True), (9, True), (8, False), (0, False)])
def test_validation_loss_must_have_risen_in_more_than_half_with_confidence(rising: int, holds: bool) -> None:
    # Wilson's interval of 9 in 10 begins at 0.596, that of 8 in 10 at 0.490.
    assert checked(made_up(rising=rising))["overfits", "cnn"].holds is holds


@pytest.mark.parametrize(("gap", "holds"), [(0.008, True), (0.007, False), (-0.05, False)])
def test_gap_that_may_be_chance_is_no_overfitting(gap: float, holds: bool) -> None:
    # Ten gaps of ±0.01: their mean is known to 2.262 · 0.01054 / √10 = 0.00754.
    assert checked(made_up(gap=gap))["overfits", "cnn"].holds is holds


def test_better_is_judged_by_the_trainings_of_both_as_in_the_article() -> None:
    claim = checked(made_up())["better", "cnn"]
    assert claim.found == pytest.approx(0.03)
    assert claim.holds
    assert claim.trainings == (5, 5)


@pytest.mark.parametrize("candidate", [0.8805, 0.86])
def test_difference_that_may_be_chance_is_not_better(candidate: float) -> None:
    assert not checked(made_up(test={"cnn": candidate}))["better", "cnn"].holds


def test_what_the_article_does_not_state_is_no_claim() -> None:
    nothing = dict.fromkeys(ARTICLE, PublishedAccuracy(train=None, test=None))
    claims = check_claims_by_study(nothing, made_up(), baseline="dense", candidate="cnn", confidence=0.95)
    assert [claim.kind for claim in claims] == ["overfits", "better"]


def test_figures_of_a_model_that_the_study_lacks_are_left_out() -> None:
    article = ARTICLE | {"other": PublishedAccuracy(train=0.9, test=0.9)}
    claims = check_claims_by_study(article, made_up(), baseline="dense", candidate="cnn", confidence=0.95)
    assert "other" not in {claim.model for claim in claims}
