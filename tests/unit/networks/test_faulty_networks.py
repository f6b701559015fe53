"""A network's file that is none: each fault is told in one line that names the file."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fashion_mnist import networks
from fashion_mnist.errors import ParamsError
from fashion_mnist.networks import build, find_network
from fashion_mnist.params.training import TrainingParams
from tests.unit.small_networks import CLASSES, SHAPE

BEGIN = """
import keras
from keras import layers
from fashion_mnist.params.training import TrainingParams as Params

def sequential(*parts, shape=(28, 28, 1)):
    return keras.Sequential([layers.Input(shape), layers.Flatten(), *parts])

class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.last = layers.Dense(10, activation="softmax")
    def call(self, images):
        return self.last(keras.ops.reshape(images, (-1, 784)))

def own():
    model = Own()
    model(keras.ops.zeros((1, 28, 28, 1)))
    return model

def build(params, *, shape, classes):
    return """
FAULTS = {
    "raises": ("1 / 0", "builds no network: division by zero"),
    "is no model": ("3", "builds int; expected a keras.Model"),
    "has no input": (
        "keras.Sequential([layers.Flatten(), layers.Dense(10)])",
        "takes nothing, for it begins without layers.Input",
    ),
    "takes other images": ("sequential(layers.Dense(10), shape=(8, 8, 1))", "takes (8, 8, 1); expected images of"),
    "has other outputs": ("sequential(layers.Dense(3, 'softmax'))", "gives (3,) for an image; expected a probability"),
    "learns nothing": ("sequential(layers.Dense(10, 'softmax', trainable=False))", "has no trainable weights"),
    "gives no probabilities": ("sequential(layers.Dense(10, 'sigmoid'))", "gives values that sum to"),
    "gives logits": ("sequential(layers.Dense(10))", "gives values that sum to"),
    "is written as a class": ("own()", "src/fashion_mnist/networks/faulty.py"),
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a network called faulty is looked for."""
    monkeypatch.setattr(networks, "__path__", [*networks.__path__, str(tmp_path)])
    yield tmp_path / "faulty.py"
    sys.modules.pop("fashion_mnist.networks.faulty", None)


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_network_is_told_in_one_line(file: Path, fault: str) -> None:
    built, said = FAULTS[fault]
    file.write_text(BEGIN + built)
    with pytest.raises(ParamsError) as refused:
        build(TrainingParams(network="faulty", epochs=1), shape=SHAPE, classes=CLASSES)
    assert str(refused.value).startswith("src/fashion_mnist/networks/faulty.py ")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import no_such_package", "does not import: No module named 'no_such_package'"),
        ("def build(", "does not import: "),
        ("from fashion_mnist.params.training import TrainingParams as Params", "holds no build"),
        ("def build(): ...", "holds no Params"),
        ("class Params: ...\ndef build(): ...", "a Params that is no TrainingParams"),
    ],
)
def test_file_that_offers_no_network_is_named(file: Path, text: str, said: str) -> None:
    file.write_text(text)
    with pytest.raises(ParamsError) as refused:
        find_network("faulty")
    assert str(refused.value).startswith("src/fashion_mnist/networks/faulty.py ")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
