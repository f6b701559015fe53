"""Mirrors, checksums and silent networks, with real servers on the loopback interface."""

import functools
import hashlib
import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import tensorflow_datasets as tfds

from fashion_mnist.errors import DataError, DownloadError
from fashion_mnist.sources.fashion_mnist import RAW_FILES
from pipeline import download
from pipeline.runtime.paths import RAW
from pipeline.tools.demo import change_params

NAMES = sorted(name for names in RAW_FILES.values() for name in names)


@pytest.fixture
def published(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with four drawn files that tensorflow-datasets holds for the published ones."""
    files = download.draw(download.read_params().download)
    folder = workspace / "published"
    folder.mkdir()
    infos = {}
    for name, content in files.items():
        (folder / name).write_bytes(content)
        infos[f"http://registered.invalid/{name}"] = tfds.core.download.checksums.UrlInfo(
            size=tfds.core.utils.Size(len(content)), checksum=hashlib.sha256(content).hexdigest(), filename=name
        )
    monkeypatch.setattr(tfds.image_classification.FashionMNIST, "url_infos", infos)
    change_params(workspace / "params.yaml", {"download.dataset": "fashion_mnist"})
    return folder


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on loopback; gives its address."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def silent_server(answer: bytes) -> Iterator[str]:
    """Accept connections, say `answer` and then nothing more; gives the address."""
    stop = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    open_connections = []

    def accept() -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            open_connections.append(connection)
            connection.sendall(answer)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        thread.join()
        for opened in [*open_connections, listener]:
            opened.close()


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
        with pytest.raises(DataError, match=rf"^{NAMES[2]}: sha256 is \w+…, expected \w+…; the file is not Fashion"):
            download.main([])
    assert (RAW / NAMES[2]).read_text() == "yesterday's"
    assert [path.name for path in RAW.parent.iterdir()] == ["raw"]


def test_swapped_files_are_named(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = (published / NAMES[2]).read_bytes(), (published / NAMES[3]).read_bytes()
    (published / NAMES[2]).write_bytes(labels)
    (published / NAMES[3]).write_bytes(images)
    monkeypatch.setenv("FASHION_MNIST_MIRROR", str(published))
    with pytest.raises(DataError, match=r"the file is not Fashion-MNIST's\. Replace it and run again\."):
        download.main([])


def test_a_file_of_another_known_data_set_is_named_by_its_address() -> None:
    known = tfds.image_classification.MNIST.url_infos
    url, info = next((url, info) for url, info in known.items() if "train-images" in url)
    message = (
        f"Artifact http://a/{NAMES[2]}, downloaded to /x, has wrong checksum:\n"
        f"* Expected: UrlInfo(size=1, checksum='{'0' * 64}', filename='x')\n"
        f"* Got: UrlInfo(size=1, checksum='{info.checksum}', filename='x')\n"
    )
    assert f"(that of {url}), expected 000000000000…" in download.explain_mismatch(message)


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


def test_server_that_never_answers_is_given_up(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    monkeypatch.setattr(download, "ANSWER_SECONDS", 0.5)
    with silent_server(b"") as address:
        monkeypatch.setenv("FASHION_MNIST_MIRROR", address)
        with pytest.raises(DownloadError, match=r"does not answer \(.*timed out.*run `make demo`"):
            download.main([])


def test_download_that_stalls_is_given_up(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    monkeypatch.setattr(download, "STALL_SECONDS", 3)
    with silent_server(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf") as address:
        monkeypatch.setenv("FASHION_MNIST_MIRROR", address)
        with pytest.raises(DownloadError, match=rf"^{address} sent nothing for 3 s after \d+ bytes\. Set FASHION"):
            download.main([])
    assert list(RAW.parent.iterdir()) == []


def test_without_a_mirror_the_registered_address_is_asked(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    monkeypatch.delenv("FASHION_MNIST_MIRROR", raising=False)
    with pytest.raises(DownloadError, match=r"^http://registered\.invalid/.* does not answer"):
        download.main([])
