"""Files as a machine damages them: a parser gives a value that fits its contract, or an error of ours in one line."""

import copy
import gzip
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from ruamel.yaml import YAML

from fashion_mnist.errors import PipelineError
from fashion_mnist.params import Params
from fashion_mnist.params.parsing import parse_params
from fashion_mnist.sources.idx import decode_idx, encode_idx
from pipeline.bytes.formats import parse_csv, parse_json, read_arrays
from pipeline.runtime.lock import read_lock
from pipeline.runtime.parameters import read_params
from pipeline.runtime.tables import PREDICTION_COLUMNS
from pipeline.study.tables import find_study, parse_replicates, parse_trials
from pipeline.tools.demo import PROJECT
from pipeline.tools.predict import read_picture
from tests.stages.test_study_tables import DATA

MANY = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
LONGEST_LINE = 600
PARAMS = YAML(typ="safe").load(PROJECT / "tests/params.yaml")
CSV = b"label,prediction,confidence\n1,1,0.900000\n2,3,0.500000\n"
TRIALS = (
    b"kind,model,units,seed,cut,epoch,loss,accuracy,val_loss,val_accuracy\n"
    b"replicate,dense,128,1,,1,0.500000,0.800000,0.600000,0.790000\n"
)
LOCK = b"schema: '2.0'\nstages:\n  normalize:\n    cmd: x\n    outs:\n    - path: data/raw\n      md5: abc.dir\n"
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Damage bytes: some replaced, some taken away, some put in."""
    start = draw(st.integers(0, len(whole)))
    end = draw(st.integers(start, min(len(whole), start + 8)))
    return (
        whole[:start]
        + draw(st.binary(max_size=6) | st.sampled_from([b"-1", b"1e400", b"nan", b"[" * 3000]))
        + whole[end:]
    )


@contextmanager
def ours_alone() -> Iterator[None]:
    """Let an error of ours pass if it is one short line; a warning would be more lines."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            yield
        except PipelineError as error:  # not pytest.raises: most inputs may also pass
            assert "\n" not in str(error)  # noqa: PT017
            assert len(str(error)) < LONGEST_LINE  # noqa: PT017


@MANY
@given(st.binary(max_size=60) | damaged(CSV))
def test_table_of_numbers(content: bytes) -> None:
    with ours_alone():
        table = parse_csv(content, columns=PREDICTION_COLUMNS, name="dense.csv")
        assert list(table) == list(PREDICTION_COLUMNS)
        assert (
            {len(column) for column in table.values()} == {content.count(b"\n") - 1}
            or b"#" in content
            or b"\n\n" in content
        )
        assert all(np.isfinite(column).all() for column in table.values())


@MANY
@given(st.binary(max_size=60) | damaged(b'{"accuracy": 0.9, "classes": [1, 2]}'))
def test_document(content: bytes) -> None:
    with ours_alone():
        parse_json(content, name="dense.json")


@MANY
@given(st.binary(max_size=60) | damaged(TRIALS))
def test_trials_of_a_study(content: bytes) -> None:
    with ours_alone():
        for record in parse_trials(content, name="trials.csv"):
            assert {len(column) for column in record.history.values()} == {len(record.history["epoch"])}


@MANY
@given(st.binary(max_size=60) | damaged(b"label,1,2\n0,0,3\n1,1,1\n"))
def test_replicates_of_a_study(content: bytes) -> None:
    with ours_alone():
        labels, predictions = parse_replicates(content, name="dense.csv")
        assert predictions.shape[1:] == labels.shape


@MANY
@given(documents | st.fixed_dictionaries({"data": documents, "train": documents, "files": documents}))
def test_description_of_a_study(description: Any) -> None:
    params = parse_params(PARAMS, source="params.yaml")
    with ours_alone():
        assert find_study(params, DATA, lambda _: json.dumps(description).encode()) is None


@MANY
@given(st.data())
def test_parameters_with_another_value_somewhere(data: st.DataObject) -> None:
    document = copy.deepcopy(PARAMS)
    place: Any = document
    while True:
        key = data.draw(st.sampled_from(sorted(place)))
        if not isinstance(place[key], dict) or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(documents)
    with ours_alone():
        assert isinstance(parse_params(document, source="params.yaml"), Params)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@MANY
@given(content=st.binary(max_size=60) | damaged((PROJECT / "tests/params.yaml").read_bytes()))
def test_parameter_file(content: bytes, here: Path) -> None:
    (here / "params.yaml").write_bytes(content)
    with ours_alone():
        assert isinstance(read_params(), Params)


@MANY
@given(content=st.binary(max_size=60) | damaged(LOCK))
def test_lock(content: bytes, here: Path) -> None:
    (here / "dvc.lock").write_bytes(content)
    with ours_alone():
        assert all(isinstance(md5, str) for record in read_lock().values() for md5 in record.outs.values())


@MANY
@given(st.binary(max_size=60) | damaged(encode_idx(np.zeros((2, 28, 28), np.uint8))))
def test_published_images(content: bytes) -> None:
    for compressed in (content, gzip.compress(content)):
        with ours_alone():
            assert decode_idx(compressed, dimensions=3, name="images.gz").dtype == np.uint8


@MANY
@given(data=st.data())
def test_picture(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "shirt.png"
    Image.fromarray(np.arange(784, dtype=np.uint8).reshape(28, 28)).save(path)
    path.write_bytes(data.draw(st.binary(max_size=60) | damaged(path.read_bytes())))
    with ours_alone():
        pixels = read_picture(path, (28, 28, 1), is_resampled=False)
        assert pixels.shape == (28, 28, 1)
        assert pixels.dtype == np.uint8


@MANY
@given(data=st.data())
def test_arrays(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "arrays.npz"
    np.savez(path, misjudged=np.arange(3))
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    with ours_alone():
        assert isinstance(read_arrays(path), dict)
