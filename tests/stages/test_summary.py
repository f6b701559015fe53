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
    files = (reproduced.folder / f"reports/metrics/{model}.json" for model in ("dense", "cnn"))
    scores = [json.loads(file.read_text()) for file in files]
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert lines[0] == "model dense cnn"
    for label, key in (("test", "accuracy"), ("validation", "validation_accuracy"), ("train", "train_accuracy")):
        assert f"{label} accuracy " + " ".join(f"{100 * score[key]:.2f} %" for score in scores) in lines
    intervals = (f"{100 * score['accuracy_low']:.2f} % to {100 * score['accuracy_high']:.2f} %" for score in scores)
    assert f"95 % interval {' '.join(intervals)}" in lines
    assert f"parameters {' '.join(format(score['parameters'], ',') for score in scores)}" in lines
    difference = json.loads((reproduced.folder / "reports/comparison.json").read_text())["difference"]
    assert f"cnn − dense: {100 * difference:+.2f} points".replace("-", "−") in said
    assert said.endswith("the page: reports/report.html\n")
