"""Claims about the gate's judgement as text and as Markdown."""

from typing import Any

import pytest

from fashion_mnist.gate.text import COLUMNS, judgement_markdown, judgement_table, judgement_text

JUDGEMENT: dict[str, Any] = {
    "verdict": "regression",
    "baseline": {"revision": "0123456", "described": "0123456, the last commit"},
    "margin": 0.012,
    "confidence": 0.95,
    "cpu": "a processor",
    "cores": 2,
    "instructions": {"dense": "avx2", "cnn": "native"},
    "reproduced": False,
    "failures": ["cnn: fell by more than is tolerated"],
    "remarks": ["dense: is new"],
    "changes": ["cnn: its seed was 1 and is 2"],
    "models": {
        "dense": {
            "baseline_accuracy": None,
            "accuracy": 0.8699,
            "change": None,
            "at_worst": None,
            "at_best": None,
            "p": None,
            "exchanged": {},
        },
        "cnn": {
            "baseline_accuracy": 0.9095,
            "accuracy": 0.8912,
            "change": -0.0183,
            "at_worst": -0.0211,
            "at_best": -0.0155,
            "p": 0.00032,
            "exchanged": {"Bag": {"lost": 30, "gained": 1}, "Coat": {"lost": 12, "gained": 2}},
        },
    },
}


@pytest.fixture(params=[judgement_text, judgement_markdown], ids=["text", "markdown"])
def said(request: pytest.FixtureRequest) -> str:
    text: str = request.param(JUDGEMENT)
    return text


def test_table_counts_images_over_classes_and_writes_a_dash_for_what_is_unknown() -> None:
    _, dense, cnn = judgement_table(JUDGEMENT["models"], COLUMNS)
    assert cnn == ["cnn", "90.95 %", "89.12 %", "−1.83", "−2.11", "−1.55", "42", "3"]
    assert dense == ["dense", "–", "86.99 %", "–", "–", "–", "0", "0"]


def test_text_and_markdown_hold_the_cells_of_the_table(said: str) -> None:
    lines = [line.replace("|", " ").split() for line in said.splitlines()]
    for row in judgement_table(JUDGEMENT["models"], COLUMNS):
        words = " ".join(row).split()
        assert [line for line in lines if line[: len(words)] == words], row


@pytest.mark.parametrize("key", ["failures", "remarks", "changes"])
def test_text_and_markdown_hold_every_sentence(said: str, key: str) -> None:
    assert [sentence for sentence in JUDGEMENT[key] if sentence not in said] == []


def test_markdown_names_the_classes_whose_images_were_exchanged() -> None:
    text = judgement_markdown(JUDGEMENT)
    assert "| Bag | 30 | 1 |" in text
    assert text.count("<details>") == 1  # none for a model of which no image was exchanged


@pytest.mark.parametrize("say", [judgement_text, judgement_markdown])
def test_gate_that_cannot_judge_gives_its_reason(say: Any) -> None:
    text = say({"verdict": "cannot judge", "reason": "reports/ is missing"})
    assert "cannot judge" in text
    assert "reports/ is missing" in text


def test_text_and_markdown_name_the_cpu_and_the_instructions(said: str) -> None:
    for fact in ("a processor", "dense avx2", "cnn native", "other bytes than at the baseline"):
        assert fact in said
