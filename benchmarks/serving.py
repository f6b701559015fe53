"""Time the served champion: requests a second, and how long the median and the slowest hundredth take.

Starts `mlflow models serve` as docs/serving.md shows it, for the champion of tracking/, then sends single images from
one client and from twenty at a time, and larger requests from one. The clients share the machine's cores with the
server. What the server computes for a request is told as well, as it depends less on what else the machine does. Run
after `dvc repro`, in the folder of params.yaml.
"""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

import numpy as np
import psutil

MODEL = "models:/fashion-mnist@champion"
SECONDS = 8
# Clients at a time, and images in each request.
CASES = ((1, 1), (20, 1), (1, 100), (20, 100))


def main(argv: Sequence[str] | None = None) -> None:
    """Print a row of a Markdown table for each case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=5001, help="for the server")
    port = parser.parse_args(argv).port
    print("| clients | images each | requests a second | images a second | p50, ms | p99, ms | CPU, ms a request |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    with served(port) as server:
        for clients, images in CASES:
            before = cpu_seconds(server)
            seconds, latencies = measure(f"http://127.0.0.1:{port}", clients, images)
            rate, cpu = len(latencies) / seconds, 1000 * (cpu_seconds(server) - before) / len(latencies)
            p50, p99 = (1000 * statistics.quantiles(latencies, n=100)[at] for at in (49, 98))
            figures = f"{rate:.0f} | {rate * images:.0f} | {p50:.0f} | {p99:.0f} | {cpu:.1f}"
            print(f"| {clients} | {images} | {figures} |", flush=True)


@contextmanager
def served(port: int) -> Iterator[psutil.Process]:
    """Serve the champion until the block ends."""
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", MODEL, "--env-manager", "local"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": "sqlite:///tracking/mlflow.db",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            wait_for(server, port)
            yield psutil.Process(server.pid)
        finally:
            server.terminate()
            server.wait()


def cpu_seconds(server: psutil.Process) -> float:
    """Return for how long a server and the processes that it started have computed."""
    times = [process.cpu_times() for process in (server, *server.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


def wait_for(server: "subprocess.Popen[bytes]", port: int) -> None:
    """Wait until a server answers, for two minutes at most."""
    for _ in range(240):
        if server.poll() is not None:
            sys.exit(f"error: the server ended with {server.returncode}; expected a champion in tracking/")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/ping")
            return
        except OSError:
            time.sleep(0.5)
        finally:
            connection.close()
    sys.exit("error: the server does not answer; expected it within two minutes")


def measure(address: str, clients: int, images: int) -> tuple[float, list[float]]:
    """Return the seconds that passed and how long each request took, of clients that ask without a pause."""
    pixels = np.random.default_rng(1).integers(0, 256, (images, 28, 28, 1))
    body = json.dumps({"inputs": pixels.tolist()}).encode()
    ask(address, body, until=0)  # the first request of a size traces the network
    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        asked = [pool.submit(ask, address, body, until=started + SECONDS) for _ in range(clients)]
        latencies = [latency for client in asked for latency in client.result()]
    return time.perf_counter() - started, latencies


def ask(address: str, body: bytes, *, until: float) -> list[float]:
    """Ask over one connection, at least twice, until a time; returns how long each request took."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)
    latencies: list[float] = []
    while len(latencies) < 2 or time.perf_counter() < until:
        started = time.perf_counter()
        connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != http.HTTPStatus.OK:
            sys.exit(f"error: the server answers {answer.status}: {content[:200]!r}")
        latencies.append(time.perf_counter() - started)
    connection.close()
    return latencies


if __name__ == "__main__":
    main()
