"""The convolutional network: two rounds of convolution and pooling, then dense layers."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from fashion_mnist.data.split import Shape
from fashion_mnist.errors import ParamsError
from fashion_mnist.params.fields import Count
from fashion_mnist.params.training import TrainingParams

if TYPE_CHECKING:
    import keras

POOLED = 4  # pixels that become one


class Params(TrainingParams):
    """filters: of each convolution. kernel_size: in pixels. units: of the hidden layer."""

    filters: Annotated[tuple[Count, Count], Field(strict=False)]
    kernel_size: Count
    units: Count


def build(params: Params, *, shape: Shape, classes: int) -> "keras.Model":
    """Build the convolutional network.

    With 32 and 64 filters, a 3x3 kernel and 128 units, on Fashion-MNIST: 421,642 parameters. The source article reports
    0.97 on train and 0.91 on test after 10 epochs.
    """
    import keras
    from keras import layers

    _check_fit(params, shape)
    precision = {"dtype": params.precision}
    convolution = {"kernel_size": params.kernel_size, "padding": "same", "activation": "relu", **precision}
    first, second = params.filters
    return keras.Sequential(
        [
            layers.Input(shape, name="images"),
            layers.Conv2D(first, name="convolution_1", **convolution),
            layers.MaxPooling2D(pool_size=2, strides=2, name="pooling_1", **precision),
            layers.Conv2D(second, name="convolution_2", **convolution),
            layers.MaxPooling2D(pool_size=2, strides=2, name="pooling_2", **precision),
            layers.Flatten(name="flatten", **precision),
            layers.Dense(params.units, activation="relu", name="hidden", **precision),
            # Softmax needs the range and the digits of float32 whatever the other layers compute in.
            layers.Dense(classes, activation="softmax", name="classes", dtype="float32"),
        ],
        name="cnn",
    )


def _check_fit(params: Params, shape: Shape) -> None:
    """Raise ParamsError for images that nothing is left of, or that are smaller than a kernel."""
    height, width, _ = shape
    least = max(POOLED, params.kernel_size)
    if min(height, width) < least:
        raise ParamsError(
            f"the network cnn needs images of at least {least}x{least} pixels, for two poolings and a kernel of "
            f"{params.kernel_size}; found {width}x{height}. Set normalize.size, or train another network"
        )
