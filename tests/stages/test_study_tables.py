"""A study's files: what is written is read again, and a study of another state is told apart."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fashion_mnist.data.description import SPLITS, Source, describe
from fashion_mnist.data.split import RawSplit
from fashion_mnist.errors import ArtifactError, StudyError
from fashion_mnist.params import Params
from fashion_mnist.sources.published import FASHION_MNIST
from fashion_mnist.study.plan import Study
from pipeline.bytes.formats import read_json
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import STUDY, STUDY_TRIALS
from pipeline.study.tables import data_digests, find_study, parse_trials, write_trials
from pipeline.tools.demo import PROJECT
from tests.small_study import small_study, write_files

LABELS = np.arange(100, dtype=np.uint8) % 10
IMAGES = RawSplit(np.zeros((100, 28, 28, 1), np.uint8), LABELS)
DATA = describe(Source(FASHION_MNIST, IMAGES, IMAGES), dict.fromkeys(SPLITS, IMAGES))


@pytest.fixture
def params(monkeypatch: pytest.MonkeyPatch) -> Params:
    monkeypatch.chdir(PROJECT / "tests")
    return read_params()


@pytest.fixture
def written(params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A study whose files are in the current folder."""
    study = small_study(params, LABELS, data=data_digests(DATA.model_dump()))
    monkeypatch.chdir(tmp_path)
    write_files(study, tmp_path)
    return study


def test_study_that_was_written_is_read_again(params: Params, written: Study) -> None:
    found = find_study(params, DATA)
    assert found is not None
    assert found.labels.tolist() == LABELS.tolist()
    assert found.predictions.keys() == written.predictions.keys()
    assert all((found.predictions[key] == made).all() for key, made in written.predictions.items())
    assert len(found.trials) == len(written.trials)


def test_trials_are_written_in_one_order_smaller_networks_first(params: Params) -> None:
    trials = small_study(params, LABELS).trials
    content = write_trials(trials)
    assert write_trials(trials[::-1]) == content
    sweep = [trial for trial in parse_trials(content, name="trials.csv") if trial.kind == "sweep"]
    assert [(trial.units, trial.seed) for trial in sweep[:15]] == [
        (units, seed) for units in (16, 128, 1024) for seed in (1, 2, 3, 4, 5)
    ]


@pytest.mark.usefixtures("written")
def test_study_is_read_by_any_reader(params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    assert find_study(params, DATA, lambda path: (tmp_path / path).read_bytes()) is not None


@pytest.mark.usefixtures("written")
def test_study_of_other_data_is_not_found(params: Params) -> None:
    other = DATA.train.model_copy(update={"images_sha256": "56"})
    assert find_study(params, DATA.model_copy(update={"train": other})) is None


@pytest.mark.usefixtures("written")
def test_study_that_is_still_to_be_made_is_not_found(params: Params) -> None:
    STUDY.write_text("{}\n")
    assert find_study(params, DATA) is None


@pytest.mark.usefixtures("written")
def test_model_that_is_now_trained_otherwise_is_left_out(params: Params) -> None:
    cnn = params.train["cnn"]

    def with_cnn(**changed: Any) -> Params:
        return params.model_copy(update={"train": {**params.train, "cnn": cnn.model_copy(update=changed)}})

    found = find_study(with_cnn(epochs=cnn.epochs + 1), DATA)
    assert found is not None
    assert {model for _, model in found.predictions} == {trial.model for trial in found.trials} == {"dense"}
    found = find_study(with_cnn(seed=cnn.seed + 1), DATA)  # which a study sets itself
    assert found is not None
    assert {model for _, model in found.predictions} == {"dense", "cnn"}


@pytest.mark.usefixtures("written")
def test_study_of_none_of_the_models_is_not_found(params: Params) -> None:
    otherwise = {name: section.model_copy(update={"epochs": 99}) for name, section in params.train.items()}
    assert find_study(params.model_copy(update={"train": otherwise}), DATA) is None


@pytest.mark.usefixtures("written")
def test_file_that_is_not_the_one_described_is_named(params: Params) -> None:
    name = next(path for path in read_json(STUDY)["files"] if path != STUDY_TRIALS.as_posix())
    Path(name).write_bytes(Path(name).read_bytes() + b"0\n")
    with pytest.raises(StudyError, match=f"{name}: is not what {STUDY} describes"):
        find_study(params, DATA)
    Path(name).unlink()
    with pytest.raises(ArtifactError, match=name):
        find_study(params, DATA)
