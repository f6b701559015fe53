"""Archives load in older releases of Keras, with a TensorFlow of their time: the same class for every image."""

import os
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from fashion_mnist.data.split import Floats
from fashion_mnist.networks import residual
from fashion_mnist.training.archive import from_archive, to_archive
from fashion_mnist.training.inference import predict
from pipeline.tools.demo import PROJECT

pytestmark = pytest.mark.slow

LOAD = """
import sys
import keras, numpy
for path in sys.argv[1:]:
    model = keras.models.load_model(path, compile=False, safe_mode=True)
    numpy.save(path + ".npy", model.predict(numpy.load("images.npy"), verbose=0))
print(keras.__version__)
"""


def many_layers() -> keras.Model:
    """A network of the layers that docs/networks.md names, with some arguments at their default and some not."""
    return keras.Sequential(
        [
            layers.Input((28, 28, 1), name="images"),
            layers.Rescaling(2.0),
            layers.RandomFlip("horizontal"),
            layers.RandomTranslation(0.1, 0.1, fill_mode="constant"),
            layers.RandomRotation(0.1),
            layers.RandomZoom(0.1),
            layers.RandomContrast(0.1),
            layers.GaussianNoise(0.1),
            layers.Conv2D(4, 3, kernel_initializer="he_normal", kernel_regularizer="l2"),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.SpatialDropout2D(0.1),
            layers.DepthwiseConv2D(3),
            layers.SeparableConv2D(4, 3, bias_initializer=keras.initializers.Constant(0.5)),
            layers.AveragePooling2D(2),
            layers.LayerNormalization(),
            layers.Conv2DTranspose(3, 2),
            layers.PReLU(),
            layers.GroupNormalization(groups=3),
            layers.GlobalMaxPooling2D(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax", dtype="float32"),
        ]
    )


def small_residual() -> keras.Model:
    chosen = residual.Params(network="residual", epochs=1, filters=(4, 4, 4), blocks=(1, 1), shift=2, mirror=True)
    return residual.build(chosen, shape=(28, 28, 1), classes=10)


@pytest.fixture(scope="module")
def archives(tracked: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Floats]:
    """The archives of trained and of drawn networks, and what each answers here about all images of test."""
    folder = tmp_path_factory.mktemp("archives")
    images = np.load(tracked / "data/normalized/test/images.npy")
    np.save(folder / "images.npy", images)
    written = {path.parent.name: path.read_bytes() for path in tracked.glob("models/*/model.keras")}
    assert len(written) == 2
    written |= {"many": to_archive(many_layers()), "residual": to_archive(small_residual())}
    answers = {}
    for name, content in written.items():
        path = folder / f"{name}.keras"
        path.write_bytes(content)
        answers[path] = predict(from_archive(content, name=name), images)
    return answers


@pytest.mark.parametrize("release", ["3.8", "3.12"])
def test_archives_give_the_same_classes_in_an_older_keras(release: str, archives: dict[Path, Floats]) -> None:
    python = PROJECT / f".venv-keras/{release}/bin/python"
    if not python.exists():  # as with Python 3.13, for which TensorFlow 2.18 has no build
        pytest.skip(f"Keras {release} is not installed: make .venv-keras/{release}/ready")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [str(python), "-c", LOAD, *map(str, archives)]
    folder = next(iter(archives)).parent
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith(f"{release}.")
    for path, expected in archives.items():
        found = np.load(f"{path}.npy")
        assert (found.argmax(axis=1) == expected.argmax(axis=1)).all(), path.name
        assert np.abs(found - expected).max() < 1e-5, path.name
