"""What README and docs promise: numbers that the reports hold, words that make knows, links that lead somewhere."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from pipeline.tools.demo import PROJECT

README = (PROJECT / "README.md").read_text()
PAGES = sorted([PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *(PROJECT / "docs").rglob("*.md")])
MOST_WORDS = 900


def name_of(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def metrics(model: str) -> dict[str, float]:
    scores: dict[str, float] = json.loads((PROJECT / f"reports/metrics/{model}.json").read_text())
    return scores


def row(label: str) -> list[str]:
    """Return the cells of README's result table in the row with a label."""
    (found,) = re.findall(rf"^\| \**{re.escape(label)}\** \| (.*) \|$", README, re.MULTILINE)
    return [cell.strip("* ") for cell in found.split("|")]


def percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def test_readme_is_short() -> None:
    assert len(README.split()) <= MOST_WORDS


@pytest.mark.parametrize(("label", "key"), [("test accuracy", "accuracy"), ("train accuracy", "train_accuracy")])
def test_accuracies_are_those_of_the_reports(label: str, key: str) -> None:
    assert row(label) == [percent(metrics(model)[key]) for model in ("dense", "cnn")]


def test_intervals_and_sizes_are_those_of_the_reports() -> None:
    scores = [metrics(model) for model in ("dense", "cnn")]
    assert row("its 95 % interval") == [
        f"{percent(score['accuracy_low'])} to {percent(score['accuracy_high'])}" for score in scores
    ]
    assert row("parameters") == [f"{score['parameters']:,}" for score in scores]


def test_difference_is_that_of_the_reports() -> None:
    comparison = json.loads((PROJECT / "reports/comparison.json").read_text())
    text = " ".join(README.split())
    assert f"more accurate by **{100 * comparison['difference']:.2f} points**" in text
    mantissa, exponent = f"{comparison['mcnemar_p']:.1e}".split("e")
    assert f"p = {mantissa} · 10<sup>{int(exponent)}</sup>".replace("-", "−") in text
    low, high = (f"{100 * comparison[f'difference_{end}']:+.2f}" for end in ("low", "high"))
    assert f"95 % interval {low} to {high}" in text


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_words_of_make_are_known(path: Path) -> None:
    known = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", path.read_text(), re.MULTILINE))
    assert named - known == set()


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_modules_that_are_called_are_there(path: Path) -> None:
    for module in re.findall(r"python -m (pipeline[.\w]*)", path.read_text()):
        assert (PROJECT / f"{module.replace('.', '/')}.py").is_file(), module


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_lead_to_files(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_files_that_are_named_are_there(path: Path) -> None:
    for name in re.findall(r"`((?:pipeline|src|tests|benchmarks|requirements|docs)/[\w/.-]+\.\w+)`", path.read_text()):
        if "mlp2" not in name:  # the example of the recipe
            assert (PROJECT / name).exists(), name


def test_make_lists_its_words() -> None:
    listed = subprocess.run(["make"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    for word in re.findall(r"^([a-z]+):.*##", (PROJECT / "Makefile").read_text(), re.MULTILINE):
        assert re.search(rf"^  make {word} +\w", listed, re.MULTILINE), word


def test_every_decision_is_listed() -> None:
    listed = (PROJECT / "docs/decisions/README.md").read_text()
    for path in (PROJECT / "docs/decisions").glob("0*.md"):
        assert f"({path.name})" in listed, path.name
