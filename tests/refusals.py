"""Wrong inputs of parsers that have no tests of their own; tests/stages/test_refusals.py judges the answers."""

import pipeline  # noqa: F401 - first, since it puts the library beside it on the path

# isort: split
import io
import pickle
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from fashion_mnist.errors import PipelineError
from fashion_mnist.sources.idx import encode_idx
from pipeline.bytes.formats import parse_csv, parse_json, read_arrays
from pipeline.runtime.lock import read_lock
from pipeline.runtime.parameters import read_params
from pipeline.runtime.tables import PREDICTION_COLUMNS
from pipeline.study.tables import parse_replicates, parse_trials
from pipeline.tools.demo import PROJECT
from pipeline.tools.predict import check_input, read_images

PARAMS = (PROJECT / "tests/params.yaml").read_text()
CSV = "label,prediction,confidence\n1,1,0.900000\n2,3,0.500000\n"
LOCK = "schema: '2.0'\nstages:\n  download:\n    cmd: x\n    outs:\n    - path: data/raw\n      md5: abc.dir\n"
TRIALS = "kind,model,units,seed,cut,epoch,loss,accuracy,val_loss,val_accuracy\n"


class Group(NamedTuple):
    """Inputs of one kind: the file that they are put into, how that is read, and the inputs by what is wrong.

    reasons: what the answer to some of them must hold, by what is wrong.
    """

    kind: str
    path: str
    read: Callable[[str], object]
    inputs: Mapping[str, "bytes | Callable[[Path], object]"]
    reasons: Mapping[str, str] = MappingProxyType({})


def changed(old: str, new: str) -> bytes:
    """Return params.yaml with one text replaced, which must be there."""
    assert old in PARAMS, old
    return PARAMS.replace(old, new, 1).encode()


def png(size: tuple[int, int] = (28, 28)) -> bytes:
    """Return a PNG."""
    target = io.BytesIO()
    Image.new("L", size).save(target, "PNG")
    return target.getvalue()


def with_size(content: bytes, width: int, height: int) -> bytes:
    """Return a PNG that says to be of another size."""
    import zlib

    header = b"IHDR" + struct.pack(">II", width, height) + content[24:29]
    return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]


def saved(**arrays: Any) -> bytes:
    """Return arrays as one file."""
    target = io.BytesIO()
    np.savez(target, **arrays)
    return target.getvalue()


def pictures(path: str) -> object:
    """Read what `predict` is given."""
    check_input(Path(path))
    return list(read_images(Path(path), shape=(28, 28, 1), is_resampled=False)[1])


TABLE = Group(
    "a table",
    "reports/predictions/cnn.csv",
    lambda path: parse_csv(Path(path).read_bytes(), columns=PREDICTION_COLUMNS, name=path),
    {
        "an empty file": b"",
        "other columns": CSV.replace("prediction", "predicted").encode(),
        "columns in another order": b"prediction,label,confidence\n1,1,0.9\n",
        "semicolons": CSV.replace(",", ";").encode(),
        "cut within a line": CSV[:-5].encode(),
        "a word for a number": CSV.replace("1,1", "1,shirt").encode(),
        "NaN": CSV.replace("0.500000", "nan").encode(),
        "a number beyond all": CSV.replace("0.5", "1e999").encode(),
        "half a label": CSV.replace("2,3", "2.5,3").encode(),
        "a negative label": CSV.replace("2,3", "-2,3").encode(),
        "label 70000": CSV.replace("2,3", "70000,3").encode(),
        "a value too few in a line": CSV.replace("2,3,", "2,").encode(),
        "a value too many in each line": b"label,prediction,confidence\n1,1,0.9,7\n",
        "UTF-16": CSV.encode("utf-16"),
    },
    {
        "cut within a line": "it ends within a line",
        "a word for a number": "could not convert string",
        "NaN": "it holds NaN or infinity",
        "a negative label": "label holds values other than uint16",
    },
)
DOCUMENT = Group(
    "a document",
    "reports/comparison.json",
    lambda path: parse_json(Path(path).read_bytes(), name=path),
    {
        "an empty file": b"",
        "cut off": b'{"difference": 0.0',
        "Python in place of JSON": b"{'difference': None}",
        "a comma too many": b'{"difference": 0.1,}',
        "two documents": b"{} {}",
        "thousands of open brackets": b"[" * 100_000,
        "bytes of a picture": png(),
    },
)
PARAMETERS = Group(
    "parameters",
    "params.yaml",
    lambda _: read_params(),
    {
        "an empty file": b"",
        "a bracket left open": b"train: [dense\n",
        "a tab": changed("  dense:\n", "\tdense:\n"),
        "a key twice": changed("  seed: 20", "  seed: 20\n  seed: 21"),
        "the 40th of a month": changed("seed: 20", "seed: 2026-01-40"),
        "thousands of open brackets": b"train: " + b"[" * 3000,
        "bytes of a picture": png(),
    },
)
RECORD = Group(
    "what DVC recorded",
    "dvc.lock",
    lambda _: read_lock(),
    {
        "an empty file": b"",
        "cut off": LOCK[:60].encode(),
        "marks of a merge": f"<<<<<<< HEAD\n{LOCK}=======\n>>>>>>> main\n".encode(),
        "a list": b"- download\n",
        "stages as a list": b"stages: [download]\n",
        "nothing for stages": b"stages:\n",
        "a bracket left open": b"stages: [",
        "an output without md5": LOCK.replace("md5", "md4").encode(),
        "a number for an md5": LOCK.replace("abc.dir", "7").encode(),
        "bytes of a picture": png(),
    },
    {"marks of a merge": "holds the marks of a merge", "cut off": "is damaged", "a bracket left open": "is damaged"},
)
PICTURES = Group(
    "pictures for `predict`",
    "pictures",
    pictures,
    {
        "no such path": lambda path: None,  # noqa: ARG005
        "an empty folder": lambda path: path.mkdir(),
        "a folder of other files": lambda path: put(path / "shirt.bmp", png()),
        "a text named .png": lambda path: put(path / "shirt.png", b"a shirt"),
        "a folder named .png": lambda path: (path / "shirt.png").mkdir(parents=True),
        "another size": lambda path: put(path / "shirt.png", png((28, 27))),
        "a size of ten billion pixels": lambda path: put(path / "shirt.png", with_size(png(), 100_000, 100_000)),
        "IDX of another size": lambda path: put(path, encode_idx(np.zeros((2, 28, 27), np.uint8))),
        "IDX without images": lambda path: put(path, encode_idx(np.zeros((0, 28, 28), np.uint8))),
        "IDX of labels": lambda path: put(path, encode_idx(np.zeros(9, np.uint8))),
    },
)
ARRAYS = Group(
    "arrays",
    "reports/arrays.npz",
    lambda path: read_arrays(Path(path)),
    {
        "an empty file": b"",
        "a text": b"no arrays",
        "a pickle": pickle.dumps([1]),
        "an array of objects": saved(images=np.array([{}, []], dtype=object)),
        "cut off": saved(images=np.zeros(9))[:-40],
    },
)
STUDY = Group(
    "trials of a study",
    "reports/study/trials.csv",
    lambda path: parse_trials(Path(path).read_bytes(), name=path),
    {
        "other columns": TRIALS.replace("units", "unit").encode(),
        "a value too few": TRIALS.encode() + b"replicate,dense,128,1\n",
        "an unknown kind": TRIALS.encode() + b"another,dense,128,1,,1,0.5,0.8,0.6,0.7\n",
        "a word for an epoch": TRIALS.encode() + b"replicate,dense,128,1,,one,0.5,0.8,0.6,0.7\n",
    },
)
REPLICATES = Group(
    "replicates of a study",
    "reports/study/predictions/replicate/cnn.csv",
    lambda path: parse_replicates(Path(path).read_bytes(), name=path),
    {
        "other columns": b"labels,1\n0,0\n",
        "a seed twice": b"label,1,1\n0,0,0\n",
        "class 70000": b"label,1\n0,70000\n",
        "a value too few": b"label,1,2\n0,0\n",
    },
    {"other columns": "expected label, then one for each seed"},
)
GROUPS = (PARAMETERS, TABLE, DOCUMENT, RECORD, PICTURES, ARRAYS, STUDY, REPLICATES)


def put(path: Path, content: bytes) -> None:
    """Write a file, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def cases() -> Iterator[tuple[Group, str]]:
    """List all inputs: their group, and what is wrong."""
    yield from ((group, wrong) for group in GROUPS for wrong in group.inputs)


def answer(group: Group, wrong: str) -> str:
    """Return the line that an input is answered with, in an empty folder. Raises AssertionError where it is read."""
    given = group.inputs[wrong]
    try:
        if callable(given):
            given(Path(group.path))
            group.read(group.path)
        else:
            put(Path(group.path), given)
            group.read(group.path)
    except PipelineError as error:
        return str(error)
    raise AssertionError(f"{group.kind}, {wrong}: read as if all were well")
