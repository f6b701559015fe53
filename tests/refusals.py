"""Inputs that are wrong, made by hand, and how each is read; tests/stages/test_refusals.py judges the answers."""

import pipeline  # noqa: F401 - first, since it puts the library beside it on the path

# isort: split
import gzip
import io
import json
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from mlflow.exceptions import MlflowException
from PIL import Image

from fashion_mnist.errors import PipelineError
from fashion_mnist.sources.idx import decode_idx, encode_idx
from fashion_mnist.training.archive import from_archive
from pipeline.bytes.formats import parse_csv, parse_json, read_arrays
from pipeline.runtime.lock import read_lock
from pipeline.runtime.parameters import read_params
from pipeline.runtime.tables import PREDICTION_COLUMNS
from pipeline.store.serving import convert_pixels
from pipeline.study.connection import connect
from pipeline.study.tables import parse_replicates, parse_trials
from pipeline.tools.demo import PROJECT
from pipeline.tools.predict import check_input, read_images

PARAMS = (PROJECT / "tests/params.yaml").read_text()
CSV = "label,prediction,confidence\n1,1,0.900000\n2,3,0.500000\n"
LOCK = "schema: '2.0'\nstages:\n  download:\n    cmd: x\n    outs:\n    - path: data/raw\n      md5: abc.dir\n"
TRIALS = "kind,model,units,seed,cut,epoch,loss,accuracy,val_loss,val_accuracy\n"
HEADER = bytes([0, 0, 8, 3])


class Group(NamedTuple):
    """Inputs of one kind: the file that they are put into, how that is read, and the inputs by what is wrong."""

    kind: str
    path: str
    read: Callable[[str], object]
    inputs: Mapping[str, "bytes | Callable[[Path], object] | list[Any]"]


def changed(old: str, new: str) -> bytes:
    """Return params.yaml with one text replaced, which must be there."""
    assert old in PARAMS, old
    return PARAMS.replace(old, new, 1).encode()


def packed(*parts: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip archive."""
    target = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(target, "w", compression) as archive:
        warnings.simplefilter("ignore")  # two parts of one name
        for name, content in parts:
            archive.writestr(name, content)
    return target.getvalue()


def network(config: object) -> bytes:
    """Return a .keras archive with a configuration, but without weights in it."""
    parts = (("metadata.json", b"{}"), ("config.json", json.dumps(config).encode()), ("model.weights.h5", b"none"))
    return packed(*parts)


def png(size: tuple[int, int] = (28, 28), mode: str = "L") -> bytes:
    """Return a PNG."""
    target = io.BytesIO()
    Image.new(mode, size).save(target, "PNG")
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


def request(images: list[Any]) -> object:
    """Read a request to the served model."""
    return convert_pixels(images, SimpleNamespace(shape=(-1, 28, 28, 1)))


def square(value: object) -> list[Any]:
    """Return a request with one image, all of whose pixels are the same."""
    return [[[[value]] * 28] * 28]


IDX = Group(
    "images as published",
    "data/raw/t10k-images-idx3-ubyte.gz",
    lambda path: decode_idx(Path(path).read_bytes(), dimensions=3, name=path),
    {
        "an empty file": b"",
        "a web page": b"<html>moved</html>",
        "a web page, compressed": gzip.compress(b"<html>moved</html>"),
        "cut off": encode_idx(np.zeros((9, 28, 28), np.uint8))[:-9],
        "its checksum changed": encode_idx(np.zeros((9, 28, 28), np.uint8))[:-8] + b"12345678",
        "nothing but two bytes, compressed": gzip.compress(b"\0\0"),
        "labels": encode_idx(np.zeros(9, np.uint8)),
        "floats": gzip.compress(bytes([0, 0, 0x0D, 3]) + bytes(12)),
        "lengths that promise more": gzip.compress(HEADER + struct.pack(">III", 9, 28, 28) + bytes(100)),
        "lengths that promise a terabyte": gzip.compress(HEADER + struct.pack(">III", 10**9, 28, 28) + bytes(100)),
        "a value too many": gzip.compress(HEADER + struct.pack(">III", 1, 28, 28) + bytes(785)),
    },
)
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
        "a list": b"- dense\n- cnn\n",
        "a bracket left open": b"train: [dense\n",
        "a tab": changed("  dense:\n", "\tdense:\n"),
        "a key twice": changed("  seed: 20", "  seed: 20\n  seed: 21"),
        "the 40th of a month": changed("seed: 20", "seed: 2026-01-40"),
        "thousands of open brackets": b"train: " + b"[" * 3000,
        "bytes of a picture": png(),
        "a section missing": changed("gate:\n", "gates:\n"),
        "a misspelled key": changed("batch_size: 32", "batchsize: 32"),
        "no epochs": changed("epochs: 5", "epochs: 0"),
        "a word for a number": changed("epochs: 5", "epochs: five"),
        "half an epoch": changed("epochs: 5", "epochs: 2.5"),
        "nothing for a number": changed("epochs: 5", "epochs:"),
        "a negative learning rate": changed("learning_rate: 0.001", "learning_rate: -0.001"),
        "a learning rate beyond all": changed("learning_rate: 0.001", "learning_rate: .inf"),
        "an unknown network": changed("network: dense", "network: densed"),
        "an unknown data set": changed("dataset: fashion_mnist", "dataset: mnist"),
        "an unknown schedule": changed("schedule: constant", "schedule: linear"),
        "bfloat16 on AVX2": changed("precision: float32", "precision: mixed_bfloat16"),
        "a model without a network": changed("    network: dense\n", ""),
        "a recipe with the name of a model": changed("  cnn_one_cycle:", "  cnn:"),
        "a margin of 100 points": changed("margin: 0.012", "margin: 1.2"),
        "validation of 7 images": changed("validation_images: 5000", "validation_images: 7"),
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
        "an output without md5": LOCK.replace("md5", "md4").encode(),
        "a number for an md5": LOCK.replace("abc.dir", "7").encode(),
        "bytes of a picture": png(),
    },
)
LAMBDA = {"module": "keras.layers", "class_name": "Lambda", "config": {}}
ARCHIVE = Group(
    "a network",
    "models/dense/model.keras",
    lambda path: from_archive(Path(path).read_bytes(), name=path),
    {
        "an empty file": b"",
        "a text": b"not a network",
        "a pickle": pickle.dumps({"weights": [1]}),
        "cut off": network({})[:-30],
        "a file beside the network": packed(("config.json", b"{}"), ("install.py", b"")),
        "a path out of the archive": packed(("../../.bashrc", b"")),
        "a part twice": packed(("config.json", b"{}"), ("config.json", b"{}")),
        "a zip bomb": packed(("config.json", b" " * 10**6), compression=zipfile.ZIP_DEFLATED),
        "no configuration": packed(("metadata.json", b"{}")),
        "a configuration that is no JSON": packed(("config.json", b"{")),
        "a Lambda layer": network({"class_name": "Sequential", "config": {"layers": [LAMBDA]}}),
        "a class from elsewhere": network({"module": "os", "class_name": "system"}),
        "a configuration of no network": network(
            {"module": "keras", "class_name": "Sequential", "config": {"layers": []}}
        ),
    },
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
        "an empty .png": lambda path: put(path / "shirt.png", b""),
        "a folder named .png": lambda path: (path / "shirt.png").mkdir(parents=True),
        "a PNG cut off": lambda path: put(path / "shirt.png", png()[:-20]),
        "another size": lambda path: put(path / "shirt.png", png((28, 27))),
        "a size of ten billion pixels": lambda path: put(path / "shirt.png", with_size(png(), 100_000, 100_000)),
        "16 bits for a pixel": lambda path: put(path / "shirt.png", png(mode="I;16")),
        "IDX of another size": lambda path: put(path, encode_idx(np.zeros((2, 28, 27), np.uint8))),
        "IDX without images": lambda path: put(path, encode_idx(np.zeros((0, 28, 28), np.uint8))),
        "IDX of labels": lambda path: put(path, encode_idx(np.zeros(9, np.uint8))),
    },
)
REQUESTS = Group(
    "a request to the served model",
    "",
    lambda path: path,
    {
        "rows of unequal length": [[[1], [2, 3]]],
        "images without the last axis": np.zeros((1, 28, 28), int).tolist(),
        "images of another size": np.zeros((1, 28, 27, 1), int).tolist(),
        "pixels scaled to [0, 1]": square(0.5),
        "a pixel of 256": square(256),
        "a negative pixel": square(-1),
        "words": square("shirt"),
        "truth values": square(True),
        "nothing for a pixel": square(None),
        "no image": [],
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
)
SCHEDULER = Group(
    "the address of a Dask scheduler",
    "scheduler-address",
    lambda path: connect(Path(path).read_text(), say=print),
    {
        "no port": b"127.0.0.1",
        "a word for the port": b"tcp://127.0.0.1:port",
        "a port alone": b"8786",
        "two colons at the end": b"tcp://127.0.0.1:8786:",
        "a web address": b"http://127.0.0.1:8787",
        "TLS without certificates": b"tls://127.0.0.1:8786",
    },
)
GROUPS = (
    PARAMETERS, IDX, TABLE, DOCUMENT, RECORD, ARCHIVE, PICTURES, REQUESTS, ARRAYS, STUDY, REPLICATES, SCHEDULER,
)  # fmt: skip


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
        if isinstance(given, list):
            request(given)
        elif callable(given):
            given(Path(group.path))
            group.read(group.path)
        else:
            put(Path(group.path), given)
            group.read(group.path)
    except PipelineError as error:
        return str(error)
    except MlflowException as error:
        return error.message
    raise AssertionError(f"{group.kind}, {wrong}: read as if all were well")
