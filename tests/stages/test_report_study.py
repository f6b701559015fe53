"""The report of a workspace in which a study was made, and of one whose study is about something else."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from fashion_mnist.data.description import SPLITS
from fashion_mnist.report.language import Language
from pipeline import report
from pipeline.runtime.parameters import read_params
from pipeline.tools.demo import change_params
from tests.small_study import small_study, write_files
from tests.stages.conftest import Reproduced

say = Language("en").say


@pytest.fixture
def studied(reproduced: Reproduced, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the workspace with a study of its data and parameters, as the current folder."""
    folder = tmp_path / "studied"
    shutil.copytree(reproduced.folder, folder)
    monkeypatch.chdir(folder)
    data = json.loads((folder / "reports/data.json").read_text())
    digests = {f"{split} {part}": data[split][f"{part}_sha256"] for split in SPLITS for part in ("images", "labels")}
    labels = pd.read_csv(folder / "reports/predictions/dense.csv")["label"].to_numpy("uint8")
    write_files(small_study(read_params(), labels, data=digests), folder)
    return folder


def test_study_of_these_data_and_parameters_is_shown(studied: Path) -> None:
    before = json.loads(Path("reports/comparison.json").read_text())
    report.main([])
    page, comparison = Path("reports/report.md").read_text(), json.loads(Path("reports/comparison.json").read_text())
    assert say("page.no_study") not in page
    assert {"trainings.svg", "sweep_dense.svg", "sweep_cnn.svg"} <= {
        path.name for path in (studied / "reports/figures").iterdir()
    }
    assert comparison | before == comparison
    assert comparison["mean_difference_low"] < comparison["mean_difference"] < comparison["mean_difference_high"]


@pytest.mark.usefixtures("studied")
def test_study_made_with_other_parameters_is_none() -> None:
    change_params(Path("params.yaml"), {"train.dense.units": 64, "train.cnn.units": 64})
    report.main([])
    assert Path("reports/report.md").read_text().count(say("page.no_study")) == 2
    assert "mean_difference" not in json.loads(Path("reports/comparison.json").read_text())


@pytest.mark.usefixtures("studied")
def test_sweep_remains_of_the_model_whose_parameters_are_the_same() -> None:
    change_params(Path("params.yaml"), {"train.dense.units": 64})
    report.main([])
    page = Path("reports/report.md").read_text()
    assert "figures/sweep_cnn.svg" in page
    assert "figures/sweep_dense.svg" not in page
    assert "mean_difference" not in json.loads(Path("reports/comparison.json").read_text())
