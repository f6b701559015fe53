"""What stands at the address of a scheduler, and is none."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import dask
import pytest
from distributed import LocalCluster

from fashion_mnist.errors import ClusterError
from pipeline.study import connection
from pipeline.study.connection import connect
from tests.end_to_end.conftest import free_port


@contextmanager
def speaker(greeting: bytes) -> Iterator[int]:
    """Listen on a port as a service that greets and then says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as kept:

        def listen() -> None:
            while True:
                try:
                    caller = kept.enter_context(listener.accept()[0])
                    caller.sendall(greeting)
                except OSError:
                    return

        threading.Thread(target=listen, daemon=True).start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("address", "greeting", "reason"),
    [
        ("tcp://127.0.0.1:{closed}", b"", "no Dask scheduler answers"),
        ("tcp://127.0.0.1:{open}", b"", "said nothing for 1 s"),
        ("tcp://127.0.0.1:{open}", b"HTTP/1.1 400 Bad Request\r\n\r\n", "another protocol"),
        ("tcp://127.0.0.1:{open}", b"SSH-2.0-OpenSSH_9.2p1\r\n", "another protocol"),
        ("tls://127.0.0.1:{open}", b"", "TLS"),
        ("http://127.0.0.1:{open}", b"", "scheme 'http'"),
        ("ucx://127.0.0.1:{open}", b"", "UCX"),
        ("127.0.0.1", b"", "missing port"),
        ("tcp://127.0.0.1:port", b"", "'port'"),
        ("tcp://127.0.0.1:{open}:", b"", "invalid address"),
        ("8786", b"", "missing port"),
    ],
)
def test_what_is_no_scheduler_is_named_in_one_line(address: str, greeting: bytes, reason: str) -> None:
    with speaker(greeting) as port, dask.config.set({"distributed.comm.timeouts.connect": "1s"}):
        address = address.format(open=port, closed=free_port())
        with pytest.raises(ClusterError) as raised:
            connect(address, say=print)
    assert str(raised.value).startswith(f"scheduler-address {address}: ")
    assert reason in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1
    assert "Error" not in str(raised.value), "names a class of Python"
    assert len(str(raised.value)) < 400


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=None
    ) as made:
        yield made


def test_a_worker_in_place_of_its_scheduler_is_called_one(cluster: LocalCluster) -> None:
    with pytest.raises(ClusterError, match="is a Dask worker"):
        connect(cluster.workers[0].address, say=print)


def test_a_scheduler_of_another_version_is_said(cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "version", lambda _: "2025.1.0")
    said: list[str] = []
    with connect(cluster.scheduler_address, say=said.append):
        assert len(said) == 1
    assert "here it is 2025.1.0" in said[0]
