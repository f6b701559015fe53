"""Requests to the served model: images, or a refusal in one line, whatever is sent."""

import base64
import json
import threading
import time
import tracemalloc
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from pipeline.store import serving
from pipeline.store.serving import MOST_BYTES, ImageClassifier, RequestError, answer, read_request

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


# Requests that are almost nested lists of digits: a piece in another place, missing, twice, or replaced.
SMALL = SimpleNamespace(shape=(-1, 2, 2, 3))
NORMAL = b'{"inputs": [[[[1, 20, 255], [0, 0, 7]], [[10, 2, 3], [4, 5, 60]]]]}'
PIECES = [
    b"",
    b"[",
    b"]",
    b",",
    b" ",
    b"\n",
    b"0",
    b"00",
    b"7",
    b"-",
    b"+",
    b".",
    b"e1",
    b"256",
    b"65537",
    b"4294967297",
]
PIECES += [b"{", b"}", b'"', b"true", b"null", b"\x0b", b"\xc2\xa0", b"[1]", b",1", b"/"]


def verdict(data: bytes, *, plain: bool, monkeypatch: pytest.MonkeyPatch) -> str:
    """Say what comes of a request; plain: whether the fast reader may take it."""
    with monkeypatch.context() as patch:
        if not plain:
            patch.setattr(serving, "read_plain", lambda *_: None)
        try:
            images = read_request(data, JSON, SMALL)
        except RequestError as error:
            return f"{error.status} {error}"
    return f"{images.dtype} {images.shape} {images.tolist()}"


@pytest.fixture(scope="module")
def patching() -> pytest.MonkeyPatch:
    return pytest.MonkeyPatch()


@settings(max_examples=2000, deadline=None, derandomize=True)
@given(
    some.lists(some.tuples(some.integers(0, len(NORMAL)), some.integers(0, 3), some.sampled_from(PIECES)), max_size=4)
)
def test_fast_reader_gives_the_verdict_of_json(
    patching: pytest.MonkeyPatch, edits: list[tuple[int, int, bytes]]
) -> None:
    data = NORMAL
    for place, removed, piece in edits:
        data = data[:place] + piece + data[place + removed :]
    assert verdict(data, plain=True, monkeypatch=patching) == verdict(data, plain=False, monkeypatch=patching)


@pytest.mark.parametrize("piece", PIECES)
def test_fast_reader_gives_the_verdict_of_json_wherever_a_piece_is_put(
    patching: pytest.MonkeyPatch, piece: bytes
) -> None:
    for place in range(len(NORMAL) + 1):
        for removed in (0, 1, 2):
            data = NORMAL[:place] + piece + NORMAL[place + removed :]
            said = verdict(data, plain=True, monkeypatch=patching)
            assert said == verdict(data, plain=False, monkeypatch=patching), data


@pytest.mark.parametrize("shape", [(28, 28, 1), (4, 5, 3)])
def test_usual_requests_are_read_fast(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.resize(np.arange(256), (3, *shape)).tolist()
    requests = [json.dumps({"inputs": images}, separators=pair).encode() for pair in ((",", ":"), (", ", ": "))]
    monkeypatch.setattr(json, "loads", None)
    for data in requests:
        assert read_request(data, JSON, SimpleNamespace(shape=(-1, *shape))).tolist() == images


def test_largest_request_is_read_in_little_memory() -> None:
    count = MOST_BYTES // len(json.dumps(IMAGE.tolist()))
    data = sent([IMAGE.tolist()] * count)
    assert 0.9 * MOST_BYTES < len(data) <= MOST_BYTES
    tracemalloc.start()
    try:
        assert len(read_request(data, JSON, SPEC)) == count
        assert tracemalloc.get_traced_memory()[1] < 3 * len(data)  # with the request itself, four times
    finally:
        tracemalloc.stop()


def compact(images: Any, **changed: Any) -> bytes:
    given = {"base64": base64.b64encode(np.asarray(images, np.uint8).tobytes()).decode(), "shape": np.shape(images)}
    return json.dumps({"inputs": given | changed}).encode()


def test_compact_images_come_out_as_they_were_sent() -> None:
    images = np.stack([IMAGE, 255 - IMAGE]).astype(np.uint8)
    found = read_request(compact(images), JSON, SPEC)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, images)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"shape": [2, 28, 28, 1]}, "the base64 holds 784 bytes"),
        ({"shape": [0, 28, 28, 1]}, "the shape is [0, 28, 28, 1]"),
        ({"shape": [1, 28, 28]}, "the shape is [1, 28, 28]"),
        ({"shape": [True, 28, 28, 1]}, "the shape is [True"),
        ({"shape": [1, 28.0, 28, 1]}, "the shape is [1, 28.0"),
        ({"shape": []}, "the shape is []"),
        ({"shape": "1"}, "the shape is 1"),
        ({"base64": "?"}, "not base64"),
        ({"base64": "AAA"}, "not base64"),
        ({"base64": 7}, "not base64"),
        ({"base64": None}, "not base64"),
        ({"base64": "é"}, "not base64"),
        ({"more": 1}, "shape ()"),
    ],
)
def test_wrong_compact_images_are_refused_in_one_line(changed: dict[str, Any], said: str) -> None:
    refused = refusal(compact([IMAGE], **changed))
    assert refused.status == HTTPStatus.BAD_REQUEST
    assert said in str(refused)
    assert "expected " in str(refused)
    assert "\n" not in str(refused)


class Doubling(ImageClassifier):
    """A classifier whose network is slow, and says of an image what its first pixel is."""

    def __init__(self) -> None:
        self.alone, self.waiting = threading.Lock(), deque[serving.Waiting]()
        self.classes = np.array(["zero", "one"])
        self.computed: list[int] = []
        self.begun, self.may_end = threading.Event(), threading.Event()

    def compute(self, images: Any) -> Any:
        self.computed.append(len(images))
        self.begun.set()
        assert self.may_end.wait(60)
        if (images[:, 0, 0, 0] == 99).any():
            raise RuntimeError("a broken network")
        return np.eye(2)[images[:, 0, 0, 0] % 2] * images[:, 0, 0]


def test_requests_that_wait_are_computed_together_and_each_gets_its_own_answer() -> None:
    model = Doubling()
    requests = [np.full((count, 2, 2, 1), 10 + count, np.uint8) for count in (1, 2, 3, 4, 5)]
    with ThreadPoolExecutor(len(requests)) as pool:
        first = pool.submit(model.predict, None, requests[0])
        assert model.begun.wait(60)
        others = [pool.submit(model.predict, None, images) for images in requests[1:]]
        while len(model.waiting) < len(others):
            time.sleep(0.01)
        model.may_end.set()
        answers = [asked.result(60) for asked in (first, *others)]
    assert model.computed == [1, 2 + 3 + 4 + 5]
    for images, found in zip(requests, answers, strict=True):
        pixel = int(images[0, 0, 0, 0])
        assert found["probabilities"].tolist() == [[0, pixel] if pixel % 2 else [pixel, 0]] * len(images)
        assert found["names"].tolist() == ["one" if pixel % 2 else "zero"] * len(images)


def test_no_more_images_are_computed_together_than_the_limit() -> None:
    model = Doubling()
    model.may_end.set()
    model.waiting.extend(serving.Waiting(np.zeros((serving.MOST_TOGETHER // 2, 1, 1, 1), np.uint8)) for _ in range(3))
    model.predict(None, np.zeros((1, 1, 1, 1), np.uint8))
    assert model.computed == [serving.MOST_TOGETHER, serving.MOST_TOGETHER // 2 + 1]


def test_network_that_fails_answers_the_requests_after_it() -> None:
    model = Doubling()
    model.may_end.set()
    other = serving.Waiting(np.zeros((1, 1, 1, 1), np.uint8))
    model.waiting.append(other)
    with pytest.raises(RuntimeError, match="a broken network"):
        model.predict(None, np.full((1, 1, 1, 1), 99, np.uint8))
    assert isinstance(other.found, RuntimeError)
    assert not model.waiting
    assert model.predict(None, np.ones((1, 1, 1, 1), np.uint8))["names"].tolist() == ["one"]


def test_failure_of_the_model_tells_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("the cause")

    found = answer(GOOD, JSON, SimpleNamespace(predict=fail), SimpleNamespace(inputs=[SPEC]))
    assert found.status == 500
    assert "the cause" not in found.response
    assert "Traceback" not in found.response
    assert "the cause" in caplog.text
