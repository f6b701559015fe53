"""The gate's margin against the trainings that differ in their seed alone, in reports/seeds."""

from itertools import permutations
from pathlib import Path

import pytest

from benchmarks.gate import LEAST_CAUGHT, MARGINS, MOST_FALSE_ALARMS, errors, read_runs, verdict
from pipeline.runtime.parameters import read_params
from pipeline.tools.demo import PROJECT


@pytest.mark.parametrize("model", ["dense", "cnn"])
def test_default_margin_errs_as_rarely_as_is_claimed(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    params = read_params().gate
    labels, runs = read_runs(model)
    assert len(runs) == len(params.seeds) == len(list(Path(f"reports/seeds/{model}").iterdir()))
    pairs = [([old], [new]) for old, new in permutations(runs, 2)]
    false_alarms, caught = errors(labels, pairs, params, model)[MARGINS.index(params.margin)]
    assert false_alarms <= MOST_FALSE_ALARMS
    assert caught >= LEAST_CAUGHT


@pytest.mark.parametrize("model", ["dense", "cnn"])
def test_no_seed_falls_below_a_floor(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    labels, runs = read_runs(model)
    assert not any(verdict(labels, [found], [found], read_params().gate, model).failures for found in runs)
