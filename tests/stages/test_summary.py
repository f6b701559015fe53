"""What a terminal says once the pipeline has run."""

import json

import pytest

from pipeline.tools import summary
from tests.stages.conftest import Reproduced


def test_summary_shows_the_numbers_of_the_files_and_where_the_page_lies(
    reproduced: Reproduced, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(reproduced.folder)
    monkeypatch.setenv("COLUMNS", "100")
    summary.main([])
    said = capsys.readouterr().out
    for model in ("dense", "cnn"):
        metrics = json.loads((reproduced.folder / f"reports/metrics/{model}.json").read_text())
        (row,) = (line for line in said.splitlines() if line.startswith(f"{model}  "))
        for key in ("accuracy", "accuracy_low", "accuracy_high", "validation_accuracy", "train_accuracy"):
            assert f"{100 * metrics[key]:.2f} %" in row
        assert f"{metrics['parameters']:,}" in row
    difference = json.loads((reproduced.folder / "reports/comparison.json").read_text())["difference"]
    assert f"cnn − dense: {100 * difference:+.2f} points".replace("-", "−") in said
    assert said.endswith("the page: reports/report.html\n")
