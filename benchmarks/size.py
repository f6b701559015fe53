"""Train and evaluate on as many images as normalize accepts, and print what memory that takes.

The images are noise of 32x32 pixels in colour, in four classes; one epoch each. It needs that much room on the disk and
about five times as much memory. Run it in the project's folder.
"""

import argparse
import contextlib
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML

sys.path.append(str(Path(__file__).parents[1]))

from fashion_mnist.data.dataset import cut_validation, scale_pixels
from fashion_mnist.data.description import DataSet, Source, describe
from fashion_mnist.data.split import RawSplit, Split
from fashion_mnist.sources.images import MOST_BYTES
from pipeline.bytes.descriptions import write_description
from pipeline.bytes.formats import write_split
from pipeline.tools.demo import PROJECT

SHAPE = (32, 32, 3)
CLASSES = ("a", "b", "c", "d")
MEASURE = (
    "import sys, time; started = time.time(); from importlib import import_module; "
    "import_module('pipeline.' + sys.argv[1]).main(sys.argv[2:]); "
    "from pipeline.runtime.costs import peak_memory; "
    "print(f'{\" \".join(sys.argv[1:])}: {time.time() - started:.0f} s, {peak_memory() / 2**10:.1f} GiB at most')"
)


def main() -> None:
    """Write the splits into a scratch workspace and run the stages that hold them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0, help="of the most that is accepted")
    options = parser.parse_args()
    count = int(options.share * MOST_BYTES / (4 * np.prod(SHAPE)))
    with tempfile.TemporaryDirectory() as folder:
        write_workspace(Path(folder), count)
        for command in (("train", "dense"), ("train", "cnn"), ("evaluate",)):
            subprocess.run(
                [sys.executable, "-c", MEASURE, *command],
                cwd=folder,
                env={"PYTHONPATH": f"{PROJECT}:{PROJECT / 'src'}", "PATH": ""},
                check=True,
            )


def write_workspace(folder: Path, count: int) -> None:
    """Write params.yaml and splits of noise as normalize does: a tenth each for validation and test."""
    params = YAML(typ="safe").load(PROJECT / "params.yaml")
    for model in ("dense", "cnn"):
        params["train"][model] |= {"epochs": 1, "batch_size": 256}
    params["evaluate"]["robustness"]["images"] = 100
    YAML().dump(params, folder / "params.yaml")
    rng = np.random.default_rng(0)
    labels = (np.arange(count) % len(CLASSES)).astype(np.uint8)
    everything = RawSplit(rng.integers(0, 256, (count, *SHAPE), dtype=np.uint8), labels)
    rest, test = cut_validation(everything, images=count // 10, seed=1)
    train, validation = cut_validation(rest, images=count // 10, seed=1)
    splits = {"train": train, "validation": validation, "test": test}
    dataset = DataSet(dataset="folder", name="Noise", classes=CLASSES, image_shape=SHAPE, is_resampled=False)
    with contextlib.chdir(folder):
        for name, split in splits.items():
            write_split(Split(scale_pixels(split.images), split.labels), name)
        write_description(describe(Source(dataset, rest, test), splits))
    print(f"{count:,} images of {SHAPE}, {count * np.prod(SHAPE) * 4 / 2**30:.2f} GiB as float32")


if __name__ == "__main__":
    main()
