"""The committed study: the gate's margin and floors are what it says, and the committed trainings are among its own."""

import pandas as pd
import pytest

from benchmarks.gate import falls_below_a_floor, models_of, recommended_margin, single_errors
from fashion_mnist.study.plan import Study
from pipeline.bytes.descriptions import read_description
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import history_of, predictions_of
from pipeline.study.tables import find_study
from pipeline.tools.demo import PROJECT


@pytest.fixture
def committed(monkeypatch: pytest.MonkeyPatch) -> Study:
    """The study in reports/, of the present data and parameters."""
    monkeypatch.chdir(PROJECT)
    study = find_study(read_params(), read_description())
    assert study is not None, "the study is of other data or parameters: run `make study`"
    return study


def test_margin_in_use_is_the_smallest_that_rarely_raises_a_false_alarm(committed: Study) -> None:
    params = read_params()
    assert set(params.train) <= set(models_of(committed))
    errors = {model: single_errors(committed, model, params.gate) for model in models_of(committed)}
    assert params.gate.margin == recommended_margin(errors)


def test_no_training_of_the_study_falls_below_a_floor(committed: Study) -> None:
    gate = read_params().gate
    for model in models_of(committed):
        runs = committed.predictions["replicate", model]
        assert not any(falls_below_a_floor(committed.labels, run, gate, model) for run in runs), model


def test_replicate_with_the_pipeline_s_seed_is_the_pipeline_s_training(committed: Study) -> None:
    params = read_params()
    for model in set(params.train) & set(models_of(committed)):
        seed = params.train[model].seed
        seeds = sorted(trial.seed for trial in committed.trials if trial[:2] == ("replicate", model))
        assert seed in seeds, f"train.{model}.seed is none of the replicates'"
        (record,) = [trial for trial in committed.trials if (*trial[:2], trial.seed) == ("replicate", model, seed)]
        history = pd.read_csv(history_of(model))
        for column, values in record.history.items():
            assert values.tolist() == history[column].tolist(), (model, column)
        predictions = pd.read_csv(predictions_of(model))["prediction"]
        assert committed.predictions["replicate", model][seeds.index(seed)].tolist() == predictions.tolist(), model
