"""The registered model, as code: raw pixels in, class probabilities and names out.

MLflow stores this file with the network's archive and the library beside it, and runs it where the model is served.
Scaling uses the library's own function, so serving cannot drift from training. This file imports nothing from
`pipeline`, and TensorFlow only when a model is loaded: logging one does not need it.
"""

import asyncio
import base64
import gc
import hashlib
import json
import logging
import math
import os
import re
import sys
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import cache, partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import mlflow.utils.proto_json_utils as json_parsing
import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import BAD_REQUEST
from mlflow.pyfunc import scoring_server
from mlflow.pyfunc.model import PythonModel, PythonModelContext

LIBRARY = "fashion_mnist"
# What Python and MLflow add to a model that is loaded.
ADDED = {"__pycache__", "registered_model_meta"}
# Of a request: some 400 garments. docs/serving.md sets the same limit in front of it.
MOST_BYTES = 2 << 20
BYTES_OF_A_PIXEL = 8  # as JSON: three digits, a comma, its share of brackets and spaces
MOST_TOGETHER = 480  # images of requests that wait for each other: ten blocks of fashion_mnist.training.inference

# A request as clients write it: nested lists of digits. DIGITS and SPACES are JSON's.
PLAIN = re.compile(rb'[ \t\r\n]*\{[ \t\r\n]*"inputs"[ \t\r\n]*:(.*)\}[ \t\r\n]*', re.DOTALL)
DIGITS, SPACES, BRACKETS = b"0123456789", b" \t\r\n", b"[]"
ZEROS = bytes.maketrans(DIGITS + SPACES, b"0" * len(DIGITS) + b" " * len(SPACES))
COMPACT = {"base64", "shape"}
THREADS = 32  # requests that a server takes in at once; they wait for each other's network


class Waiting:
    """A request's images, uint8, shape (n, height, width, channels), and once they are computed, what came of them."""

    def __init__(self, images: np.ndarray[Any, Any]) -> None:
        self.images = images
        self.found: np.ndarray[Any, Any] | Exception | None = None


class RequestError(Exception):
    """A request that is not answered: the HTTP status, and a line that says what was found and expected."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class ImageClassifier(PythonModel):
    """A network that takes pixels as published, whole numbers from 0 to 255."""

    # MLflow advises, in color and at each load, to let it derive the signature from type hints; ours is given.
    _skip_type_hint_validation = True

    def load_context(self, context: PythonModelContext) -> None:
        """Load the network, once its archive and the copy of the library are shown to be those that were registered."""
        path = Path(context.artifacts["archive"])
        archive = path.read_bytes()
        refuse_changed(path.name, hashlib.sha256(archive).hexdigest(), context.model_config["sha256"])
        # Before anything is imported from it.
        code = path.parents[1] / "code"
        refuse_changed("code", digest_folder(code), context.model_config["code"])
        os.environ["KERAS_BACKEND"] = "tensorflow"
        os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
        with library_from(code):
            from fashion_mnist.data.dataset import scale_pixels
            from fashion_mnist.errors import PipelineError
            from fashion_mnist.training.archive import from_archive
            from fashion_mnist.training.determinism import limit_threads
            from fashion_mnist.training.inference import predict

            with suppress(RuntimeError):  # in a process that has computed before, its threads stay
                limit_threads(workers=os.cpu_count() or 1)
            try:
                self.network = from_archive(archive, name=path.name)
            except PipelineError as error:  # the copy's: nobody else knows that class
                raise MlflowException(str(error)) from error
        self.scale_pixels, self.predict_scaled = scale_pixels, predict
        self.classes = np.array(context.model_config["classes"])
        json_parsing.convert_data_type = convert_pixels
        scoring_server.invocations = answer
        if "mlflow.pyfunc.scoring_server.app" in sys.modules:  # this process serves, and makes its application next
            import fastapi

            fastapi.FastAPI = partial(fastapi.FastAPI, lifespan=with_threads)  # type: ignore[misc, assignment]
        self.alone, self.waiting = threading.Lock(), deque[Waiting]()
        self.compute(np.zeros((1, *context.model_config["shape"]), np.uint8))  # the first request need not trace it

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ARG002
        """Return `probabilities`, float32, shape (n, classes), and `names` of the likeliest classes, shape (n,).

        model_input: uint8, shape (n, height, width, channels), as MLflow has compared with the signature.
        """
        if not len(model_input):
            raise MlflowException(f"no image; {expected(model_input.shape[1:])}", error_code=BAD_REQUEST)
        mine = Waiting(model_input)
        self.waiting.append(mine)
        # A server asks from several threads, and Keras promises nothing of that. Who comes first answers all that wait.
        with self.alone:
            while mine.found is None:
                self.answer_waiting()
        if isinstance(mine.found, Exception):
            raise mine.found
        return {"probabilities": mine.found, "names": self.classes[mine.found.argmax(axis=1)]}

    def answer_waiting(self) -> None:
        """Compute the images of the requests that wait, the first ones together; an image's bits depend on no other."""
        together = [self.waiting.popleft()]
        images = len(together[0].images)
        while self.waiting and (images := images + len(self.waiting[0].images)) <= MOST_TOGETHER:
            together.append(self.waiting.popleft())
        ends = np.cumsum([len(request.images) for request in together])[:-1]
        try:
            found = self.compute(np.concatenate([request.images for request in together]))
        except Exception as error:  # noqa: BLE001 - each of them raises it
            for request in together:
                request.found = error
        else:
            for request, probabilities in zip(together, np.split(found, ends), strict=True):
                request.found = probabilities

    def compute(self, images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the probabilities of images, uint8."""
        probabilities: np.ndarray[Any, Any] = self.predict_scaled(self.network, self.scale_pixels(images))
        return probabilities


@asynccontextmanager
async def with_threads(_: Any) -> AsyncIterator[None]:
    """Let a server take in more requests at once than asyncio's own threads, which are four more than its cores."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
    yield


@contextmanager
def library_from(folder: Path) -> Iterator[None]:
    """Import the library only from this folder until the block ends, then let the process have its own again.

    A process may hold several copies: that of its checkout, and one for each registered model. What was imported in the
    block goes on with its own copy.
    """
    own = take_library()
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        take_library()
        sys.modules.update(own)


def take_library() -> dict[str, Any]:
    """Take the library's modules out of those that are imported, and return them by name."""
    names = [name for name in sys.modules if name.partition(".")[0] == LIBRARY]
    return {name: sys.modules.pop(name) for name in names}


def digest_folder(folder: Path) -> str:
    """Return the sha256 of a folder's files, their paths and contents, but for those that loading a model adds."""
    found = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not ADDED & set(path.parts)):
        found.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return found.hexdigest()


def refuse_changed(name: str, found: str, expected: str) -> None:
    """Raise MlflowException unless a digest is the one that was registered."""
    if found != expected:
        raise MlflowException(
            f"{describe_change(name, found, expected)}; register it again: `python -m pipeline.track`"
        )


def describe_change(name: str, found: str, expected: str) -> str:
    """Say that a file is not the one that was registered."""
    return f"{name}: sha256 is {found[:12]}…, expected {expected[:12]}…; it was changed after it was registered"


def answer(data: bytes, content_type: str | None, model: Any, input_schema: Any) -> Any:
    """Answer a request to the server, in place of MLflow's own function.

    That one also takes tables, has no limit, and sends tracebacks and the whole request back with a refusal.
    """
    freeze_once()
    try:
        found = model.predict(read_request(data, content_type, input_schema.inputs[0]))
        content: dict[str, Any] = {"predictions": {name: values.tolist() for name, values in found.items()}}
        status = HTTPStatus.OK
    except RequestError as error:
        status, content = error.status, {"error_code": error.status.name, "message": str(error)}
    except Exception:
        logging.getLogger(__name__).exception("a request failed")
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        content = {"error_code": status.name, "message": "the model failed; expected an answer. See the server's log"}
    return scoring_server.InvocationsResponse(json.dumps(content), int(status), "application/json")


@cache
def freeze_once() -> None:
    """Let no later collection walk what was loaded: TensorFlow and MLflow hold hundreds of thousands of objects."""
    gc.freeze()


def read_request(data: bytes, content_type: str | None, spec: Any) -> np.ndarray[Any, Any]:
    """Return the images of a request, uint8; spec: MLflow's, of their shape. Raises RequestError for anything else."""
    kind = (content_type or "none").replace(" ", "").lower().removesuffix(";charset=utf-8")
    if kind != "application/json":
        raise RequestError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"content type is {kind[:100]}; expected application/json"
        )
    most = max(MOST_BYTES, BYTES_OF_A_PIXEL * math.prod(spec.shape[1:]))  # an image at least
    if len(data) > most:
        raise RequestError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the request has {len(data):,} bytes; expected at most {most:,}. Send fewer images at a time",
        )
    plain = read_plain(data, spec.shape[1:])
    if plain is not None:
        return plain
    try:
        text = data.decode()
        request = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0][:100]
        raise RequestError(HTTPStatus.BAD_REQUEST, f'not JSON ({reason}); expected {{"inputs": images}}') from error
    if not isinstance(request, dict) or set(request) != {"inputs"}:
        found = f"the keys {', '.join(map(repr, request))}" if isinstance(request, dict) else type(request).__name__
        raise RequestError(HTTPStatus.BAD_REQUEST, f'the request holds {found[:100]}; expected {{"inputs": images}}')
    if isinstance(request["inputs"], dict) and set(request["inputs"]) == COMPACT:
        return read_compact(request["inputs"], spec.shape[1:])
    # NumPy takes these for 1 and 0 among numbers.
    if "true" in text or "false" in text:
        raise RequestError(HTTPStatus.BAD_REQUEST, f"images hold true or false; {expected(spec.shape[1:])}")
    try:
        return convert_pixels(request["inputs"], spec)
    except MlflowException as error:
        raise RequestError(HTTPStatus.BAD_REQUEST, error.message) from error


def read_plain(data: bytes, shape: Sequence[int]) -> np.ndarray[Any, Any] | None:
    """Return the images of a request that is nested lists of such images and nothing else; None for any other request.

    Not by json, which makes a list for each pixel: work for Python's collector, and many times the request's memory.
    """
    found = PLAIN.fullmatch(data)
    if not found or found[1].translate(None, DIGITS + SPACES + BRACKETS + b","):
        return None
    text = found[1].translate(ZEROS)
    if b"0 " in text:  # perhaps two numbers without a comma
        return None
    text = text.translate(None, SPACES)
    # With one zero for each number, what is left must be the lists of so many images.
    kinds = np.frombuffer(text, np.uint8)
    is_first = np.ones(len(kinds), bool)
    np.not_equal(kinds[1:], kinds[:-1], out=is_first[1:])
    is_first |= kinds != ord("0")
    repeated = len(kinds) - np.count_nonzero(is_first)
    slots = kinds[is_first].tobytes()
    del text, kinds, is_first
    image = b"0," * (shape[-1] - 1) + b"0"
    for size in (*reversed(shape[:-1]), 1):
        image = b",".join([b"[" + image + b"]"] * size)
    count = (len(slots) - 1) // (len(image) + 1)
    if not count or slots != b"[" + b",".join([image] * count) + b"]":
        return None
    numbers = found[1].translate(None, BRACKETS + SPACES)
    values = np.fromstring(numbers, np.int32, sep=",")
    # As many digits as these numbers have: none has a zero before it.
    if values.max() > 255 or repeated != np.sum(values >= 10) + np.sum(values >= 100):
        return None
    return values.astype(np.uint8).reshape(count, *shape)


def read_compact(given: dict[str, Any], shape: Sequence[int]) -> np.ndarray[Any, Any]:
    """Return images that are sent as the base64 of their bytes, with their shape. Raises RequestError for others."""
    wanted = f"expected the base64 of n x {math.prod(shape)} bytes and the shape [n, {', '.join(map(str, shape))}]"
    sizes = given["shape"]
    is_list = isinstance(sizes, list) and all(type(size) is int for size in sizes)
    if not is_list or sizes[1:] != list(shape) or sizes[0] < 1:
        raise RequestError(HTTPStatus.BAD_REQUEST, f"the shape is {str(sizes)[:100]}; {wanted}")
    try:
        content = base64.b64decode(given["base64"], validate=True)
    except (TypeError, ValueError) as error:
        raise RequestError(HTTPStatus.BAD_REQUEST, f"not base64 ({str(error)[:100]}); {wanted}") from error
    if len(content) != math.prod(sizes):
        raise RequestError(HTTPStatus.BAD_REQUEST, f"the base64 holds {len(content)} bytes; {wanted}")
    return np.frombuffer(content, np.uint8).reshape(sizes)


def expected(shape: Sequence[int]) -> str:
    """Say what a request must hold; shape: of an image."""
    return f"expected whole numbers from 0 to 255, uint8, of shape (n, {', '.join(map(str, shape))})"


def convert_pixels(data: Any, spec: Any) -> np.ndarray[Any, Any]:
    """Turn nested lists into uint8, in place of MLflow's own conversion.

    That one casts to the signature's dtype, so that pixels scaled to [0, 1] would become 0 and be answered as if they
    had been black.
    """
    wanted = expected(spec.shape[1:])
    try:
        values = np.array(data)
    except ValueError as error:
        raise MlflowException(f"images are of unequal sizes; {wanted}", error_code=BAD_REQUEST) from error
    if values.shape[1:] != tuple(spec.shape[1:]):
        raise MlflowException(f"images have shape {values.shape}; {wanted}", error_code=BAD_REQUEST)
    if values.dtype.kind not in "iu" or (values.size and not 0 <= values.min() <= values.max() <= 255):
        held = f"{values.min()} to {values.max()}" if values.size and values.dtype.kind in "iuf" else "no numbers"
        raise MlflowException(f"images are {values.dtype}, {held}; {wanted}", error_code=BAD_REQUEST)
    return values.astype(np.uint8)


set_model(ImageClassifier())
