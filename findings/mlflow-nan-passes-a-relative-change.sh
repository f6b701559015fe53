#!/usr/bin/env bash
# MLflow 3.17.2 (Python 3.11, Linux).
#
# Behaviour: the three limits of mlflow.models.MetricThreshold treat a metric that is not a number in three ways. A fixed
# threshold refuses it. A minimum absolute change raises decimal.InvalidOperation. A minimum relative change lets it
# pass, as candidate and as baseline: the check asks whether the change is too small, and no comparison with NaN is true.
#
# Seen:
#   candidate nan against 0.9, threshold: ModelValidationFailedException
#   candidate nan against 0.9, min_absolute_change: InvalidOperation
#   candidate nan against 0.9, min_relative_change: passes
#   candidate 0.1 against nan, min_relative_change: passes
#   candidate 0.9 against 0.9, min_relative_change: ModelValidationFailedException
#
# Why it matters: a training that diverged is what a gate is for, and its loss is NaN. With a relative limit alone the
# gate is open, and after that model has become the baseline it stays open for every later one.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mlflow==3.17.2
cd "$folder"
export MLFLOW_DISABLE_TELEMETRY=true MLFLOW_LOGGING_LEVEL=ERROR

"$folder/venv/bin/python" - <<'PYTHON'
import sys

import mlflow
from mlflow.models import EvaluationResult, MetricThreshold


def judge(candidate, baseline, **limit):
    """Return what MLflow does with an accuracy under one limit."""
    thresholds = {"accuracy": MetricThreshold(greater_is_better=True, **limit)}
    results = [EvaluationResult(metrics={"accuracy": value}, artifacts={}) for value in (candidate, baseline)]
    try:
        mlflow.validate_evaluation_results(thresholds, *results)
    except Exception as error:
        verdict = type(error).__name__
    else:
        verdict = "passes"
    print(f"candidate {candidate} against {baseline}, {next(iter(limit))}: {verdict}")
    return verdict


nan = float("nan")
judge(nan, 0.9, threshold=0.5)
judge(nan, 0.9, min_absolute_change=0.01)
let_through = [judge(nan, 0.9, min_relative_change=0.01), judge(0.1, nan, min_relative_change=0.01)]
judge(0.9, 0.9, min_relative_change=0.01)

if let_through != ["passes", "passes"]:
    sys.exit("changed: a relative limit no longer lets NaN pass")
PYTHON
