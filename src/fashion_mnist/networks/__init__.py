"""The networks, one file for each: its typed parameters, `Params`, and `build`, which makes it from them.

A network is found by the name of its file. These files import Keras only when they build, so that params.yaml can be
checked without TensorFlow.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Protocol

from fashion_mnist.data.split import Shape

if TYPE_CHECKING:
    import keras


class Network(Protocol):
    """What a file in this folder offers."""

    Params: type[Any]

    def build(self, params: Any, *, shape: Shape, classes: int) -> "keras.Model":
        """Build the network; it maps images of shape (n, *shape) to probabilities of shape (n, classes)."""


def network_names() -> list[str]:
    """List every network, in the order of the alphabet."""
    return sorted(module.name for module in iter_modules(__path__))


def find_network(name: str) -> Network:
    """Return a network by the name of its file."""
    network: Network = import_module(f"{__name__}.{name}")
    return network


def build(params: Any, *, shape: Shape, classes: int) -> "keras.Model":
    """Build the network that a section of params.yaml describes.

    shape: height, width and channels of an image. Raises ParamsError if the network is not for such images.
    Layers carry names of their own: Keras would number them by what else the process has built.
    """
    return find_network(params.network).build(params, shape=shape, classes=classes)
