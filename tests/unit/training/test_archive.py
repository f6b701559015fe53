"""Claims about the archive that a trained network is kept in."""

import io
import json
import pickle
import re
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable

import keras
import numpy as np
import pytest

from fashion_mnist.data.split import Floats
from fashion_mnist.errors import DataError, ParamsError
from fashion_mnist.training.archive import canonical_archive, from_archive, refuse_unsavable, to_archive
from fashion_mnist.training.inference import predict
from tests.unit.small_networks import small_cnn, small_dense

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
NO_NETWORK = b'{"module": "keras", "class_name": "Sequential", "config": {"layers": []}}'
# The beginning of an entry in the directory of a zip file, up to the flag of encryption.
ENTRY = b"PK\x01\x02\x14\x03\x14\x00"


@pytest.fixture(scope="module")
def images() -> Floats:
    return np.random.default_rng(0).random((7, 28, 28, 1), dtype=np.float32)


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


@pytest.mark.parametrize("network", [small_dense, small_cnn])
def test_loaded_network_predicts_the_same_and_has_the_same_bytes(
    network: Callable[[], keras.Model], images: Floats
) -> None:
    model = network()
    archive = to_archive(model)
    loaded = from_archive(archive, name="dense.keras")
    np.testing.assert_array_equal(predict(loaded, images), predict(model, images))
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


def test_archive_leaves_out_defaults_and_nothing_else() -> None:
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Rescaling(1 / 255),  # which reads its offset although that has a default
            layers.RandomTranslation(0.1, 0.2, fill_mode="constant"),
            layers.Conv2D(
                2,
                3,
                strides=2,
                bias_initializer=keras.initializers.Constant(0.0),
                kernel_initializer="he_normal",
                kernel_regularizer=keras.regularizers.L2(3),
            ),
            layers.BatchNormalization(momentum=0.9),
            layers.MaxPooling2D(pool_size=3, strides=1),
            layers.Flatten(),
            layers.Dropout(0.25),
            layers.Dense(3, activation="softmax", use_bias=False),
        ]
    )
    archive = to_archive(model)
    for loaded, layer in zip(from_archive(archive, name="model").layers, model.layers, strict=True):
        assert loaded.get_config() == layer.get_config(), layer
    written = unzipped(archive)[CONFIG]
    # Releases before 3.13 know none of these.
    assert not [key for key in (b"quantization_config", b"input_axes", b"renorm") if key in written]
    assert all(key in written for key in (b'"momentum": 0.9', b'"strides": [2, 2]', b'"use_bias": false'))


class OwnLayer(keras.layers.Layer):  # type: ignore[misc]
    """A layer that is not Keras' own."""


@pytest.mark.parametrize("layer", [OwnLayer, lambda: keras.layers.RandomShear(0.1, 0.1)])
def test_network_that_its_archive_would_not_give_back_is_refused(layer: Callable[[], keras.layers.Layer]) -> None:
    model = keras.Sequential([keras.layers.Input((28, 28, 1)), layer()])
    with pytest.raises(ParamsError, match=r"^the network x cannot be saved and loaded again: .*; expected Keras' own"):
        refuse_unsavable(model, name="x")


def test_network_of_keras_own_layers_can_be_saved() -> None:
    refuse_unsavable(small_cnn(), name="x")


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
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda archive: archive[::-1], id="not a zip file"),
        pytest.param(lambda archive: archive[:-100], id="truncated"),
        pytest.param(lambda archive: archive.replace(b'"Dense"', b'"Dance"'), id="content unlike its checksum"),
        pytest.param(lambda archive: with_part(archive, CONFIG, None), id="no config"),
        pytest.param(lambda archive: with_part(archive, CONFIG, b"{"), id="half a config"),
        pytest.param(lambda archive: with_part(archive, CONFIG, NO_NETWORK), id="a config of no network"),
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
        match=r"^dense\.keras: (does not load \(.+\)|is not a zip archive); expected a \.keras file\. Train again\.$",
    ) as refusal:
        from_archive(damaged, name="dense.keras")
    assert "Error" not in str(refusal.value), "names a class of Python"
    assert len(str(refusal.value)) < 400


def test_code_in_an_archive_is_refused() -> None:
    model = keras.Sequential([keras.layers.Input((28, 28, 1)), keras.layers.Lambda(lambda pixels: pixels)])
    with pytest.raises(DataError, match=r"^lambda\.keras: config\.json names keras\.layers\.Lambda, which is code"):
        from_archive(to_archive(model), name="lambda.keras")


def with_entry(archive: bytes, entry: zipfile.ZipInfo | str, content: bytes, method: int = zipfile.ZIP_STORED) -> bytes:
    """Add a file to an archive."""
    target = io.BytesIO(archive)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that a name is there already is the point
        with zipfile.ZipFile(target, "a") as opened:
            opened.writestr(entry, content, compress_type=method)
    return target.getvalue()


def naming(archive: bytes, **layer: object) -> bytes:
    """Add a layer to an archive's configuration."""
    config = json.loads(unzipped(archive)[CONFIG])
    config["config"]["layers"].append(layer)
    return with_part(archive, CONFIG, json.dumps(config).encode())


def link() -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo("weights")
    entry.create_system, entry.external_attr = 3, 0o120777 << 16
    return entry


def compressed(archive: bytes, name: str, content: bytes) -> bytes:
    """Put a file into an archive, compressed."""
    return with_entry(with_part(archive, name, None), name, content, zipfile.ZIP_DEFLATED)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(lambda _: pickle.dumps({"weights": [1.0]}), "is a pickle", id="pickle"),
        pytest.param(lambda _: pickle.dumps([1.0], protocol=0), "is not a zip archive", id="old pickle"),
        pytest.param(lambda archive: with_entry(archive, "../evil.py", b"1"), "holds '../evil.py'", id="path outside"),
        pytest.param(lambda archive: with_entry(archive, "/srv/evil", b"1"), "holds '/srv/evil'", id="absolute path"),
        pytest.param(lambda archive: with_entry(archive, link(), b"/etc/passwd"), "holds 'weights'", id="link"),
        pytest.param(lambda archive: with_entry(archive, "assets/run.py", b"1"), "holds 'assets/run.py'", id="asset"),
        pytest.param(
            lambda archive: with_entry(archive, CONFIG, b"{}"), "holds 'config.json' twice", id="two configurations"
        ),
        pytest.param(
            lambda archive: with_part(archive, CONFIG, b"[" * (1 << 20)), "does not load", id="endless configuration"
        ),
        pytest.param(
            lambda archive: naming(archive, module="os", class_name="system", config={}), "os.system", id="a command"
        ),
        pytest.param(
            lambda archive: naming(archive, module="keras_hub.layers", class_name="Cache", config={}),
            "keras_hub.layers.Cache",
            id="another package",
        ),
        pytest.param(
            lambda archive: naming(archive, class_name="__lambda__", config={}),
            "__lambda__",
            id="lambda",
        ),
        pytest.param(
            lambda archive: naming(archive, module="builtins", class_name="function", config="eval"),
            "builtins.function",
            id="function",
        ),
    ],
)
def test_what_is_no_network_is_refused_by_name_before_keras_sees_it(
    change: Callable[[bytes], bytes], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = change(to_archive(small_dense()))
    monkeypatch.setattr(keras.models, "load_model", lambda *_, **__: pytest.fail("Keras was asked"))
    with pytest.raises(DataError, match=rf"^other\.keras: .*{re.escape(said)}.*; expected ") as refusal:
        from_archive(foreign, name="other.keras")
    assert "\n" not in str(refusal.value)


def test_bomb_is_refused_without_being_unpacked() -> None:
    bomb = compressed(to_archive(small_dense()), WEIGHTS, bytes(1 << 27))
    assert len(bomb) < 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"^bomb\.keras: .*, a zip bomb; expected at most 10 times its size$"):
            from_archive(bomb, name="bomb.keras")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
