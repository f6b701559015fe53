"""Claims about what an image costs a network, and what is seen inside."""

import keras
import numpy as np
import pytest

from fashion_mnist.data.split import Floats
from fashion_mnist.networks import cnn, dense
from fashion_mnist.scores.inspection import look_inside, multiply_adds
from tests.unit.small_networks import SHAPE, SMALL, small_cnn, small_dense


@pytest.fixture(scope="module")
def images() -> Floats:
    return np.random.default_rng(0).random((7, 28, 28, 1), dtype=np.float32)


def test_multiply_adds_are_counted_at_every_place() -> None:
    assert (
        multiply_adds(dense.build(dense.Params(network="dense", units=128, **SMALL), shape=SHAPE, classes=10))
        == 784 * 128 + 128 * 10
    )
    convolutions = 28 * 28 * 9 * 32 + 14 * 14 * 9 * 32 * 64
    network = cnn.build(
        cnn.Params(network="cnn", filters=(32, 64), kernel_size=3, units=128, **SMALL), shape=SHAPE, classes=10
    )
    assert multiply_adds(network) == convolutions + 3136 * 128 + 128 * 10 == 4_241_152


def test_inside_are_the_kernels_and_what_each_layer_makes_of_the_image(images: Floats) -> None:
    model = small_cnn()
    seen = look_inside(model, images[0])
    assert list(seen) == [
        "kernels/convolution_1",
        "maps/convolution_1",
        "maps/pooling_1",
        "maps/convolution_2",  # whose kernels see maps, not grey values
        "maps/pooling_2",
    ]
    assert np.array_equal(seen["kernels/convolution_1"][..., 0], model.layers[0].get_weights()[0][:, :, 0, 0])
    output = images[:1]
    for layer in model.layers[:4]:
        output = np.asarray(layer(output))
        assert seen[f"maps/{layer.name}"] == pytest.approx(output[0], abs=1e-6)


def test_network_without_images_inside_shows_none(images: Floats) -> None:
    assert look_inside(small_dense(), images[0]) == {}


def test_network_within_a_network_counts_and_may_be_the_only_layer_of_images() -> None:
    layers = keras.layers
    within = [layers.Input((8, 8, 1)), layers.SeparableConv2D(2, 3, use_bias=False), layers.Flatten()]
    inner = keras.Sequential([*within, layers.Dense(4)])
    model = keras.Sequential([layers.Input((8, 8, 1)), layers.ReLU(name="only"), inner, layers.Dense(3)])
    assert multiply_adds(model) == 6 * 6 * (9 * 1 + 1 * 2) + 72 * 4 + 4 * 3
    image = np.arange(64, dtype=np.float32).reshape(8, 8, 1)
    assert list(look_inside(model, image)) == ["maps/only"]
    assert np.array_equal(look_inside(model, image)["maps/only"], image)


def test_network_within_a_network_may_give_images() -> None:
    layers = keras.layers
    begin = layers.Input((8, 8, 1))
    inner = keras.Model(begin, layers.Conv2D(2, 3)(begin))  # whose output is not connected to the network's input
    model = keras.Sequential([layers.Input((8, 8, 1)), layers.ReLU(name="only"), inner, layers.GlobalMaxPooling2D()])
    assert list(look_inside(model, np.ones((8, 8, 1), np.float32))) == ["maps/only"]
    assert multiply_adds(model) == 6 * 6 * 9 * 2
