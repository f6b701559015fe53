"""Classify thousands of picture files: `predict`, and a plain script with keras.Model.predict, in turns.

A process that classifies one file is taken off, so that images a second do not count imports. Run after `dvc repro`.
"""

import json
import resource
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.turns import SCRATCH, Result, Row, finish, parser_of, start

ARCHIVE = Path("models/cnn/model.keras")
FILES = 10_000


def main(argv: Sequence[str] | None = None) -> None:
    """Print images a second and the memory of both, medians of some rounds; or be one of them."""
    parser = parser_of(__doc__, rounds=3)
    parser.add_argument("--run", choices=("ours", "plain"), help="only classify a folder in this process")
    parser.add_argument("--folder", type=Path, help="of --run")
    options = parser.parse_args(argv)
    if options.run:
        classify(options.run, options.folder)
        print(json.dumps({"MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
        return
    SCRATCH.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as scratch:
        many, one = Path(scratch, "many"), Path(scratch, "one")
        write_pictures(many, FILES)
        write_pictures(one, 1)
        turns = [
            {name: measure(name, many, one, options.rest) for name in ("ours", "plain")} for _ in range(options.rounds)
        ]
    for name in turns[0]:
        rate, memory = (statistics.median(turn[name][key] for turn in turns) for key in ("images a second", "MiB"))
        print(f"{name}: {rate:.0f} images a second, {memory:.0f} MiB at most")
    rate = statistics.median(turn["ours"]["images a second"] / turn["plain"]["images a second"] for turn in turns)
    rows = [Row("predict: images a second / a plain script", rate, 1, at_least=True)]
    sys.exit(finish(rows, options.json, turns=turns))


def write_pictures(folder: Path, count: int) -> None:
    """Write the first test images as PNG files."""
    from PIL import Image

    folder.mkdir()
    pixels = np.load("data/normalized/test/images.npy", mmap_mode="r")[:count, ..., 0]
    for number, image in enumerate(np.rint(pixels * 255).astype(np.uint8)):
        Image.fromarray(image).save(folder / f"{number:05}.png")


def measure(name: str, many: Path, one: Path, rest: float) -> Result:
    """Let one of both classify many pictures, and one."""

    def classified(folder: Path) -> Result:
        job = ("benchmarks.predict", "--run", name, "--folder", str(folder))
        return start(job, label=f"{name}, {folder.name}", rest=rest)

    found, alone = classified(many), classified(one)
    return found | {"images a second": (FILES - 1) / (found["process s"] - alone["process s"])}


def classify(name: str, folder: Path) -> None:
    """Write the likeliest class of each picture in a folder."""
    output = folder.with_suffix(".csv")
    if name == "ours":
        from pipeline.tools.predict import main as predict

        predict([str(folder), "--output", str(output)])
        return
    import keras
    from PIL import Image

    model = keras.models.load_model(ARCHIVE)
    files = sorted(folder.iterdir())
    pixels = np.stack([np.asarray(Image.open(file)) for file in files])[..., np.newaxis] / np.float32(255)
    classes = model.predict(pixels, verbose=0).argmax(axis=1)
    output.write_text("".join(f"{file.name},{number}\n" for file, number in zip(files, classes, strict=True)))


if __name__ == "__main__":
    main()
