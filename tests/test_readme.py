"""What README and docs promise: numbers that the reports hold, words that make knows, links that lead somewhere."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from fashion_mnist.data.description import DataDescription, parse_description
from fashion_mnist.params.parsing import parse_params
from fashion_mnist.study.spread import Spread, measure_spread
from pipeline.study.tables import find_study
from pipeline.tools.demo import PROJECT

README = (PROJECT / "README.md").read_text()
PAGES = sorted([PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *(PROJECT / "docs").rglob("*.md")])


def name_of(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def metrics(model: str) -> dict[str, float]:
    scores: dict[str, float] = json.loads((PROJECT / f"reports/metrics/{model}.json").read_text())
    return scores


def row(label: str) -> list[str]:
    """Return the cells of README's result table in the row with a label."""
    (found,) = re.findall(rf"^\| \**{re.escape(label)}\** \| (.*) \|$", README, re.MULTILINE)
    return [cell.strip("* ") for cell in found.split("|")]


def headings(page: Path) -> set[str]:
    """Name the headings of a page as links do."""
    titles = re.findall(r"^#+ (.*)", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def percent(share: float) -> str:
    return f"{100 * share:.2f} %"


@pytest.fixture(scope="module")
def spreads() -> list[Spread]:
    """How far apart the trainings of the committed study end, by model."""
    document = YAML(typ="safe").load(PROJECT / "params.yaml")
    params = parse_params(document, source="params.yaml")
    data = parse_description(DataDescription, json.loads((PROJECT / "reports/data.json").read_text()), name="data.json")
    study = find_study(params, data, lambda path: (PROJECT / path).read_bytes())
    assert study is not None, "the committed study is about other data or parameters; run `make study`"
    return [measure_spread(study.accuracies("replicate", model), confidence=0.95) for model in ("dense", "cnn")]


def test_means_are_those_of_the_study(spreads: list[Spread]) -> None:
    assert row("mean test accuracy") == [percent(spread.mean) for spread in spreads]
    assert row("trainings") == [str(spread.trainings) for spread in spreads]
    assert row("one more training, 95 %") == [
        f"{percent(spread.predicted_low)} to {percent(spread.predicted_high)}" for spread in spreads
    ]


@pytest.mark.parametrize(
    ("label", "key"),
    [("test accuracy of the run in `reports/`", "accuracy"), ("its train accuracy", "train_accuracy")],
)
def test_accuracies_are_those_of_the_reports(label: str, key: str) -> None:
    assert row(label) == [percent(metrics(model)[key]) for model in ("dense", "cnn")]


def test_sizes_are_those_of_the_reports() -> None:
    assert row("parameters") == [f"{metrics(model)['parameters']:,}" for model in ("dense", "cnn")]


def test_differences_are_those_of_the_reports() -> None:
    comparison = json.loads((PROJECT / "reports/comparison.json").read_text())
    text = " ".join(README.split())
    assert f"more accurate by **{100 * comparison['mean_difference']:.2f} points**" in text
    low, high = (f"{100 * comparison[f'mean_difference_{end}']:+.2f}" for end in ("low", "high"))
    assert f"95 % interval, {low} to {high}" in text
    difference, low, high = (f"{100 * comparison[f'difference{end}']:+.2f}" for end in ("", "_low", "_high"))
    assert f"shows {difference} ({low} to {high}" in text
    mantissa, exponent = f"{comparison['mcnemar_p']:.1e}".split("e")
    assert f"p = {mantissa} · 10<sup>{int(exponent)}</sup>".replace("-", "−") in text


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_words_of_make_are_known(path: Path) -> None:
    known = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", path.read_text(), re.MULTILINE))
    assert named - known == set()


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_modules_that_are_called_are_there(path: Path) -> None:
    for module in re.findall(r"python -m (pipeline[.\w]*)", path.read_text()):
        place = PROJECT / module.replace(".", "/")
        assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file(), module


@pytest.mark.parametrize("path", [*PAGES, PROJECT / "CHANGELOG.md"], ids=name_of)
def test_links_lead_to_files_and_headings(path: Path) -> None:
    for name, heading in re.findall(r"\]\((?!https?://)([^)#]*)#?([^)]*)\)", path.read_text()):
        target = path.parent / name if name else path
        assert target.exists(), name
        assert not heading or heading in headings(target), f"{name}#{heading}"


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_files_that_are_named_are_there(path: Path) -> None:
    for name in re.findall(r"`((?:pipeline|src|tests|benchmarks|requirements|docs)/[\w/.-]+\.\w+)`", path.read_text()):
        if "mlp2" not in name:  # the example of the recipe
            assert (PROJECT / name).exists(), name


def test_make_lists_its_words() -> None:
    listed = subprocess.run(["make"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    for word in re.findall(r"^([a-z]+):.*##", (PROJECT / "Makefile").read_text(), re.MULTILINE):
        assert re.search(rf"^  make {word} +\w", listed, re.MULTILINE), word


@pytest.mark.parametrize("id_says", ["echo 12345; exit 1", "exit 1"])
def test_make_gives_dvc_a_name_where_the_user_has_none(tmp_path: Path, id_says: str) -> None:
    """DVC raises KeyError for a user id that is in no list of users, as in many containers."""
    (tmp_path / "id").write_text(f"#!/bin/sh\n{id_says}\n")
    (tmp_path / "id").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    ask = ["make", "--eval=ask:;@echo name=$$USER", "ask"]
    told = subprocess.run(ask, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True).stdout
    assert re.search(r"^name=\w+$", told, re.MULTILINE)


@pytest.mark.parametrize("script", sorted((PROJECT / "findings").iterdir()), ids=lambda path: path.stem)
def test_every_finding_is_listed_and_says_what_a_reader_needs(script: Path) -> None:
    assert f"`{script.stem}`" in (PROJECT / "docs/findings.md").read_text()
    text = script.read_text()
    head, _, body = text.partition("set -euo pipefail")
    for part in ("Behaviour:", "Seen", "Why it matters:"):
        assert part in head
    for package in re.findall(r"install --quiet (.*)", body)[:1]:
        assert all("==" in word for word in package.split())
    for word in ("trap ", "changed:"):
        assert word in body


def test_every_decision_is_listed() -> None:
    listed = (PROJECT / "docs/decisions/README.md").read_text()
    for path in (PROJECT / "docs/decisions").glob("0*.md"):
        assert f"({path.name})" in listed, path.name
