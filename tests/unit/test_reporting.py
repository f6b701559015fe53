"""Claims about the report's text."""

from typing import Any

import pytest

from fashion_mnist.params import PublishedAccuracy
from fashion_mnist.reporting import ModelRow, percent, points, probability, render_markdown

SCORES = {
    "accuracy": 0.8812,
    "accuracy_low": 0.8747,
    "accuracy_high": 0.8874,
    "train_accuracy": 0.9123,
    "validation_accuracy": 0.8834,
    "train_validation_gap": 0.0289,
    "macro_f1": 0.88051,
    "loss": 0.33339,
    "expected_calibration_error": 0.0145,
    "parameters": 101770,
}
DENSE = ModelRow("dense", SCORES, PublishedAccuracy(train=None, test=0.8782))
CNN = ModelRow("cnn", SCORES | {"accuracy": 0.9133}, PublishedAccuracy(train=0.97, test=0.91))
BETTER = {
    "images": 10000,
    "difference": 0.0321,
    "difference_low": 0.0262,
    "difference_high": 0.038,
    "mcnemar_p": 3.2e-26,
    "only_baseline_right": 289,
    "only_candidate_right": 610,
    "both_right": 8523,
    "both_wrong": 578,
}
WORSE = BETTER | {"difference": -0.0321, "difference_low": -0.038, "difference_high": -0.0262}
ALIKE = BETTER | {"difference": 0.0011, "difference_low": -0.0048, "difference_high": 0.007, "mcnemar_p": 0.7254}


def split(images: int) -> dict[str, Any]:
    return {
        "images": images,
        "pixel_mean": 0.28604,
        "pixel_std": 0.35302,
        "images_sha256": "0123456789abcdef" * 4,
        "labels_sha256": "fedcba9876543210" * 4,
    }


DATA = {
    "dataset": "fashion_mnist",
    "train": split(55000),
    "validation": split(5000),
    "test": split(10000),
    "duplicates_within_train": 43,
    "test_images_in_train": 10,
}


def page(*models: ModelRow, comparison: dict[str, Any] = BETTER, dataset: str = "fashion_mnist") -> str:
    return render_markdown(
        models=list(models or (DENSE, CNN)),
        comparison=comparison,
        data=DATA | {"dataset": dataset},
        confidence=0.95,
        baseline="dense",
        candidate="cnn",
    )


def cells(page: str, label: str) -> list[str]:
    """Return the cells of the table row that begins with a label."""
    (row,) = (line for line in page.splitlines() if line.startswith(f"| {label} |"))
    return [cell.strip() for cell in row.strip("|").split("|")][1:]


@pytest.mark.parametrize(("share", "text"), [(0.91234, "91.23 %"), (1, "100.00 %"), (None, "–")])
def test_share_is_written_in_percent(share: float | None, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("difference", "text"), [(0.0321, "+3.21"), (-0.0321, "−3.21"), (0, "+0.00"), (-1e-5, "+0.00")]
)
def test_difference_is_written_in_points_with_its_sign(difference: float, text: str) -> None:
    assert points(difference) == text


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (1, "1.000"),
        (0.7254, "0.725"),
        (0.001, "0.001"),
        (0.00032, "3.2 · 10<sup>−4</sup>"),
        (3.2e-26, "3.2 · 10<sup>−26</sup>"),
        (0, "below 10<sup>−300</sup>"),
    ],
)
def test_probability_is_written_with_the_digits_that_matter(p: float, text: str) -> None:
    assert probability(p) == text


def test_better_candidate_is_said_to_be_more_accurate_by_how_much_and_how_surely() -> None:
    text = page()
    assert "**cnn is more accurate than dense by +3.21 percentage points**" in text
    assert "(95 % interval +2.62 to +3.80), on 10,000 test images" in text
    assert "p = 3.2 · 10<sup>−26</sup> (McNemar's exact test)." in text


def test_worse_candidate_is_said_to_be_less_accurate() -> None:
    text = page(comparison=WORSE)
    assert "**cnn is less accurate than dense, by −3.21 percentage points**" in text
    assert "(95 % interval −3.80 to −2.62)" in text


@pytest.mark.parametrize("bound", [{}, {"difference_low": 0.0}, {"difference_high": 0.0}])
def test_interval_that_holds_zero_is_said_to_tell_nothing_apart(bound: dict[str, float]) -> None:
    text = page(comparison=ALIKE | bound)
    assert "**The test images cannot tell cnn and dense apart: +0.11 percentage points**" in text
    assert "accurate than" not in text


def test_table_holds_the_scores_of_each_model() -> None:
    text = page()
    assert cells(text, "**test accuracy**") == ["88.12 %", "91.33 %"]
    assert cells(text, "its 95 % interval, from") == ["87.47 %"] * 2
    assert cells(text, "to") == ["88.74 %"] * 2
    assert cells(text, "train accuracy") == ["91.23 %"] * 2
    assert cells(text, "validation accuracy") == ["88.34 %"] * 2
    assert cells(text, "train − validation, points") == ["+2.89"] * 2
    assert cells(text, "macro F1 on test") == ["0.8805"] * 2
    assert cells(text, "loss on test, nats") == ["0.3334"] * 2
    assert cells(text, "expected calibration error") == ["1.45 %"] * 2
    assert cells(text, "parameters") == ["101,770"] * 2


def test_images_are_counted_by_who_is_right() -> None:
    text = page()
    assert "| | cnn right | cnn wrong |" in text
    assert cells(text, "**dense right**") == ["8,523", "289"]
    assert cells(text, "**dense wrong**") == ["610", "578"]


def test_data_are_described_by_split() -> None:
    text = page()
    assert cells(text, "images") == ["55,000", "5,000", "10,000"]
    assert cells(text, "pixel mean, of 0 to 1") == ["0.2860"] * 3
    assert cells(text, "sha256 of the images") == ["0123456789ab…"] * 3
    assert cells(text, "sha256 of the labels") == ["fedcba987654…"] * 3
    assert "43 within the published training file,\n10 test images that also stand in it." in text


def test_what_the_article_does_not_state_is_a_dash() -> None:
    text = page()
    assert cells(text, "the article's test accuracy") == ["87.82 %", "91.00 %"]
    assert cells(text, "the article's train accuracy") == ["–", "97.00 %"]


def test_model_that_the_article_does_not_know_has_dashes() -> None:
    text = page(DENSE, CNN._replace(article=PublishedAccuracy(train=None, test=None)))
    assert cells(text, "the article's test accuracy") == ["87.82 %", "–"]
    assert cells(text, "the article's train accuracy") == ["–", "–"]


def test_synthetic_data_are_announced_and_not_held_against_the_article() -> None:
    text = page(dataset="synthetic")
    assert text.startswith("# cnn against dense on synthetic garments\n\n> **Synthetic data.**")
    assert "article" not in text


def test_published_data_carry_no_warning() -> None:
    text = page()
    assert text.startswith("# cnn against dense on Fashion-MNIST\n\n**")
    assert "ynthetic" not in text


@pytest.mark.parametrize("models", [(DENSE, CNN), (DENSE, CNN, DENSE._replace(name="transformer"))])
@pytest.mark.parametrize("dataset", ["fashion_mnist", "synthetic"])
def test_rows_of_a_table_have_equally_many_cells(models: tuple[ModelRow, ...], dataset: str) -> None:
    text = page(*models, dataset=dataset)
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    widths = [{row.strip().count("|") - 1 for row in rows} for rows in tables]
    assert widths == [{1 + len(models)}, {3}, {4}]


def test_lines_of_the_page_hold_no_trailing_space_and_end_in_one_newline() -> None:
    text = page()
    assert [line for line in text.splitlines() if line != line.rstrip()] == []
    assert text.endswith(".\n")
