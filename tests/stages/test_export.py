"""Exports: each is checked against the model, says what it was made from, and replaces only a former one."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tensorflow as tf
from tensorflow.lite.tools import flatbuffer_utils

from fashion_mnist.errors import ArtifactError, ParamsError
from pipeline.tools import export
from tests.stages.conftest import Reproduced

GARMENTS = 10


@pytest.fixture
def folder(reproduced: Reproduced, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace in which every stage ran, as the current folder; not to be changed."""
    monkeypatch.chdir(reproduced.folder)
    return reproduced.folder


def metadata_of(path: Path) -> Any:
    """Return what an export says of itself."""
    if path.is_dir():
        return json.loads((path / "assets.extra/fashion_mnist.json").read_text())
    if path.suffix == ".onnx":
        (found,) = [entry.value for entry in onnx.load(path).metadata_props if entry.key == "fashion_mnist"]
        return json.loads(found)
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(path.read_bytes()))
    (buffer,) = [entry.buffer for entry in model.metadata if entry.name == b"fashion_mnist"]
    return json.loads(bytes(model.buffers[buffer].data))


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
@pytest.mark.parametrize("name", ["model.tflite", "model.onnx", "model"])
def test_export_answers_as_the_model_and_says_what_it_is(
    name: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = {".tflite": "litert", ".onnx": "onnx", "": "saved_model"}[Path(name).suffix]
    export.main(["cnn", "--format", chosen, str(tmp_path / name)])
    said = capsys.readouterr().out
    assert "the same class for 40 images of validation" in said
    images = np.load(folder / "data/normalized/test/images.npy")
    found = export.FORMATS[chosen].load(tmp_path / name)(images)
    assert found.shape == (50, GARMENTS)
    assert np.allclose(found.sum(axis=1), 1, atol=1e-5)
    metadata = metadata_of(tmp_path / name)
    assert len(metadata["classes"]) == GARMENTS
    assert metadata["sha256"] == hashlib.sha256((folder / "models/cnn/model.keras").read_bytes()).hexdigest()
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.usefixtures("folder")
def test_litert_export_repeats_byte_for_byte(tmp_path: Path) -> None:
    for name in ("a", "b"):
        export.main(["dense", "--format", "litert", str(tmp_path / name)])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.usefixtures("folder")
def test_former_saved_model_is_replaced_and_another_folder_is_not(tmp_path: Path) -> None:
    for _ in range(2):
        export.main(["dense", "--format", "saved_model", str(tmp_path / "model")])
    assert tf.saved_model.contains_saved_model(str(tmp_path / "model"))
    (tmp_path / "own").mkdir()
    (tmp_path / "own/kept.txt").write_text("mine")
    with pytest.raises(ArtifactError, match=r"own: is there and holds no saved_model\.pb; expected a new folder"):
        export.main(["dense", "--format", "saved_model", str(tmp_path / "own")])
    assert sorted(path.name for path in tmp_path.rglob("*.txt")) == ["kept.txt"]


@pytest.mark.usefixtures("folder")
def test_export_that_answers_otherwise_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sure = np.eye(GARMENTS, dtype=np.float32)
    wrong = export.FORMATS["litert"]._replace(load=lambda _: lambda images: sure[[0] * len(images)])
    monkeypatch.setitem(export.FORMATS, "litert", wrong)
    with pytest.raises(ArtifactError, match=r"^litert: \d+ of 40 images get another class; expected none$"):
        export.main(["dense", "--format", "litert", str(tmp_path / "model.tflite")])
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("folder")
def test_missing_package_and_model_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ParamsError, match=r"train\.other is missing; expected one of dense, cnn"):
        export.main(["other", "--format", "litert", str(tmp_path / "model.tflite")])
    monkeypatch.setattr(export, "find_spec", lambda name: None if name == "tf2onnx" else name)
    with pytest.raises(ArtifactError, match=r"^onnx: the package tf2onnx is missing; run `pip install onnx tf2onnx"):
        export.main(["cnn", "--format", "onnx", str(tmp_path / "model.onnx")])
    assert not list(tmp_path.iterdir())
