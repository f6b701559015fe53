"""MLflow's server as a process that starts in a fraction of a second, so that it can be killed often."""

import itertools
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from socket import socket

import requests

from pipeline.runtime.command import quiet_import
from tests.end_to_end.conftest import free_port

# When a process dies: before a request is sent, while the server works on it, or after that, before its answer.
MOMENTS = ("before", "during", "after")
MIDST_SECONDS = 0.004
# How long a process waits for the other's next request.
STEP_SECONDS = 3
Send = Callable[[], requests.Response]
Handle = Callable[[int, Send], requests.Response]


class Server:
    """MLflow's own app, in a child forked from this process, which has imported it; its store lies in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self.process = folder, free_port(), 0
        self.address = f"http://127.0.0.1:{self.port}"

    def start(self) -> "Server":
        """Start it, and wait until it answers."""
        with quiet_import(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow's, about its own use of Starlette
            import mlflow.server.fastapi_app  # noqa: F401 - so that the child need not

        self.process = os.fork()
        if self.process == 0:
            self._serve()
        end = time.monotonic() + 60
        while True:
            with suppress(requests.RequestException):
                if requests.get(f"{self.address}/health", timeout=5).ok:
                    return self
            assert time.monotonic() < end, "the server does not start"
            time.sleep(0.05)

    def stop(self) -> None:
        """Kill it, if nothing else has."""
        if self.process:
            with suppress(ProcessLookupError):
                os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
            self.process = 0

    def _serve(self) -> None:
        """Be the server, in a process of its own."""
        try:
            nowhere = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(nowhere, stream)
            os.environ.update(
                {
                    "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{self.folder}/server.db",
                    "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
                    "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(self.folder / "artifacts"),
                    "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
                }
            )
            import uvicorn
            from mlflow.server.fastapi_app import app

            uvicorn.run(app, host="127.0.0.1", port=self.port, log_level="critical")
        finally:
            os._exit(0)


def intercept(handle: Handle, log: Path) -> None:
    """Let a function send this process' requests, given the number of each over all threads; the log lists them."""
    original, counter, lock = requests.Session.send, itertools.count(1), threading.Lock()

    def send(self: requests.Session, request: requests.PreparedRequest, **options: object) -> requests.Response:
        with lock:
            number = next(counter)
            with log.open("a") as file:
                file.write(f"{request.method} {request.path_url.partition('?')[0]}\n")
        return handle(number, lambda: original(self, request, **options))

    requests.Session.send = send  # type: ignore[method-assign]


def send_all(_: int, send: Send) -> requests.Response:
    """Disturb nothing."""
    return send()


def kill(process: int, number: int, moment: str) -> Handle:
    """Let a process die at the n-th request of this one, which may be it."""

    def handle(present: int, send: Send) -> requests.Response:
        if present != number:
            return send()
        if moment == "before":
            os.kill(process, signal.SIGKILL)
        elif moment == "during":
            threading.Timer(MIDST_SECONDS, os.kill, (process, signal.SIGKILL)).start()
        answer = send()
        if moment == "after":
            os.kill(process, signal.SIGKILL)
            raise requests.ConnectionError("the answer was lost")
        return answer

    return handle


def in_step(own: socket, other: socket, handle: Handle, *, lead: int = 0) -> Handle:
    """Send each request at the moment at which another process sends one, once this one has sent `lead` by itself.

    own, other: the ends of a pair, of which each process uses one. No lock is shared, which a killed one could keep.
    """
    lock = threading.Lock()

    def wait(number: int, send: Send) -> requests.Response:
        other.close()  # this process' copy, or the end of the other process would not be seen
        if number > lead:
            with lock, suppress(OSError):
                own.settimeout(STEP_SECONDS)
                own.send(b".")
                own.recv(1)
        return handle(number, send)

    return wait
