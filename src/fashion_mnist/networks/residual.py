"""A small residual network: convolutions that add to what they are given, and images that are moved and mirrored."""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from fashion_mnist.data.split import Shape
from fashion_mnist.params.fields import Count
from fashion_mnist.params.training import TrainingParams

if TYPE_CHECKING:
    import keras

KERNEL = 3  # pixels


class Params(TrainingParams):
    """filters: of the convolutions at full size, at half and at a quarter. blocks: at half and at a quarter.

    shift: in training, an image is moved by up to so many pixels. mirror: in training, half of the images are mirrored.
    """

    filters: Annotated[tuple[Count, Count, Count], Field(strict=False)]
    blocks: Annotated[tuple[Count, Count], Field(strict=False)]
    shift: Annotated[int, Field(ge=0)]
    mirror: bool


def build(params: Params, *, shape: Shape, classes: int) -> "keras.Model":
    """Build the network. Source: He and others 2016, with fewer layers and half the size after the second one."""
    import keras
    from keras import layers

    height, width, _ = shape
    precision: dict[str, Any] = {"dtype": params.precision}

    def convolution(images: Any, filters: int, name: str, *, strides: int = 1) -> Any:
        """Convolve without a bias, which the normalization's own offset replaces."""
        options = {"padding": "same", "strides": strides, "use_bias": False, "kernel_initializer": "he_normal"}
        images = layers.Conv2D(filters, KERNEL, name=f"convolution_{name}", **options, **precision)(images)
        return layers.BatchNormalization(momentum=0.9, name=f"normalization_{name}", **precision)(images)

    def rectified(images: Any, name: str) -> Any:
        return layers.ReLU(name=f"rectified_{name}", **precision)(images)

    inputs = images = layers.Input(shape, name="images")
    if params.shift:
        move = {"height_factor": params.shift / height, "width_factor": params.shift / width}
        images = layers.RandomTranslation(**move, fill_mode="constant", name="moved")(images)
    if params.mirror:
        images = layers.RandomFlip("horizontal", name="mirrored")(images)
    first, *others = params.filters
    images = rectified(convolution(images, first, "1"), "1")
    for stage, (filters, blocks) in enumerate(zip(others, params.blocks, strict=True), start=2):
        images = rectified(convolution(images, filters, str(stage), strides=2), str(stage))
        for block in range(1, blocks + 1):
            name = f"{stage}_{block}"
            added = rectified(convolution(images, filters, f"{name}a"), f"{name}a")
            added = convolution(added, filters, f"{name}b")
            images = rectified(layers.Add(name=f"sum_{name}", **precision)([images, added]), f"{name}b")
    images = layers.GlobalAveragePooling2D(name="average", **precision)(images)
    probabilities = layers.Dense(classes, activation="softmax", name="classes", dtype="float32")(images)
    return keras.Model(inputs, probabilities, name="residual")
