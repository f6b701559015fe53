"""Claims about the description of a run."""

import numpy as np
import pytest

from fashion_mnist.params.parsing import parse_params
from fashion_mnist.report.language import Language
from fashion_mnist.report.run_description import describe_state, describe_study
from fashion_mnist.report.tables import score_table
from fashion_mnist.scores.metrics import METRICS, Metric
from tests.small_study import small_study
from tests.unit.report.evidence import FROZEN, SCORES


def test_table_has_a_column_for_each_model_and_the_paired_difference() -> None:
    scores = SCORES | {"accuracy": 0.87654, "accuracy_low": 0.86, "accuracy_high": 0.89}
    comparison = {"difference": 0.04, "difference_low": 0.03, "difference_high": 0.05, "mcnemar_p": 1e-9}
    text = describe_state({"dense": scores, "cnn": scores}, comparison, dataset="synthetic", confidence=0.95)
    assert "| on synthetic | dense | cnn |" in text
    assert "| test accuracy | 87.65 % | 87.65 % |" in text
    assert "| 95 % interval | 86.00 % to 89.00 % | 86.00 % to 89.00 % |" in text
    assert "| train accuracy | 97.42 % | 97.42 % |" in text
    assert "| parameters | 421,642 | 421,642 |" in text
    assert "+4.00 points, interval +3.00 to +5.00; McNemar's exact p = 1e-09" in text


def test_metric_that_is_not_measured_yet_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METRICS, "top_two_accuracy", Metric(lambda _: 0.0, "share", of_probabilities=True))
    scores = SCORES | {"accuracy": 0.87654, "accuracy_low": 0.86, "accuracy_high": 0.89}
    table = score_table("", {"dense": scores}, Language("en"), confidence=0.95)
    assert "top two accuracy" not in [label for label, _ in table]
    table = score_table("", {"dense": scores | {"top_two_accuracy": 0.5}}, Language("en"), confidence=0.95)
    assert ["top two accuracy", "50.00\u00a0%"] in table


def test_study_has_a_row_for_each_kind_of_training_and_model() -> None:
    study = small_study(
        parse_params(FROZEN, source="tests/params.yaml"), np.zeros(1000, np.uint8), seeds=2, units=(16,)
    )
    text = describe_study(study)
    assert "16 trainings on fashion_mnist" in text
    values = 100 * study.accuracies("article", "cnn")
    cells = f"| 2 | {values.mean():.2f} % | {values.min():.2f} % | {values.max():.2f} % |"
    assert text.count(cells) == 1
    assert [line.split(",")[0] for line in text.splitlines() if "trained as in" in line] == ["| cnn", "| dense"]
    assert "4 of these trainings" in text
    without = study._replace(trials=[trial for trial in study.trials if trial.kind != "sweep"])
    assert "units" not in describe_study(without)
