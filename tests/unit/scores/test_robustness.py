"""Claims about changed images: how they move, and what that does to classifiers made by hand."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from fashion_mnist.data.split import Floats, Labels, Split
from fashion_mnist.scores.robustness import (
    DIRECTIONS,
    Classifier,
    Curve,
    noise_curves,
    position_curves,
    rotation_curves,
    shift,
)

Curves = Callable[..., dict[str, Curve]]

# Bright and dark squares in the middle, six pixels from every edge; bright is class 1.
LABELS = np.array([0, 1, 1, 0, 1, 0], np.uint8)
SPLIT = Split(np.zeros((6, 28, 28, 1), np.float32), LABELS)
SPLIT.images[:, 6:22, 6:22] = np.where(LABELS, 0.75, 0.25)[:, None, None, None]


def by_mean(images: Floats) -> Labels:
    """A classifier that averages over all positions."""
    return np.asarray(images.mean(axis=(1, 2, 3)) > 0.5 * (16 / 28) ** 2, np.uint8)


def by_corner(images: Floats) -> Labels:
    """A classifier with one weight for one position, where the square begins."""
    return (images[:, 6, 6, 0] > 0.5).astype(np.uint8)


def picture(*rows: list[int]) -> npt.NDArray[np.float32]:
    return np.array(rows, np.float32)[np.newaxis, :, :, np.newaxis]


def test_shift_moves_pixels_and_lets_black_in() -> None:
    image = picture([1, 2, 3], [4, 5, 6], [7, 8, 9])
    assert np.array_equal(shift(image, down=1, right=0), picture([0, 0, 0], [1, 2, 3], [4, 5, 6]))
    assert np.array_equal(shift(image, down=-1, right=2), picture([0, 0, 4], [0, 0, 7], [0, 0, 0]))
    assert np.array_equal(shift(image, down=0, right=0), image)
    assert not shift(image, down=3, right=0).any()


def test_every_direction_is_another_and_has_its_opposite() -> None:
    assert len(set(DIRECTIONS.values())) == 8
    assert {(-down, -right) for down, right in DIRECTIONS.values()} == set(DIRECTIONS.values())


def test_classifier_that_averages_over_all_positions_is_flat() -> None:
    table = alone(position_curves, by_mean, pixels=6)
    assert table["pixels"].tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert table["accuracy"].tolist() == [1] * 7
    assert all(table[direction].tolist() == [1] * 7 for direction in DIRECTIONS)


def test_classifier_that_looks_at_one_place_is_not() -> None:
    table = alone(position_curves, by_corner, pixels=2)
    # Moved up or left, the square still covers the corner; in the five other directions the corner is black.
    assert [table[direction][1] for direction in ("up", "left", "up_left")] == [1, 1, 1]
    assert [table[direction][1] for direction in ("down", "right", "down_right", "up_right", "down_left")] == [0.5] * 5
    assert table["accuracy"].tolist() == [1, (3 + 5 * 0.5) / 8, (3 + 5 * 0.5) / 8]


def test_interval_counts_each_image_once_however_often_it_moves() -> None:
    table = alone(position_curves, by_corner, pixels=1)
    # The three bright images are right in 3 of 8 directions, the dark ones in all.
    by_image = np.array([1, 3 / 8, 3 / 8, 1, 3 / 8, 1])
    error = by_image.std(ddof=1) / np.sqrt(6)
    assert table["low"][1] == pytest.approx(by_image.mean() - 1.959964 * error, abs=1e-6)
    assert table["high"][1] == pytest.approx(min(1, by_image.mean() + 1.959964 * error), abs=1e-6)


def test_rotation_turns_both_ways() -> None:
    seen = []

    def record(images: Floats) -> Labels:
        seen.append(images)
        return LABELS

    images = np.zeros((6, 28, 28, 1), np.float32)
    images[:, 2, 13:15] = 1  # at the top, in the middle
    table = alone(rotation_curves, record, degrees=[90], split=Split(images, LABELS))
    assert table["degrees"].tolist() == [0, 90]
    brightest = [tuple(np.argwhere(turned[0, :, :, 0] > 0.99)[0].tolist()) for turned in seen[1:]]
    assert sorted(brightest) == [(13, 2), (13, 25)]


def test_rotation_leaves_what_is_round() -> None:
    assert alone(rotation_curves, by_mean, degrees=[5, 30])["accuracy"].tolist() == [1, 1, 1]


def test_noise_stays_within_the_range_of_pixels_and_grows() -> None:
    seen = []

    def record(images: Floats) -> Labels:
        seen.append(images)
        return by_mean(images)

    table = alone(noise_curves, record, deviations=[0.1, 0.3], seed=1)
    assert table["deviation"].tolist() == [0, 0.1, 0.3]
    still, weak, strong = seen
    assert np.array_equal(still, SPLIT.images)
    assert all(image.min() >= 0 and image.max() <= 1 and image.dtype == np.float32 for image in seen)
    middle = (slice(None), slice(8, 20), slice(8, 20))
    assert (weak - still)[middle].std() == pytest.approx(0.1, rel=0.1)
    assert np.abs(strong - still).mean() > 2 * np.abs(weak - still).mean()


def test_same_seed_gives_the_same_noise_and_another_seed_other() -> None:
    def measured(seed: int) -> list[float]:
        table = alone(noise_curves, by_corner, deviations=[0.3, 0.6, 0.9], seed=seed)
        return list(table["accuracy"])

    assert measured(1) == measured(1)
    assert any(measured(seed) != measured(1) for seed in range(2, 9))


CURVES = [
    (position_curves, {"pixels": 1}),
    (rotation_curves, {"degrees": [30]}),
    (noise_curves, {"deviations": [0.9], "seed": 1}),
]


@pytest.mark.parametrize(("curves", "options"), CURVES)
def test_each_classifier_has_a_table_of_its_own(curves: Curves, options: dict[str, Any]) -> None:
    tables = curves({"mean": by_mean, "corner": by_corner}, SPLIT, confidence=0.95, **options)
    expected = {"mean": alone(curves, by_mean, **options), "corner": alone(curves, by_corner, **options)}
    assert plain(tables) == plain(expected)
    assert plain(tables)["mean"] != plain(tables)["corner"]


@pytest.mark.parametrize(("curves", "options"), CURVES)
def test_images_are_changed_once_for_all_classifiers(curves: Curves, options: dict[str, Any]) -> None:
    seen: dict[str, list[Floats]] = {"first": [], "second": []}

    def recorder(name: str) -> Classifier:
        def record(images: Floats) -> Labels:
            seen[name].append(images)
            return LABELS

        return record

    curves({name: recorder(name) for name in seen}, SPLIT, confidence=0.95, **options)
    assert len(seen["first"]) > 1
    assert all(first is second for first, second in zip(*seen.values(), strict=True))


def alone(curves: Curves, classify: Classifier, *, split: Split = SPLIT, **options: Any) -> Curve:
    """Return the table of a single classifier."""
    return curves({"alone": classify}, split, confidence=0.95, **options)["alone"]


def plain(tables: Mapping[str, Curve]) -> dict[str, dict[str, list[float]]]:
    return {name: {key: values.tolist() for key, values in table.items()} for name, table in tables.items()}
