"""Look at a network: what an image costs it, and what its layers make of one."""

import math

import keras
import numpy as np

from fashion_mnist.data.split import Floats
from fashion_mnist.training.inference import ROWS

KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")


def multiply_adds(model: keras.Model) -> int:
    """Count the multiply-adds that one image costs in convolutions and dense layers; the rest is small beside them."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.Model):  # a network within the network
            total += multiply_adds(layer)
        elif kernels := [getattr(layer, name).shape for name in KERNELS if hasattr(layer, name)]:
            total += math.prod(layer.output.shape[1:-1]) * sum(map(math.prod, kernels))
    return total


def look_inside(model: keras.Model, image: Floats) -> dict[str, Floats]:
    """Follow one image, shape (height, width, channels), through a network as far as it stays an image.

    Returns `maps/LAYER`, shape (height, width, channels), for each such layer, in order; before the first, if it is a
    convolution, its `kernels/LAYER`, shape (height, width, filters), the mean over the image's channels. Empty for a
    network that has no such layer.
    """
    seen: dict[str, Floats] = {}
    # Not a network within the network: what it calls its output is not connected to this network's input.
    layers_of_images = [
        layer for layer in model.layers if not isinstance(layer, keras.Model) and len(layer.output.shape) == 4
    ]
    if not layers_of_images:
        return seen
    part = keras.Model(model.inputs[0], {layer.name: layer.output for layer in layers_of_images})
    # As many copies as a batch of predictions has at least, since its bits depend on no cache.
    outputs = part(np.repeat(image[np.newaxis], ROWS, axis=0))
    for layer in layers_of_images:
        if hasattr(layer, "kernel") and not seen:
            seen[f"kernels/{layer.name}"] = np.array(layer.kernel, np.float32).mean(axis=2)
        seen[f"maps/{layer.name}"] = np.array(outputs[layer.name][0], np.float32)
    return seen
