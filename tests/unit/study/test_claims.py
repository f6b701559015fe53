"""Claims of the article, checked: when one holds, on figures that a person can follow."""

import numpy as np
import pytest

from fashion_mnist.params import PublishedAccuracy
from fashion_mnist.study.claims import Claim, check_claims, difference_interval, rounding_range

ARTICLE = {"dense": PublishedAccuracy(train=None, test=0.8782), "cnn": PublishedAccuracy(train=0.97, test=0.91)}
IMAGES = {"train": 55_000, "validation": 5_000, "test": 10_000}
SCORES = {
    "dense": {"accuracy": 0.88, "train_accuracy": 0.9, "validation_accuracy": 0.88},
    "cnn": {"accuracy": 0.9095, "train_accuracy": 0.9741, "validation_accuracy": 0.918},
}
BETTER = {"difference": 0.03, "difference_low": 0.02, "difference_high": 0.04}
RISING = np.array([0.4, 0.2, 0.3])
FALLING = np.array([0.4, 0.3, 0.2])


def checked(
    scores: dict[str, dict[str, float]] = SCORES,
    comparison: dict[str, float] = BETTER,
    val_loss: np.ndarray[tuple[int], np.dtype[np.float64]] = RISING,
) -> dict[tuple[str, str], Claim]:
    claims = check_claims(
        ARTICLE,
        scores,
        {"dense": FALLING, "cnn": val_loss},
        comparison,
        images=IMAGES,
        candidate="cnn",
        confidence=0.95,
    )
    return {(claim.kind, claim.model): claim for claim in claims}


def with_score(model: str, **changes: float) -> dict[str, dict[str, float]]:
    return SCORES | {model: SCORES[model] | changes}


def test_every_figure_that_the_article_states_is_a_claim_and_so_are_its_two_conclusions() -> None:
    assert list(checked()) == [
        ("test", "dense"),
        ("test", "cnn"),
        ("train", "cnn"),
        ("overfits", "cnn"),
        ("better", "cnn"),
    ]


def test_claim_carries_our_figure_and_wilsons_interval() -> None:
    claim = checked()["test", "dense"]
    assert (claim.stated, claim.found) == (0.8782, 0.88)
    assert (claim.low, claim.high) == pytest.approx((0.87348, 0.88622), abs=1e-5)


@pytest.mark.parametrize(
    ("found", "holds"),
    [(0.8782, True), (0.8720, True), (0.8699, False), (0.8900, False)],  # intervals reach about 0.0065 either way
)
def test_accuracy_holds_if_its_interval_meets_the_stated_one(found: float, holds: bool) -> None:
    assert checked(with_score("dense", accuracy=found))["test", "dense"].holds is holds


@pytest.mark.parametrize(("found", "holds"), [(0.9741, True), (0.9649, True), (0.9770, False), (0.9610, False)])
def test_accuracy_stated_in_whole_percents_holds_for_all_that_round_to_it(found: float, holds: bool) -> None:
    assert checked(with_score("cnn", train_accuracy=found))["train", "cnn"].holds is holds


@pytest.mark.parametrize(
    ("share", "expected"), [(0.97, (0.965, 0.975)), (0.9, (0.895, 0.905)), (0.8782, (0.87815, 0.87825))]
)
def test_stated_figure_stands_for_all_that_round_to_it(share: float, expected: tuple[float, float]) -> None:
    assert rounding_range(share) == pytest.approx(expected)


def test_network_overfits_if_train_is_ahead_and_validation_loss_rose() -> None:
    claim = checked()["overfits", "cnn"]
    assert claim.found == pytest.approx(0.0561)
    assert claim.low < 0.0561 < claim.high
    assert claim.holds


def test_network_whose_loss_on_validation_still_falls_does_not_overfit() -> None:
    assert not checked(val_loss=FALLING)["overfits", "cnn"].holds


def test_gap_that_may_be_chance_is_no_overfitting() -> None:
    assert not checked(with_score("cnn", train_accuracy=0.92, validation_accuracy=0.918))["overfits", "cnn"].holds


@pytest.mark.parametrize("low", [0.0, -0.001])
def test_difference_that_may_be_chance_is_not_better(low: float) -> None:
    assert not checked(comparison=BETTER | {"difference_low": low})["better", "cnn"].holds


def test_model_that_was_not_trained_is_no_claim() -> None:
    assert ("test", "dense") not in checked({"cnn": SCORES["cnn"]})


def test_interval_of_a_difference_is_newcombes() -> None:
    # His example, 56/70 against 48/80: 0.2, from 0.0524 to 0.3339.
    assert difference_interval(56 / 70, 70, 48 / 80, 80, confidence=0.95) == pytest.approx((0.0524, 0.3339), abs=5e-5)
