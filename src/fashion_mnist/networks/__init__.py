"""The networks, one file for each: its typed parameters, `Params`, and `build`, which makes it from them.

A network is found by the name of its file. These files import Keras only when they build, so that params.yaml can be
checked without TensorFlow.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Protocol

from fashion_mnist.data.split import Shape
from fashion_mnist.errors import ParamsError, innermost
from fashion_mnist.params.training import TrainingParams

if TYPE_CHECKING:
    import keras


PLACE = "src/fashion_mnist/networks"


class Network(Protocol):
    """What a file in this folder offers."""

    Params: type[Any]

    def build(self, params: Any, *, shape: Shape, classes: int) -> "keras.Model":
        """Build the network; it maps images of shape (n, *shape) to probabilities of shape (n, classes)."""


def network_names() -> list[str]:
    """List every network, in the order of the alphabet."""
    return sorted(module.name for module in iter_modules(__path__))


def find_network(name: str) -> Network:
    """Return a network by the name of its file. Raises ParamsError if the file does not import or offers none."""
    place = f"{PLACE}/{name}.py"
    try:
        network: Network = import_module(f"{__name__}.{name}")
    except Exception as error:
        raise ParamsError(f"{place} does not import: {innermost(error)}. Mend it, or name another network") from error
    if missing := [part for part in ("Params", "build") if not callable(getattr(network, part, None))]:
        raise ParamsError(f"{place} holds no {missing[0]}; expected a class Params and a function build")
    if not (isinstance(network.Params, type) and issubclass(network.Params, TrainingParams)):
        raise ParamsError(f"{place} holds a Params that is no TrainingParams; expected `class Params(TrainingParams)`")
    return network


def build(params: Any, *, shape: Shape, classes: int) -> "keras.Model":
    """Build the network that a section of params.yaml describes.

    shape: height, width and channels of an image. Raises ParamsError if the network is not for such images, or is none.
    Layers carry names of their own: Keras would number them by what else the process has built.
    """
    place = f"{PLACE}/{params.network}.py"
    try:
        model = find_network(params.network).build(params, shape=shape, classes=classes)
        fault = _fault_of(model, shape=shape, classes=classes)
    except ParamsError:
        raise
    except Exception as error:
        raise ParamsError(f"{place} builds no network: {innermost(error)}. Mend it, or name another one") from error
    if fault:
        raise ParamsError(f"{place} {fault}")
    return model


def _fault_of(model: Any, *, shape: Shape, classes: int) -> str | None:
    """Say what is wrong with what a file built; None if it is a network for such images and classes."""
    import keras
    import numpy as np

    if not isinstance(model, keras.Model):
        return f"builds {type(model).__name__}; expected a keras.Model"
    if not model.built or model.input_shape != (None, *shape):
        found = model.input_shape[1:] if model.built else "nothing, for it begins without layers.Input"
        return f"takes {found}; expected images of shape {shape}"
    if model.output_shape != (None, classes):
        return f"gives {model.output_shape[1:]} for an image; expected a probability for each of {classes} classes"
    if not model.trainable_weights:
        return "has no trainable weights; expected some, since it is to be trained"
    drawn = np.random.default_rng(0).random((2, *shape), np.float32)
    sums = np.asarray(model(drawn, training=False), np.float32).sum(axis=1)
    if not np.allclose(sums, 1, atol=0.01):
        return f"gives values that sum to {sums[0]:.3g}; expected probabilities, as a last layer with softmax gives"
    return None
