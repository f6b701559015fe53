"""Export a model for other programs: models/MODEL/model.keras -> FILE, for ONNX Runtime, LiteRT or TensorFlow.

The export is checked before it is written: on images of validation, it must name the same classes as the model. It
holds the names of the classes, how pixels are scaled, and the sha256 of the model that it was made from, as JSON under
the name `fashion_mnist` (in the folder of a SavedModel: assets.extra/fashion_mnist.json).
"""

import hashlib
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fashion_mnist.data.split import Floats
from fashion_mnist.errors import ArtifactError, innermost, shorten
from pipeline.bytes.descriptions import read_dataset
from pipeline.bytes.formats import read_split
from pipeline.runtime.command import parser_of, quiet_import, run, say
from pipeline.runtime.files import read_bytes, write_bytes
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import archive_of, recipe_files

SAMPLE = 500  # images of validation, at most
LONGEST_REASON = 200  # characters of what a converter says
NAME = "fashion_mnist"
SAVED_MODEL = "saved_model.pb"
Classifier = Callable[[Floats], Floats]


class Format(NamedTuple):
    """A format: how to write a network as a file, how to load that as a function, and what it needs.

    write: from the network, a path and the metadata as text. repeats: whether two exports are the same bytes.
    """

    suffix: str
    write: Callable[[Any, Path, str], None]
    load: Callable[[Path], Classifier]
    packages: tuple[str, ...]
    repeats: bool


def main(argv: Sequence[str] | None = None) -> None:
    """Export, check, and only then put the file in its place."""
    parser = parser_of(__doc__)
    parser.add_argument("model", metavar="MODEL", help="a section under train or recipes")
    parser.add_argument("--format", choices=FORMATS, required=True)
    parser.add_argument("file", type=Path, metavar="FILE", help="the file to write; of a saved_model, the folder")
    options = parser.parse_args(argv)
    chosen = FORMATS[options.format]
    if missing := [package for package in chosen.packages if find_spec(package) is None]:
        raise ArtifactError(
            f"{options.format}: the package {missing[0]} is missing; run `pip install {' '.join(chosen.packages)}`"
        )
    params = read_params()
    params.training_of(options.model)
    path = archive_of(options.model) if options.model in params.train else recipe_files(options.model)[0]
    archive, described = read_bytes(path), read_dataset("validation")
    with quiet_import():
        from fashion_mnist.training.archive import from_archive
        from fashion_mnist.training.determinism import configure_tensorflow
        from fashion_mnist.training.inference import predict

    configure_tensorflow(seed=0, workers=1)
    network, images = from_archive(archive, name=str(path)), read_split("validation").images[:SAMPLE]
    metadata = {
        "classes": described.classes,
        "pixels": "float32 from 0 to 1: whole numbers from 0 to 255, divided by 255",
        "sha256": hashlib.sha256(archive).hexdigest(),
    }
    with tempfile.TemporaryDirectory() as scratch, quiet_import(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow 2.21 warns that 2.20 has no interpreter, NumPy of tf2onnx
        exported = Path(scratch) / f"export{chosen.suffix}"
        network(images[:1])  # Keras exports to ONNX only what has been called
        try:
            chosen.write(network, exported, json.dumps(metadata))
            found = chosen.load(exported)(np.array(images))
        except Exception as error:  # a converter that does not know a layer raises what it likes
            reason = shorten(innermost(error), LONGEST_REASON).rstrip(".")
            raise ArtifactError(f"{options.format}: cannot hold this network ({reason}); try another format") from error
        expected = predict(network, images)
        others = np.count_nonzero(expected.argmax(axis=1) != found.argmax(axis=1))
        if others:
            raise ArtifactError(f"{options.format}: {others} of {len(images)} images get another class; expected none")
        put(exported, options.file)
    difference = float(np.abs(expected - found).max())
    say(f"{options.file}: the same class for {len(images)} images of validation, probabilities within {difference:.1g}")
    if not chosen.repeats:
        say(f"{options.format}: another export of the same model has other bytes")


def put(exported: Path, target: Path) -> None:
    """Move an export to its place. Raises ArtifactError if something else stands there."""
    if exported.is_file():
        write_bytes(exported.read_bytes(), target)
        return
    if target.exists() and not (target / SAVED_MODEL).is_file():
        raise ArtifactError(f"{target}: is there and holds no {SAVED_MODEL}; expected a new folder, or a former export")
    target.absolute().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix=".") as scratch:
        written = shutil.copytree(exported, Path(scratch) / "new")
        if target.exists():
            target.rename(Path(scratch) / "former")
        written.rename(target)


def write_litert(network: Any, path: Path, metadata: str) -> None:
    """Write a LiteRT file, with the metadata among its own."""
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    network.export(str(path), format="litert", verbose=False)
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(path.read_bytes()))
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(metadata.encode(), np.uint8)
    model.buffers.append(buffer)
    entry = schema.MetadataT(name=NAME.encode(), buffer=len(model.buffers) - 1)
    model.metadata = [*(model.metadata or []), entry]
    path.write_bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def load_litert(path: Path) -> Classifier:
    """Load a LiteRT file."""
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(model_path=str(path), num_threads=1)
    source, target = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def classify(images: Floats) -> Floats:
        interpreter.resize_tensor_input(source, images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(source, images)
        interpreter.invoke()
        answer: Floats = interpreter.get_tensor(target)
        return answer

    return classify


def write_onnx(network: Any, path: Path, metadata: str) -> None:
    """Write an ONNX file, with the metadata among its properties."""
    import onnx

    network.export(str(path), format="onnx", verbose=False)
    model = onnx.load(str(path))
    model.metadata_props.add(key=NAME, value=metadata)
    onnx.save(model, str(path))


def load_onnx(path: Path) -> Classifier:
    """Load an ONNX file."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (source,) = session.get_inputs()

    def classify(images: Floats) -> Floats:
        answer: Floats = session.run(None, {source.name: images})[0]
        return answer

    return classify


def write_saved_model(network: Any, path: Path, metadata: str) -> None:
    """Write a SavedModel, with the metadata as a file of its own."""
    network.export(str(path), format="tf_saved_model", verbose=False)
    extra = path / "assets.extra"
    extra.mkdir()
    (extra / f"{NAME}.json").write_text(metadata)


def load_saved_model(path: Path) -> Classifier:
    """Load a SavedModel."""
    import tensorflow as tf

    loaded = tf.saved_model.load(os.fspath(path))
    return lambda images: np.asarray(loaded.serve(tf.constant(images)))


FORMATS = {
    "onnx": Format(".onnx", write_onnx, load_onnx, ("onnx", "tf2onnx", "onnxruntime"), repeats=False),
    "litert": Format(".tflite", write_litert, load_litert, (), repeats=True),
    "saved_model": Format("", write_saved_model, load_saved_model, (), repeats=False),
}

if __name__ == "__main__":
    run(main)
