"""README's numbers are those of the reports and of the study."""

import json
import re

import pytest
from ruamel.yaml import YAML

from fashion_mnist.data.description import DataDescription, parse_description
from fashion_mnist.params.parsing import parse_params
from fashion_mnist.study.spread import Spread, measure_spread
from pipeline.study.tables import find_study
from pipeline.tools.demo import PROJECT

README = (PROJECT / "README.md").read_text()


def metrics(model: str) -> dict[str, float]:
    scores: dict[str, float] = json.loads((PROJECT / f"reports/metrics/{model}.json").read_text())
    return scores


def row(label: str) -> list[str]:
    """Return the cells of README's result table in the row with a label."""
    (found,) = re.findall(rf"^\| \**{re.escape(label)}\** \| (.*) \|$", README, re.MULTILINE)
    return [cell.strip("* ") for cell in found.split("|")]


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
