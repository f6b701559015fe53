"""Serve one network three ways, side by side: by this code, by that of an earlier commit, and by plain MLflow.

Plain MLflow is its Keras flavour, served as its pages say. One client and twenty at a time send requests of one and of
100 images over HTTP; the clients share the machine's cores with the server. Then requests are answered within one
process, without HTTP. Run after `dvc repro`, in the folder of params.yaml.
"""

import base64
import http.client
import json
import os
import runpy
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psutil

from benchmarks.before import BEFORE, export
from benchmarks.turns import Result, Row, finish, parser_of, start

ARCHIVE = Path("models/cnn/model.keras")
SHAPE = (28, 28, 1)
SECONDS = 8
# Clients at a time, and images in each request.
CASES = ((1, 1), (20, 1), (1, 100), (20, 100))
REQUESTS = 1000  # within one process
SERVERS = ("here", "before", "plain")
Turn = dict[str, dict[str, Result]]


def main(argv: Sequence[str] | None = None) -> None:
    """Let all take turns, then print what was measured and the ratios that targets are set for."""
    parser = parser_of(__doc__, rounds=2)
    parser.add_argument("--before", default=BEFORE, metavar="REVISION", help=f"the earlier commit (default: {BEFORE})")
    parser.add_argument("--port", type=int, default=5001, help="for the first server; the others take the next two")
    parser.add_argument("--save", choices=SERVERS, help="only save the model that one of them serves, and print where")
    parser.add_argument("--inside", action="store_true", help="only answer requests in this process, of --model")
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="of --save and --inside")
    parser.add_argument("--code", type=Path, metavar="FOLDER", help="of --save: the checkout that serves")
    options = parser.parse_args(argv)
    if options.save:
        save_plain(options.model) if options.save == "plain" else save_pipeline(options.code, options.model)
    elif options.inside:
        print(json.dumps(answer_inside(options.model)))
    else:
        sys.exit(compare(options.before, options.port, options.rounds, options.rest, options.json))


def compare(before: str, port: int, rounds: int, rest: float, file: Path | None) -> int:
    """Serve all in turns, print the tables, and return the exit code."""
    turns, inside = [], []
    with tempfile.TemporaryDirectory() as scratch:
        code = {"here": Path(__file__).parents[1], "before": Path(scratch, "code"), "plain": Path()}
        export(before, code["before"])
        models = {name: Path(scratch, name) for name in SERVERS}
        for name, model in models.items():
            job = ("benchmarks.serving", "--save", name, "--model", str(model), "--code", str(code[name]))
            start(job, label=f"save {name}")
        for _ in range(rounds):
            # A port for each: a server that ends may still hold its own.
            turns.append({name: measure_server(models[name], port + at) for at, name in enumerate(SERVERS)})
            alone = ("benchmarks.serving", "--inside", "--model", str(models["here"]))
            inside.append(start(alone, label="inside", rest=rest))
    print("| served by | clients | images each | requests a second | p50, ms | p99, ms | CPU, ms a request | MiB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name in turns[0]:
        for case in turns[0][name]:
            found = {key: median_of(turns, name, case, key) for key in ("rate", "p50", "p99", "cpu", "MiB")}
            rate, p50, p99, cpu, memory = found.values()
            print(f"| {name} | {case} | {rate:.0f} | {p50:.1f} | {p99:.1f} | {cpu:.1f} | {memory:.0f} |")
    return finish(rows_of(turns, inside), file, turns=turns, inside=inside, before=before)


def median_of(turns: Sequence[Turn], name: str, case: str, key: str) -> float:
    """Return the median of a figure over rounds."""
    return float(statistics.median(turn[name][case][key] for turn in turns))


def rows_of(turns: Sequence[Turn], inside: Sequence[Result]) -> list[Row]:
    """Return the ratios that targets are set for; each is taken within a round, then their median."""

    def ratio(case: str, key: str, other: str) -> float:
        return float(statistics.median(turn["here"][case][key] / turn[other][case][key] for turn in turns))

    def within(key: str, other: str) -> float:
        return float(statistics.median(found[key] / found[other] for found in inside))

    latency = statistics.median(turn["here"]["20 | 1"]["p99"] / turn["here"]["20 | 1"]["p50"] for turn in turns)
    cases = (f"{clients} | {images}" for clients, images in CASES)
    return [
        Row("100 images: a request in the process / the network's own, mean", within("mean ms", "network ms"), 2),
        Row("100 images: the same, the slowest of 1,000", within("slowest ms", "network ms"), 3),
        Row("1 client, 100 images: CPU a request / before", ratio("1 | 100", "cpu", "before"), 0.15),
        Row("20 clients, 1 image: requests a second / before", ratio("20 | 1", "rate", "before"), 3, at_least=True),
        Row("20 clients, 1 image: p99 / p50", latency, 2),
        *(
            Row(f"clients {case} images: CPU a request / plain MLflow", ratio(case, "cpu", "plain"), 0.5)
            for case in cases
        ),
        Row("memory while the largest request is read / its size", within("peak MiB", "largest MiB"), 4),
    ]


def save_pipeline(code: Path, folder: Path) -> None:
    """Save the network with the code that serves it in a checkout, as `track` does there."""
    import mlflow

    from pipeline.bytes.descriptions import read_dataset
    from pipeline.runtime.files import file_digest
    from pipeline.store.logged_model import signature_of

    dataset, served = read_dataset("test"), code / "pipeline/store/serving.py"
    digest_folder = runpy.run_path(str(served))["digest_folder"]
    with tempfile.TemporaryDirectory() as scratch:
        library = Path(scratch, "code", "fashion_mnist")
        shutil.copytree(code / "src/fashion_mnist", library, ignore=shutil.ignore_patterns("__pycache__"))
        mlflow.pyfunc.save_model(
            folder,
            python_model=str(served),
            artifacts={"archive": shutil.copy(ARCHIVE, scratch)},
            model_config={
                "sha256": file_digest(ARCHIVE),
                "code": digest_folder(library.parent),
                "classes": list(dataset.classes),
                "shape": list(dataset.image_shape),
                "is_resampled": dataset.is_resampled,
            },
            code_paths=[str(library)],
            pip_requirements=["mlflow"],
            signature=signature_of(dataset),
        )


def save_plain(folder: Path) -> None:
    """Save the same network, with a layer that scales pixels, as MLflow's Keras flavour."""
    import keras
    import mlflow
    from keras import layers
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    network = keras.models.load_model(ARCHIVE, compile=False)
    model = keras.Sequential([layers.Input(SHAPE), layers.Rescaling(1 / 255), network])
    inputs = Schema([TensorSpec(np.dtype(np.uint8), (-1, *SHAPE))])
    outputs = Schema([TensorSpec(np.dtype(np.float32), (-1, 10))])
    signature = ModelSignature(inputs, outputs)
    mlflow.keras.save_model(model, str(folder), signature=signature, pip_requirements=["mlflow"])


def answer_inside(folder: Path) -> dict[str, float]:
    """Answer requests of 100 images in this process; return milliseconds, and the memory of reading a large one."""
    import mlflow
    from mlflow.pyfunc import scoring_server

    from pipeline.store.serving import MOST_BYTES, read_request

    model = mlflow.pyfunc.load_model(str(folder))
    schema = model.metadata.get_input_schema()
    body = body_of(100)
    seconds = timed(lambda: scoring_server.invocations(body, "application/json", model, schema), REQUESTS)
    served = model.unwrap_python_model()
    images = np.zeros((100, *SHAPE), np.uint8)
    network = timed(lambda: served.compute(images), REQUESTS)
    largest = body_of(99 * MOST_BYTES // len(body))
    tracemalloc.start()
    read_request(largest, "application/json", schema.inputs[0])
    peak = tracemalloc.get_traced_memory()[1] + len(largest)
    return {
        "mean ms": 1000 * statistics.mean(seconds),
        "slowest ms": 1000 * max(seconds),
        "network ms": 1000 * statistics.mean(network),
        "peak MiB": peak / 2**20,
        "largest MiB": len(largest) / 2**20,
    }


def timed(call: Any, count: int) -> list[float]:
    """Return the seconds of each of so many calls, after three that do not count."""
    seconds = []
    for number in range(count + 3):
        started = time.perf_counter()
        call()
        if number >= 3:
            seconds.append(time.perf_counter() - started)
    return seconds


def body_of(images: int, *, compact: bool = False) -> bytes:
    """Return a request of so many drawn images."""
    pixels = np.random.default_rng(1).integers(0, 256, (images, *SHAPE), np.uint8)
    if compact:
        text = base64.b64encode(pixels.tobytes()).decode()
        return json.dumps({"inputs": {"base64": text, "shape": pixels.shape}}).encode()
    return json.dumps({"inputs": pixels.tolist()}).encode()


def measure_server(model: Path, port: int) -> dict[str, Result]:
    """Serve a model and measure each case; only this code takes compact requests."""
    found = {}
    with served(model, port) as server:
        for clients, images in CASES:
            found[f"{clients} | {images}"] = measure_case(server, port, clients, body_of(images))
        if model.name == "here":
            found["1 | 100, compact"] = measure_case(server, port, 1, body_of(100, compact=True))
    return found


def measure_case(server: psutil.Process, port: int, clients: int, body: bytes) -> Result:
    """Return requests a second, milliseconds and the server's memory."""
    before = cpu_seconds(server)
    seconds, latencies = measure(f"http://127.0.0.1:{port}", clients, body)
    p50, p99 = (1000 * statistics.quantiles(latencies, n=100)[at] for at in (49, 98))
    cpu = 1000 * (cpu_seconds(server) - before) / len(latencies)
    memory = sum(process.memory_info().rss for process in (server, *server.children(recursive=True))) / 2**20
    return {"rate": len(latencies) / seconds, "p50": p50, "p99": p99, "cpu": cpu, "MiB": memory}


@contextmanager
def served(model: Path, port: int) -> Iterator[psutil.Process]:
    """Serve a model until the block ends."""
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(model), "--env-manager", "local"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            wait_for(server, port)
            yield psutil.Process(server.pid)
        finally:
            if server.poll() is None:
                for process in (*psutil.Process(server.pid).children(recursive=True), server):
                    process.terminate()
            server.wait()


def cpu_seconds(server: psutil.Process) -> float:
    """Return for how long a server and the processes that it started have computed."""
    times = [process.cpu_times() for process in (server, *server.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


def wait_for(server: "subprocess.Popen[bytes]", port: int) -> None:
    """Wait until a server answers, for two minutes at most."""
    for _ in range(240):
        if server.poll() is not None:
            sys.exit(f"error: the server ended with {server.returncode}; expected it to answer")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/ping")
            return
        except OSError:
            time.sleep(0.5)
        finally:
            connection.close()
    sys.exit("error: the server does not answer; expected it within two minutes")


def measure(address: str, clients: int, body: bytes) -> tuple[float, list[float]]:
    """Return the seconds that passed and how long each request took, of clients that ask without a pause."""
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
