"""Trainings that benchmarks/pipeline.py runs, each in a process of its own; they print JSON.

`scaling MODEL TIMES STEPS` trains on TIMES the 60,000 images for STEPS steps; `fast SEED PRECISION` trains
`cnn_one_cycle` on all 60,000, as the article does, and scores it on test.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from benchmarks.turns import SCRATCH, Result
from fashion_mnist.data.dataset import scale_pixels
from fashion_mnist.data.split import Split
from fashion_mnist.sources.fashion_mnist import CLASS_NAMES, IMAGE_SHAPE
from pipeline.bytes.numerics import choose_instructions
from pipeline.normalize import read_raw
from pipeline.runtime.command import run
from pipeline.runtime.costs import peak_memory
from pipeline.runtime.machine import available_workers
from pipeline.runtime.parameters import read_params


def main(argv: Sequence[str] | None = None) -> None:
    """Run one training."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    jobs = parser.add_subparsers(dest="job", required=True)
    job = jobs.add_parser("scaling")
    job.add_argument("model", choices=("dense", "cnn"))
    job.add_argument("times", type=int)
    job.add_argument("steps", type=int)
    job = jobs.add_parser("fast")
    job.add_argument("seed", type=int)
    job.add_argument("precision", choices=("float32", "mixed_bfloat16"))
    options = vars(parser.parse_args(argv))
    functions: dict[str, Callable[..., Result]] = {"scaling": scaling, "fast": fast}
    print(json.dumps(functions[options.pop("job")](**options)))


def scaling(model: str, times: int, steps: int) -> Result:
    """Return microseconds an image and the peak of memory, training on the tiled images for about that many steps."""
    params = read_params().train[model]
    choose_instructions(os.environ, params.instructions)
    from fashion_mnist.networks import build
    from fashion_mnist.training.determinism import configure_tensorflow
    from fashion_mnist.training.loop import Progress, fit

    configure_tensorflow(seed=params.seed, workers=min(params.shares, available_workers()))
    images, labels = read_raw("train")
    SCRATCH.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:  # mapped into memory, as a stage maps its split
        path = Path(folder) / "images.npy"
        np.save(path, np.tile(scale_pixels(images), (times, 1, 1, 1)))
        os.sync()  # or the disk would be written to while the training is timed
        train = Split(np.load(path, mmap_mode="c"), np.tile(labels, times))
    marks = []

    class EnoughError(Exception):
        """Ends the training."""

    def time_it(progress: Progress) -> None:
        marks.append((progress.step, time.perf_counter()))
        if progress.step >= steps:
            raise EnoughError

    with suppress(EnoughError):
        fit(
            build(params, shape=IMAGE_SHAPE, classes=len(CLASS_NAMES)),
            train,
            None,
            params.model_copy(update={"epochs": steps}),
            on_progress=time_it,
        )
    (first, began), (last, ended) = marks[0], marks[-1]  # the first call compiles
    microseconds = 1e6 * (ended - began) / (last - first) / params.batch_size
    return {"microseconds": round(microseconds, 3), "MiB": round(peak_memory()), "data MiB": train.images.nbytes >> 20}


def fast(seed: int, precision: str) -> Result:
    """Train `cnn_one_cycle`; returns the seconds and the accuracy on test."""
    changes = {"seed": seed, "precision": precision}
    if precision != "float32":
        changes["instructions"] = "native"
    params = read_params().recipes["cnn_one_cycle"].model_copy(update=changes)
    choose_instructions(os.environ, params.instructions)
    from fashion_mnist.networks import build
    from fashion_mnist.training.determinism import configure_tensorflow
    from fashion_mnist.training.inference import predict
    from fashion_mnist.training.loop import fit

    configure_tensorflow(seed=seed, workers=min(params.shares, available_workers()))
    model = build(params, shape=IMAGE_SHAPE, classes=len(CLASS_NAMES))
    (images, labels), (test, truth) = read_raw("train"), read_raw("test")
    train = Split(scale_pixels(images), labels)
    started = time.perf_counter()
    fit(model, train, None, params)
    seconds = time.perf_counter() - started
    accuracy = float(np.mean(predict(model, scale_pixels(test)).argmax(axis=1) == truth))
    return {"seconds": round(seconds, 2), "accuracy": accuracy}


if __name__ == "__main__":
    run(main)
