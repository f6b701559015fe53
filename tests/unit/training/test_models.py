"""Claims about the networks, and about the archive that they are kept in."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from fashion_mnist.training.models import build
from ruamel.yaml import YAML

from fashion_mnist.data.split import Floats
from fashion_mnist.errors import DataError
from fashion_mnist.params import CnnParams, DenseParams, TrainParams, parse_params
from fashion_mnist.training.archive import canonical_archive, from_archive, to_archive
from fashion_mnist.training.inference import predict
from fashion_mnist.training.inspection import look_inside, multiply_adds

pytestmark = pytest.mark.usefixtures("tensorflow_runtime")

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
# The beginning of an entry in the directory of a zip file, up to the flag of encryption.
ENTRY = b"PK\x01\x02\x14\x03\x14\x00"


@pytest.fixture(scope="module")
def committed() -> TrainParams:
    path = Path(__file__).parents[3] / "params.yaml"
    return parse_params(YAML(typ="safe").load(path.read_bytes()), source=str(path)).train


@pytest.fixture(scope="module")
def images() -> Floats:
    return np.random.default_rng(0).random((7, 28, 28, 1), dtype=np.float32)


def small_dense() -> keras.Model:
    return build(
        DenseParams(
            units=2,
            epochs=1,
            batch_size=32,
            learning_rate=0.001,
            precision="float32",
            jit_compile=False,
            threads=2,
            seed=1,
        )
    )


def small_cnn(precision: str = "float32") -> keras.Model:
    return build(
        CnnParams(
            filters=(1, 1),
            kernel_size=3,
            units=2,
            epochs=1,
            batch_size=32,
            learning_rate=0.001,
            precision=precision,
            jit_compile=False,
            threads=2,
            seed=1,
        )
    )


def zipped(content: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, value in content.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 2, 29, 12, 0, 0)), value)
    return target.getvalue()


def unzipped(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def with_part(archive: bytes, name: str, content: bytes | None) -> bytes:
    """Replace one file within an archive, or leave it out."""
    return zipped({part: kept for part, kept in (unzipped(archive) | {name: content}).items() if kept is not None})


def layers_of(model: keras.Model) -> list[tuple[str, tuple[int, ...], str | None]]:
    """Return the kind of each layer, the shape of what it gives for one image, and its activation."""
    return [
        (type(layer).__name__, layer.output.shape[1:], getattr(getattr(layer, "activation", None), "__name__", None))
        for layer in model.layers
    ]


def test_dense_network_is_a_list_of_three_layers(committed: TrainParams) -> None:
    model = build(committed.dense)
    assert layers_of(model) == [
        ("Flatten", (784,), None),
        ("Dense", (128,), "relu"),
        ("Dense", (10,), "softmax"),
    ]
    assert model.count_params() == (784 + 1) * 128 + (128 + 1) * 10 == 101_770


def test_convolutional_network_halves_the_image_twice(committed: TrainParams) -> None:
    model = build(committed.cnn)
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


def test_multiply_adds_are_counted_at_every_place(committed: TrainParams) -> None:
    assert multiply_adds(build(committed.dense)) == 784 * 128 + 128 * 10
    convolutions = 28 * 28 * 9 * 32 + 14 * 14 * 9 * 32 * 64
    assert multiply_adds(build(committed.cnn)) == convolutions + 3136 * 128 + 128 * 10 == 4_241_152


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


def test_what_is_seen_inside_is_float32_whatever_the_layers_compute_in(images: Floats) -> None:
    assert {values.dtype for values in look_inside(small_cnn("mixed_bfloat16"), images[0]).values()} == {np.dtype("f4")}


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


def test_half_precision_computes_in_bfloat16_but_keeps_weights_and_output_in_float32(images: Floats) -> None:
    model = small_cnn("mixed_bfloat16")
    assert [layer.compute_dtype for layer in model.layers] == ["bfloat16"] * 6 + ["float32"]
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert predict(model, images, batch_size=7).dtype == np.float32


def test_prediction_in_batches_equals_prediction_at_once(images: Floats) -> None:
    model = small_cnn()
    at_once = predict(model, images, batch_size=7)
    assert at_once.shape == (7, 10)
    np.testing.assert_allclose(at_once.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(predict(model, images, batch_size=3), at_once, rtol=1e-6)


@pytest.mark.parametrize("network", [small_dense, small_cnn])
def test_loaded_network_predicts_the_same_and_has_the_same_bytes(
    network: Callable[[], keras.Model], images: Floats
) -> None:
    model = network()
    archive = to_archive(model)
    loaded = from_archive(archive, name="dense.keras")
    np.testing.assert_array_equal(predict(loaded, images, batch_size=7), predict(model, images, batch_size=7))
    assert to_archive(loaded) == archive


def test_networks_with_equal_weights_have_equal_bytes() -> None:
    first, second = small_dense(), small_dense()
    second.set_weights(first.get_weights())
    assert to_archive(first) == to_archive(second)


def test_archive_tells_no_time_of_saving() -> None:
    archive = to_archive(small_dense())
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert {entry.date_time for entry in opened.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert json.loads(unzipped(archive)[METADATA])["date_saved"] == "1980-01-01@00:00:00"


def test_canonical_archive_keeps_all_content_but_dates_and_memory_addresses() -> None:
    config = '[{"shared_object_id": 140}, {"shared_object_id": 99, "units": 99}, {"shared_object_id": 140}]'
    numbered = '[{"shared_object_id": 0}, {"shared_object_id": 1, "units": 99}, {"shared_object_id": 0}]'
    metadata = {"keras_version": "3.15.0", "date_saved": "2024-02-29@12:00:00"}
    archive = canonical_archive(
        zipped({WEIGHTS: b"weights", METADATA: json.dumps(metadata).encode(), CONFIG: config.encode()})
    )
    content = unzipped(archive)
    assert list(content) == [CONFIG, METADATA, WEIGHTS]
    assert content[CONFIG].decode() == numbered
    assert json.loads(content[METADATA]) == metadata | {"date_saved": "1980-01-01@00:00:00"}
    assert content[WEIGHTS] == b"weights"


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda archive: archive[::-1], id="not a zip file"),
        pytest.param(lambda archive: archive[:-100], id="truncated"),
        pytest.param(lambda archive: archive.replace(b'"Dense"', b'"Dance"'), id="content unlike its checksum"),
        pytest.param(lambda archive: with_part(archive, CONFIG, None), id="no config"),
        pytest.param(lambda archive: with_part(archive, CONFIG, b"{"), id="half a config"),
        pytest.param(lambda archive: with_part(archive, WEIGHTS, None), id="no weights"),
        pytest.param(lambda archive: with_part(archive, WEIGHTS, b"\x89HDF"), id="half the weights"),
        pytest.param(lambda archive: archive.replace(ENTRY + b"\0", ENTRY + b"\1"), id="marked as encrypted"),
    ],
)
def test_damaged_archive_is_refused_in_one_line(damage: Callable[[bytes], bytes]) -> None:
    archive = to_archive(small_dense())
    damaged = damage(archive)
    assert damaged != archive
    with pytest.raises(
        DataError,
        match=r"^dense\.keras: (does not load \(.+\)|is no zip archive); expected a \.keras file\. Train again\.$",
    ):
        from_archive(damaged, name="dense.keras")


def test_code_in_an_archive_is_refused() -> None:
    model = keras.Sequential([keras.layers.Input((28, 28, 1)), keras.layers.Lambda(lambda pixels: pixels)])
    with pytest.raises(DataError, match="`Lambda` layer"):
        from_archive(to_archive(model), name="lambda.keras")
