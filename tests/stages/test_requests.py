"""Requests to the served model: images, or a refusal in one line, whatever is sent."""

import json
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from pipeline.store.serving import MOST_BYTES, RequestError, answer, read_request

JSON = "application/json"
SPEC = SimpleNamespace(shape=(-1, 28, 28, 1))  # as MLflow's signature holds it
IMAGE = np.arange(784).reshape(28, 28, 1) % 256
GOOD = json.dumps({"inputs": [IMAGE.tolist()]}).encode()


def sent(images: object) -> bytes:
    return json.dumps({"inputs": images}).encode()


def with_pixel(pixel: object) -> bytes:
    """An image with one pixel of another kind."""
    image: list[Any] = IMAGE.tolist()
    image[27][27] = [pixel]
    return sent([image])


def refusal(data: bytes, content_type: str | None = JSON) -> RequestError:
    with pytest.raises(RequestError) as refused:
        read_request(data, content_type, SPEC)
    return refused.value


@pytest.mark.parametrize("content_type", [JSON, "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"])
def test_images_come_out_as_they_were_sent(content_type: str) -> None:
    images = read_request(GOOD, content_type, SPEC)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, IMAGE[np.newaxis])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(b"", "not JSON", id="nothing"),
        pytest.param(b"\xff\xfe", "not JSON", id="not text"),
        pytest.param(b'{"inputs": [[', "not JSON", id="half"),
        pytest.param(b"[" * 100_000, "not JSON", id="open brackets"),
        pytest.param(b'{"inputs":' + b"[" * 300 + b"]" * 300 + b"}", "images", id="nested deeply"),
        pytest.param(b'{"inputs": ' + b"9" * 5000 + b"}", "not JSON", id="a number of 5000 digits"),
        pytest.param(GOOD.decode().encode("utf-16"), "not JSON", id="UTF-16"),
        pytest.param(b"null", "holds NoneType", id="null"),
        pytest.param(b"[[0]]", "holds list", id="a list"),
        pytest.param(b"{}", "holds the keys ;", id="no key"),
        pytest.param(b'{"instances": [[0]]}', "'instances'", id="another key of MLflow's"),
        pytest.param(b'{"dataframe_split": {"data": [[0]]}}', "'dataframe_split'", id="a table"),
        pytest.param(b'{"messages": []}', "'messages'", id="a chat"),
        pytest.param(b'{"inputs": [], "params": {}}', "'params'", id="parameters"),
        pytest.param(sent([]), "shape (0,)", id="no image"),
        pytest.param(sent({"images": [0]}), "shape ()", id="an object for images"),
        pytest.param(sent(IMAGE.tolist()), "shape (28, 28, 1)", id="an image not in a list"),
        pytest.param(sent([IMAGE[..., 0].tolist()]), "shape (1, 28, 28)", id="no channel"),
        pytest.param(sent([IMAGE[:, :27].tolist()]), "shape (1, 28, 27, 1)", id="narrow"),
        pytest.param(sent([IMAGE.tolist(), IMAGE[1:].tolist()]), "unequal sizes", id="unequal"),
        pytest.param(sent([(IMAGE / 255).tolist()]), "float64, 0.0 to 1.0", id="scaled to [0, 1]"),
        pytest.param(with_pixel(256), "0 to 256", id="too bright"),
        pytest.param(with_pixel(-1), "-1 to 255", id="negative"),
        pytest.param(with_pixel(1.5), "float64", id="a fraction"),
        pytest.param(with_pixel(float("nan")), "float64", id="NaN"),
        pytest.param(with_pixel(float("inf")), "float64", id="infinite"),
        pytest.param(with_pixel(10**30), "no numbers", id="beyond 64 bits"),
        pytest.param(with_pixel("7"), "no numbers", id="a number as text"),
        pytest.param(with_pixel(None), "no numbers", id="a missing pixel"),
        pytest.param(with_pixel(True), "true or false", id="true"),
    ],
)
def test_what_is_no_image_is_refused_in_one_line(data: bytes, said: str) -> None:
    refused = refusal(data)
    assert refused.status == HTTPStatus.BAD_REQUEST
    assert said in str(refused)
    assert "expected " in str(refused)
    assert len(str(refused)) < 300
    assert "\n" not in str(refused)


@pytest.mark.parametrize("content_type", [None, "", "text/csv", "application/vnd.apache.parquet", "x" * 10_000])
def test_other_content_is_refused(content_type: str | None) -> None:
    refused = refusal(GOOD, content_type)
    assert refused.status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    assert len(str(refused)) < 200


def test_more_than_the_limit_is_refused_before_it_is_read() -> None:
    assert read_request(GOOD.ljust(MOST_BYTES), JSON, SPEC).shape == (1, 28, 28, 1)
    assert refusal(b"[" * (MOST_BYTES + 1)).status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def test_limit_leaves_room_for_one_large_image() -> None:
    spec = SimpleNamespace(shape=(-1, 1024, 1024, 3))
    data = sent(np.full((1, 1024, 1024, 3), 255).tolist())
    assert len(data) > MOST_BYTES
    assert read_request(data, JSON, spec).shape == (1, 1024, 1024, 3)


MANY = settings(max_examples=100, deadline=None, derandomize=True)
ANYTHING = some.recursive(
    some.none() | some.booleans() | some.integers(-1, 2**70) | some.floats() | some.text(max_size=5),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(max_size=3), inner, max_size=3),
    max_leaves=20,
)


@MANY
@given(some.binary(max_size=200) | ANYTHING.map(sent) | ANYTHING.map(lambda value: json.dumps(value).encode()))
def test_anything_is_refused_not_answered(data: bytes) -> None:
    refused = refusal(data)
    assert "\n" not in str(refused)


@MANY
@given(ANYTHING)
def test_one_foreign_pixel_is_never_answered_as_another_number(pixel: object) -> None:
    data = with_pixel(pixel)
    try:
        found = read_request(data, JSON, SPEC)
    except RequestError:
        return
    assert type(pixel) is int
    assert found[0, 27, 27, 0] == pixel


def test_failure_of_the_model_tells_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("the cause")

    found = answer(GOOD, JSON, SimpleNamespace(predict=fail), SimpleNamespace(inputs=[SPEC]))
    assert found.status == 500
    assert "the cause" not in found.response
    assert "Traceback" not in found.response
    assert "the cause" in caplog.text
