"""Mirrors, checksums and networks that fail, with real servers on the loopback interface."""

import functools
import hashlib
import http.server
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
import tensorflow_datasets as tfds
from tensorflow_datasets.core.download.checksums import UrlInfo, get_all_url_infos

from fashion_mnist.errors import DataError, DownloadError
from fashion_mnist.sources.fashion_mnist import RAW_FILES
from pipeline import download
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import RAW
from pipeline.tools.demo import PROJECT, change_params

NAMES = sorted(name for names in RAW_FILES.values() for name in names)


@pytest.fixture
def published(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with four drawn files that tensorflow-datasets holds for the published ones."""
    files = download.draw(read_params().download)
    folder = workspace / "published"
    folder.mkdir()
    infos = {}
    for name, content in files.items():
        (folder / name).write_bytes(content)
        infos[f"http://registered.invalid/{name}"] = UrlInfo(
            size=tfds.core.utils.Size(len(content)), checksum=hashlib.sha256(content).hexdigest(), filename=name
        )
    monkeypatch.setattr(tfds.image_classification.FashionMNIST, "url_infos", infos)
    change_params(workspace / "params.yaml", {"download.dataset": "fashion_mnist"})
    return folder


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(folder: Path, handler_type: type[QuietHandler] = QuietHandler) -> Iterator[str]:
    """Serve a folder on loopback; gives its address."""
    handler = functools.partial(handler_type, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


Talk = Callable[[socket.socket, threading.Event], object]


@contextmanager
def talking_server(talk: Talk) -> Iterator[str]:
    """Accept connections, let `talk` answer each until it returns or the event is set; gives the address."""
    stop = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    threads = []

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):  # a client may leave
            connection.recv(4096)
            talk(connection, stop)

    def accept() -> None:
        while not stop.is_set():
            with suppress(TimeoutError):
                threads.append(threading.Thread(target=answer, args=listener.accept()[:1]))
                threads[-1].start()

    with listener:
        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stop.set()
            for thread in [acceptor, *threads]:
                thread.join()


def then_silent(said: bytes) -> Talk:
    """Say this and then nothing more, without closing."""

    def talk(connection: socket.socket, stop: threading.Event) -> None:
        connection.sendall(said)
        stop.wait()

    return talk


def then_closed(said: bytes) -> Talk:
    return lambda connection, _: connection.sendall(said)


def trickle(connection: socket.socket, stop: threading.Event) -> None:
    """Promise a file, and send a byte of it ten times a second."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not stop.wait(0.1):
        connection.sendall(b"x")


def answered(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the line that download ends in with such a server as its mirror, the address left out; no file is left."""
    with talking_server(talk) as address:
        monkeypatch.setenv("FASHION_MNIST_MIRROR", address)
        with pytest.raises((DataError, DownloadError)) as error:
            download.main([])
    assert "\n" not in str(error.value)
    assert not RAW.parent.exists()
    return str(error.value).replace(address, "http://mirror")


def test_folder_mirror_is_verified_and_copied(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASHION_MNIST_MIRROR", str(published))
    download.main([])
    assert {path.name: path.read_bytes() for path in RAW.iterdir()} == {
        name: (published / name).read_bytes() for name in NAMES
    }


def test_http_mirror_is_verified_and_copied(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(published) as address:
        monkeypatch.setenv("FASHION_MNIST_MIRROR", f"{address}/")
        download.main([])
    assert sorted(path.name for path in RAW.iterdir()) == NAMES
    assert (RAW / NAMES[0]).read_bytes() == (published / NAMES[0]).read_bytes()


@pytest.mark.parametrize("over_http", [False, True])
def test_changed_byte_is_refused_and_what_stood_there_stays(
    published: Path, monkeypatch: pytest.MonkeyPatch, over_http: bool
) -> None:
    content = bytearray((published / NAMES[2]).read_bytes())
    content[-1] ^= 1
    (published / NAMES[2]).write_bytes(content)
    RAW.mkdir(parents=True)
    (RAW / NAMES[2]).write_text("yesterday's")
    with served(published) as address:
        monkeypatch.setenv("FASHION_MNIST_MIRROR", address if over_http else str(published))
        with pytest.raises(
            DataError, match=rf"^{NAMES[2]}: sha256 is \w+…, expected \w+…; the file is not Fashion.* Replace"
        ):
            download.main([])
    assert (RAW / NAMES[2]).read_text() == "yesterday's"
    assert [path.name for path in RAW.parent.rglob("*")] == ["raw", NAMES[2]]


def test_a_file_of_another_known_data_set_is_named_by_its_address(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = hashlib.sha256(b"digits").hexdigest()
    infos = {"http://a/digits.gz": SimpleNamespace(checksum=known)}
    monkeypatch.setattr(download, "get_all_url_infos", lambda: infos)
    (published / NAMES[2]).write_bytes(b"digits")
    monkeypatch.setenv("FASHION_MNIST_MIRROR", str(published))
    with pytest.raises(DataError, match=rf"^{NAMES[2]}: sha256 is {known[:12]}… \(that of http://a/digits\.gz\), exp"):
        download.main([])


def test_digits_are_among_the_known_data_sets() -> None:
    digits = {info.checksum for info in tfds.image_classification.MNIST.url_infos.values()}
    assert len(digits) == 4
    assert digits <= {info.checksum for info in get_all_url_infos().values()}


@pytest.mark.parametrize("present", [0, 3])
def test_folder_without_all_four_files_is_refused_before_any_network_is_asked(
    published: Path, monkeypatch: pytest.MonkeyPatch, present: int
) -> None:
    for name in NAMES[present:]:
        (published / name).unlink()
    monkeypatch.setenv("FASHION_MNIST_MIRROR", str(published))
    with pytest.raises(DownloadError, match=rf"holds no file {NAMES[present]}; expected .* or run `make demo`"):
        download.main([])


@pytest.mark.parametrize("mirror", ["~nobody-here/x", "x" * 300, "file:///x"])
def test_mirror_that_cannot_be_looked_into_holds_no_file(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, mirror: str
) -> None:
    change_params(workspace / "params.yaml", {"download.dataset": "fashion_mnist"})
    monkeypatch.setenv("FASHION_MNIST_MIRROR", mirror)
    with pytest.raises(DownloadError, match="holds no file"):
        download.main([])


def test_mirror_that_lacks_a_file_is_named(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (published / NAMES[0]).unlink()
    (published / NAMES[3]).unlink()
    with served(published) as address:
        monkeypatch.setenv("FASHION_MNIST_MIRROR", address)
        with pytest.raises(DownloadError, match=rf"{address}/.*404.*FASHION_MNIST_MIRROR"):
            download.main([])


def test_refused_connection_is_named_at_once(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    monkeypatch.setenv("FASHION_MNIST_MIRROR", address)
    with pytest.raises(DownloadError, match=rf"^{address}/\S+ does not answer \(.*refused.*run `make demo`"):
        download.main([])


@pytest.mark.usefixtures("published")
def test_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "STALL_SECONDS", 0.5)
    said = answered(then_silent(b""), monkeypatch)
    assert re.match(r"http://mirror/\S+ does not answer \(.*timed out.*run `make demo`", said)


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize(
    "talk", [then_silent(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf"), trickle], ids=["silent", "trickle"]
)
def test_download_that_stalls_is_given_up(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "STALL_SECONDS", 1)
    started = time.monotonic()
    said = answered(talk, monkeypatch)
    assert time.monotonic() - started < 5
    assert re.match(r"http://mirror/\S+ sent nothing, or next to nothing, for 1 s; \d+ bytes came\. Set FASHION", said)


def test_slow_source_is_not_cut_off(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "STALL_SECONDS", 0.5)
    content = (published / NAMES[2]).read_bytes()

    def talk(connection: socket.socket, stop: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for start in range(0, len(content), download.BLOCK_BYTES):
            connection.sendall(content[start : start + download.BLOCK_BYTES])
            stop.wait(0.4)

    with talking_server(talk) as address, requests.Session() as session:
        started = time.monotonic()
        assert download.receive(session, address, len(content), SimpleNamespace(update=lambda _: None)) == content
        assert time.monotonic() - started > 1.5


WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
MOVED = b"HTTP/1.1 302 Found\r\nLocation: /again\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html>Please log in</html>"
REFUSED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize(
    ("talk", "said"),
    [
        (
            then_closed(WHOLE + b"half"),
            r"http://mirror/\S+ broke off after 4 bytes \(.*\)\. Run again\. Set FASHION",
        ),
        (then_closed(b""), r"http://mirror/\S+ does not answer \(Remote end closed"),
        (then_closed(b"no HTTP"), r"http://mirror/\S+ does not answer \("),
        (then_closed(MOVED), r"http://mirror/\S+ does not answer \(Exceeded 30 redirects\.\)"),
        (then_closed(REFUSED), r"http://mirror/\S+ does not answer \(403 Client Error: Forbidden"),
        (
            then_closed(PAGE),
            r"\S+-ubyte\.gz: sha256 is \w+… \(of fewer than \d+ bytes\), expected \w+…; the file is not",
        ),
    ],
    ids=["cut", "closed", "no HTTP", "redirects", "forbidden", "page"],
)
def test_what_is_no_file_ends_in_one_line_and_nothing_is_written(
    talk: Talk, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert re.match(said, answered(talk, monkeypatch))


@pytest.mark.usefixtures("published")
def test_answer_that_is_too_long_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []

    def talk(connection: socket.socket, _: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while len(sent) < 300:  # more than sockets keep
            connection.sendall(bytes(100_000))
            sent.append(100_000)

    said = answered(talk, monkeypatch)
    assert re.match(r"\S+-ubyte\.gz: sha256 is \w+… \(of more than \d+ bytes\), expected \w+…; the file is not", said)
    assert len(sent) < 300


def test_server_that_is_overloaded_for_a_moment_is_asked_again(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = iter([True, True])

    class Busy(QuietHandler):
        def do_GET(self) -> None:
            self.send_error(503) if next(busy, False) else super().do_GET()

    with served(published, Busy) as address:
        monkeypatch.setenv("FASHION_MNIST_MIRROR", address)
        download.main([])
    assert sorted(path.name for path in RAW.iterdir()) == NAMES


def test_file_is_taken_as_it_is_published_though_a_server_calls_it_compressed(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Labelling(QuietHandler):
        def end_headers(self) -> None:
            self.send_header("Content-Encoding", "gzip")
            super().end_headers()

    with served(published, Labelling) as address:
        monkeypatch.setenv("FASHION_MNIST_MIRROR", address)
        download.main([])
    assert (RAW / NAMES[0]).read_bytes() == (published / NAMES[0]).read_bytes()


def test_ctrl_c_ends_a_download_that_waits(workspace: Path) -> None:
    change_params(workspace / "params.yaml", {"download.dataset": "fashion_mnist"})
    asked = threading.Event()

    def talk(_: socket.socket, stop: threading.Event) -> None:
        asked.set()
        stop.wait()

    with talking_server(talk) as address:
        environment = os.environ | {"PYTHONPATH": str(PROJECT), "FASHION_MNIST_MIRROR": address}
        command = [sys.executable, "-m", "pipeline.download"]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
            assert asked.wait(60)
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=10)[1]
    assert (process.returncode, said) == (130, "interrupted; no file is half-written. Run again to continue\n")
    assert not RAW.parent.exists()


def test_without_a_mirror_the_registered_address_is_asked(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    monkeypatch.delenv("FASHION_MNIST_MIRROR", raising=False)
    with pytest.raises(DownloadError, match=r"^http://registered\.invalid/.* does not answer"):
        download.main([])


def test_what_is_there_and_right_is_not_fetched_again(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    RAW.mkdir(parents=True)
    for name in NAMES[1:]:
        (RAW / name).write_bytes((published / name).read_bytes())
    (RAW / NAMES[1]).write_bytes(b"damaged")
    asked: list[str] = []

    class Noting(QuietHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

    with served(published, Noting) as address:
        monkeypatch.setenv(download.MIRROR, address)
        download.main([])
    assert sorted(asked) == [f"/{name}" for name in NAMES[:2]]
    assert {path.name: path.read_bytes() for path in RAW.iterdir()} == {
        name: (published / name).read_bytes() for name in NAMES
    }


def test_files_of_another_data_set_do_not_stay(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (RAW / "train" / "cat").mkdir(parents=True)
    (RAW / "stray.gz").touch()
    monkeypatch.setenv(download.MIRROR, str(published))
    download.main([])
    assert sorted(path.name for path in RAW.iterdir()) == NAMES
