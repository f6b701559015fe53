"""Time the training of both networks side by side: the source article's loop, this pipeline, PyTorch.

An epoch is the 60,000 training images in batches of 32, in float32. Every contender trains in a process of its own, so
that neither threads nor memory mix, and they take turns, so that a machine that slows down slows all. Run it in the
folder of params.yaml after `make repro`, on a machine that does nothing else. Exit code 1: a target is missed.
"""

import argparse
import gc
import json
import os
import resource
import sys
import time
import timeit
from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.turns import COLLECTOR, Result, Row, finish, parser_of, start
from fashion_mnist.data.dataset import scale_pixels
from fashion_mnist.data.split import Floats, Split
from fashion_mnist.errors import ArtifactError
from fashion_mnist.networks import dense
from fashion_mnist.params.training import TrainingParams
from fashion_mnist.sources.fashion_mnist import CLASS_NAMES, IMAGE_SHAPE, RAW_FILES, SIDE
from fashion_mnist.sources.published import check_fashion_mnist
from pipeline.bytes.numerics import CPUINFO, choose_instructions
from pipeline.normalize import read_raw
from pipeline.runtime.command import run
from pipeline.runtime.machine import available_workers, cpu_model
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import RAW

# The article's loop has all instructions of the CPU, this pipeline those up to AVX2.
HAS_AVX512 = CPUINFO.is_file() and " avx512f " in CPUINFO.read_text()
# The pipeline's seconds per epoch, divided by another contender's, may be at most this.
TARGETS = {
    "dense": {"article": 0.10, "pytorch": 1.0},
    "cnn": {"article": 0.78 if HAS_AVX512 else 0.62, "pytorch": 1.0 if HAS_AVX512 else 0.7},
}
IMAGES, BATCH = 60_000, 32
MIB = 2**20 if sys.platform == "darwin" else 2**10  # ru_maxrss counts bytes there, KiB elsewhere
COLUMNS = {"first s": ".2f", "epoch s": ".2f", "images/s": ",.0f", "of sgemm": ".0%", "MiB": ".0f", "accuracy": ".4f"}
LIBRARIES = ["tensorflow", "pytorch"]
LEGEND = """first s: the first epoch, with compilation. epoch s: a later one. of sgemm: its arithmetic, relative to what
the fastest matrix product would do meanwhile. MiB: peak memory. accuracy: on test. All are medians over rounds."""


def main(argv: Sequence[str] | None = None) -> None:
    """Let the contenders take turns, then print what they need and the ratios that targets are set for."""
    options = parse(argv)
    fixed = {"epochs": options.epochs, "batch_size": BATCH, "precision": "float32", "instructions": "avx2"}
    models = {name: read_params().train[name].model_copy(update=fixed) for name in options.models}
    if options.contender:
        print(json.dumps(JOBS[options.contender](models[options.models[0]])))
        return
    check_ready()
    turn("prepare", options.models[0], options, label="check the data and write the article's TFRecords")
    turns: list[Result] = []
    for number, (name, params) in product(range(1, options.rounds + 1), models.items()):
        label = f"round {number} of {options.rounds}, {name}, "
        rates = turn("sgemm", name, options, label=label + "matrix product in GFLOP/s")
        same = {"model": name, "round": number, "gflop": IMAGES * flops_per_image(params) / 1e9, "sgemm": rates}
        turns += [{**same, "contender": job, **turn(job, name, options, label=label + job)} for job in CONTENDERS]
    sys.exit(finish(report(turns), options.json, turns=turns))


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = parser_of(__doc__, rounds=2)
    parser.add_argument("--epochs", type=int, default=3, help="epochs of a turn, at least 2 (default: 3)")
    parser.add_argument("--models", "--model", nargs="+", choices=TARGETS, default=list(TARGETS), help="default: all")
    parser.add_argument("--contender", choices=JOBS, help="run one turn of one model in this process; prints JSON")
    options = parser.parse_args(argv)
    if not options.contender and options.epochs < 2:
        parser.error(f"--epochs is {options.epochs}; expected at least 2 epochs, the first of which does not count")
    return options


def check_ready() -> None:
    """Refuse to start without the data or PyTorch. Raises ArtifactError that says how to get them."""
    missing = [RAW / name for names in RAW_FILES.values() for name in names if not (RAW / name).is_file()]
    if missing:
        raise ArtifactError(f"{missing[0]} is missing; run `make repro` first")
    if find_spec("torch") is None:
        raise ArtifactError("PyTorch is missing; run `make bench`, which installs it")


def turn(job: str, model: str, options: argparse.Namespace, *, label: str) -> Result:
    """Run one job in a process of its own and return what it measured; exits when the job fails."""
    arguments = ["benchmarks.training", "--contender", job, "--model", model, "--epochs", str(options.epochs)]
    return start(arguments, label=label, rest=options.rest)


def read_scaled(split: str) -> Split:
    """Return the images, float32 in [0, 1], and labels of a published split."""
    images, labels = read_raw(split)
    return Split(scale_pixels(images), labels)


def prepare(_: TrainingParams) -> Result:
    """Write the records that the article reads, from the files in data/raw and without a network."""
    from benchmarks import article

    check_fashion_mnist(read_raw("train"), read_raw("test"))
    article.prepare()
    return {}


def sgemm(params: TrainingParams) -> Result:
    """Return the best rate of a float32 matrix product, in GFLOP/s, by library."""
    import tensorflow as tf
    import torch

    cores = available_workers()
    tf.config.threading.set_intra_op_parallelism_threads(cores)
    torch.set_num_threads(cores)
    matrix = np.random.default_rng(params.seed).random((2048, 2048), np.float32)
    constant, tensor = tf.constant(matrix), torch.from_numpy(matrix)
    tries = {"tensorflow": lambda: tf.matmul(constant, constant), "pytorch": lambda: tensor @ tensor}
    best = {library: min(timeit.repeat(multiply, number=1, repeat=10)) for library, multiply in tries.items()}
    return {library: round(2 * len(matrix) ** 3 / seconds / 1e9, 1) for library, seconds in best.items()}


def article(params: TrainingParams) -> Result:
    """Train as the source article does, with everything at its default; only the progress bar is off, in its favour."""
    choose_instructions(os.environ, "native")
    gc.set_threshold(*COLLECTOR)
    from benchmarks.article import train
    from fashion_mnist.networks import build

    model = build(params, shape=IMAGE_SHAPE, classes=len(CLASS_NAMES))
    marks = train(model, params.epochs, learning_rate=params.learning_rate)
    return measured(marks, lambda images: model.predict(images, verbose=0))


def pipeline(params: TrainingParams) -> Result:
    """Train as pipeline/train.py does, with next to no validation, so that only training counts."""
    from fashion_mnist.networks import build
    from fashion_mnist.training.determinism import configure_tensorflow
    from fashion_mnist.training.inference import predict
    from fashion_mnist.training.loop import fit

    choose_instructions(os.environ, params.instructions)
    configure_tensorflow(seed=params.seed, workers=min(params.shares, available_workers()))
    model, train = build(params, shape=IMAGE_SHAPE, classes=len(CLASS_NAMES)), read_scaled("train")
    few, marks = Split(train.images[:10], train.labels[:10]), [time.perf_counter()]
    fit(model, train, few, params, on_epoch=lambda _: marks.append(time.perf_counter()))
    return measured(marks, lambda images: predict(model, images))


def native(params: TrainingParams) -> Result:
    """Train as `pipeline` does, with all instructions that the CPU has."""
    return pipeline(params.model_copy(update={"instructions": "native"}))


def pytorch(params: Any, *, epoch_size: int = IMAGES) -> Result:
    """Train the same network in plain PyTorch, with what its users know to be fast; epoch_size: in images."""
    choose_instructions(os.environ, "native")
    gc.set_threshold(*COLLECTOR)
    import torch
    from torch import nn

    # With more, the dense network only waits.
    torch.set_num_threads(1 if isinstance(params, dense.Params) else available_workers())
    torch.set_flush_denormal(True)  # as TensorFlow does; it saves the dense network a fifth
    if isinstance(params, dense.Params):
        body = [nn.Flatten(), nn.Linear(SIDE**2, params.units)]
    else:
        (first, second), kernel = params.filters, params.kernel_size
        body = [nn.Conv2d(1, first, kernel, padding="same"), nn.ReLU(), nn.MaxPool2d(2)]
        body += [nn.Conv2d(first, second, kernel, padding="same"), nn.ReLU(), nn.MaxPool2d(2)]
        body += [nn.Flatten(), nn.Linear((SIDE // 4) ** 2 * second, params.units)]
    network = nn.Sequential(*body, nn.ReLU(), nn.Linear(params.units, len(CLASS_NAMES)))
    network = network.to(memory_format=torch.channels_last)
    optimizer, loss_of = torch.optim.Adam(network.parameters(), params.learning_rate, fused=True), nn.CrossEntropyLoss()
    train = read_scaled("train")
    # One channel: images of shape (n, 1, 28, 28) and (n, 28, 28, 1) are the same in memory.
    images, labels = torch.from_numpy(train.images).permute(0, 3, 1, 2), torch.tensor(train.labels, dtype=torch.long)
    marks = [time.perf_counter()]
    for _ in range(params.epochs):
        total_loss, right = torch.tensor(0.0), torch.tensor(0)
        for batch in torch.randperm(epoch_size).split(BATCH):
            batch_labels = labels.index_select(0, batch)
            optimizer.zero_grad()
            scores = network(images.index_select(0, batch))
            loss = loss_of(scores, batch_labels)
            loss.backward()
            optimizer.step()
            total_loss += loss.detach() * len(batch)
            right += (scores.argmax(dim=1) == batch_labels).sum()
        marks.append(time.perf_counter())
    return measured(marks, lambda images: network(torch.from_numpy(images).permute(0, 3, 1, 2)).detach().numpy())


def measured(marks: Sequence[float], predict: Callable[[Floats], Floats]) -> Result:
    """Return a contender's result; marks: when training began and when each epoch ended."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB  # read before scoring takes memory, too
    test = read_scaled("test")
    predictions = np.concatenate([predict(images).argmax(axis=1) for images in np.split(test.images, 10)])
    accuracy = float(np.mean(predictions == test.labels))
    return {"seconds": np.diff(marks).round(3).tolist(), "MiB": round(peak), "accuracy": accuracy}


def flops_per_image(params: Any) -> int:
    """Count the floating-point operations of training on one image: those of matrix products and convolutions."""
    units: int = params.units
    layers = [SIDE**2 * units]
    if not isinstance(params, dense.Params):
        (first, second), window, pixels = params.filters, params.kernel_size**2, SIDE**2
        layers = [pixels * window * first, pixels // 4 * window * first * second, pixels // 16 * second * units]
    # Forward, backward for weights, backward for inputs; nothing needs the gradient of the images.
    return 2 * (3 * (sum(layers) + units * len(CLASS_NAMES)) - layers[0])


def report(turns: Sequence[Result]) -> list[Row]:
    """Print a table for each network; return its ratios with their targets."""
    versions = ", ".join(f"{package} {version(package)}" for package in ("tensorflow", "keras", "torch"))
    print(f"{cpu_model()}, {os.cpu_count()} cores, {versions}\n{LEGEND}")
    table = pd.DataFrame(turns)
    table["first s"] = table["seconds"].str[0]
    table["epoch s"] = [np.median(seconds[1:]) for seconds in table["seconds"]]
    table["images/s"] = IMAGES / table["epoch s"]
    table["of sgemm"] = (
        table["gflop"] / table["epoch s"] / [max(rates[name] for name in LIBRARIES) for rates in table["sgemm"]]
    )
    found = []
    for model, rows in table.groupby("model", sort=False):
        rates = pd.DataFrame(list(rows["sgemm"]))[LIBRARIES].median()
        medians = rows.groupby("contender")[list(COLUMNS)].median().rename_axis(None)
        print(f"\n{model}; fastest matrix product: {rates.max():.0f} GFLOP/s in {rates.idxmax()}")
        print(medians.to_string(formatters={column: f"{{:{form}}}".format for column, form in COLUMNS.items()}))
        epochs = rows.set_index(["contender", "round"])["epoch s"]
        # Divided within a round, so that drift cancels.
        ratios = {other: (epochs["pipeline"] / epochs[other]).median() for other in (*TARGETS[model], "native")}
        print(f"pipeline / native {ratios['native']:.2f}")
        names = {"article": "the article's loop", "pytorch": "PyTorch"}
        found += [
            Row(f"{model}: an epoch / {names[other]}", ratios[other], target)
            for other, target in TARGETS[model].items()
        ]
    return found


CONTENDERS = {"article": article, "pipeline": pipeline, "native": native, "pytorch": pytorch}
JOBS: dict[str, Callable[[TrainingParams], Result]] = {"prepare": prepare, "sgemm": sgemm, **CONTENDERS}

if __name__ == "__main__":
    run(main)
