"""Claims about the networks: their layers, and how they are found."""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import pytest
from ruamel.yaml import YAML

from fashion_mnist.data.split import Floats
from fashion_mnist.errors import ParamsError
from fashion_mnist.networks import build, network_names
from fashion_mnist.params.parsing import parse_params
from fashion_mnist.params.training import TrainingParams
from fashion_mnist.training.inference import predict
from tests.unit.small_networks import CLASSES, SHAPE, small_cnn

PROJECT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def images() -> Floats:
    return np.random.default_rng(0).random((7, 28, 28, 1), dtype=np.float32)


@pytest.fixture(scope="module")
def sections() -> Mapping[str, TrainingParams]:
    """The sections under train and recipes, with the article's sizes."""
    params = parse_params(YAML(typ="safe").load((PROJECT / "tests/params.yaml").read_bytes()), source="params.yaml")
    return {**params.train, **params.recipes}


def layers_of(model: keras.Model) -> list[tuple[str, tuple[int, ...], str | None]]:
    """Return the kind of each layer, the shape of what it gives for one image, and its activation."""
    return [
        (type(layer).__name__, layer.output.shape[1:], getattr(getattr(layer, "activation", None), "__name__", None))
        for layer in model.layers
    ]


def test_dense_network_is_a_list_of_three_layers(sections: Mapping[str, TrainingParams]) -> None:
    model = build(sections["dense"], shape=SHAPE, classes=CLASSES)
    assert layers_of(model) == [
        ("Flatten", (784,), None),
        ("Dense", (128,), "relu"),
        ("Dense", (10,), "softmax"),
    ]
    assert model.count_params() == (784 + 1) * 128 + (128 + 1) * 10 == 101_770


def test_convolutional_network_halves_the_image_twice(sections: Mapping[str, TrainingParams]) -> None:
    model = build(sections["cnn"], shape=SHAPE, classes=CLASSES)
    assert layers_of(model) == [
        ("Conv2D", (28, 28, 32), "relu"),
        ("MaxPooling2D", (14, 14, 32), None),
        ("Conv2D", (14, 14, 64), "relu"),
        ("MaxPooling2D", (7, 7, 64), None),
        ("Flatten", (7 * 7 * 64,), None),
        ("Dense", (128,), "relu"),
        ("Dense", (10,), "softmax"),
    ]
    assert model.count_params() == (9 + 1) * 32 + (9 * 32 + 1) * 64 + (3136 + 1) * 128 + (128 + 1) * 10 == 421_642


def test_sections_that_share_a_network_build_the_same(sections: Mapping[str, TrainingParams]) -> None:
    assert layers_of(build(sections["cnn_one_cycle"], shape=SHAPE, classes=CLASSES)) == layers_of(
        build(sections["cnn"], shape=SHAPE, classes=CLASSES)
    )


def test_every_file_of_the_folder_is_a_network() -> None:
    files = {path.stem for path in (PROJECT / "src/fashion_mnist/networks").glob("*.py")}
    assert {*network_names()} == files - {"__init__"}


def test_convolution_of_a_square_in_the_corner_counts_its_neighbours() -> None:
    # Of nine ones the kernel meets as many as lie under it: zeros stand around the image and beside the square.
    model = small_cnn()
    model.layers[0].set_weights([np.ones((3, 3, 1, 1)), np.zeros(1)])
    image = np.zeros((1, 28, 28, 1), np.float32)
    image[0, :6, :6] = 1
    convolved = model.layers[0](image).numpy()[0, :, :, 0]
    assert convolved[:8, :8].tolist() == [
        [4, 6, 6, 6, 6, 4, 2, 0],
        [6, 9, 9, 9, 9, 6, 3, 0],
        [6, 9, 9, 9, 9, 6, 3, 0],
        [6, 9, 9, 9, 9, 6, 3, 0],
        [6, 9, 9, 9, 9, 6, 3, 0],
        [4, 6, 6, 6, 6, 4, 2, 0],
        [2, 3, 3, 3, 3, 2, 1, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
    ]


def test_half_precision_computes_in_bfloat16_but_keeps_weights_and_output_in_float32() -> None:
    model = small_cnn("mixed_bfloat16")
    assert [layer.compute_dtype for layer in model.layers] == ["bfloat16"] * 6 + ["float32"]
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert model.outputs[0].dtype == "float32"


def test_networks_take_the_shape_and_classes_of_the_data(sections: Mapping[str, TrainingParams]) -> None:
    images = np.random.default_rng(0).random((5, 40, 32, 3), dtype=np.float32)
    for name in ("dense", "cnn"):
        model = build(sections[name], shape=(40, 32, 3), classes=3)
        assert predict(model, images).shape == (5, 3)


def test_smallest_images_leave_a_pixel_after_two_poolings(sections: Mapping[str, TrainingParams]) -> None:
    assert layers_of(build(sections["cnn"], shape=(4, 5, 1), classes=2))[3] == ("MaxPooling2D", (1, 1, 64), None)


@pytest.mark.parametrize(("shape", "kernel", "least"), [((3, 40, 1), 3, "4x4"), ((8, 6, 1), 7, "7x7")])
def test_images_that_are_too_small_are_refused(
    sections: Mapping[str, TrainingParams], shape: tuple[int, int, int], kernel: int, least: str
) -> None:
    params = sections["cnn"].model_copy(update={"kernel_size": kernel})
    with pytest.raises(ParamsError, match=rf"^the network cnn needs images of at least {least} pixels"):
        build(params, shape=shape, classes=2)
