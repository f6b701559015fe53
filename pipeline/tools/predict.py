"""Classify images with the registered champion: a folder of images or an IDX file -> predictions.csv.

MLFLOW_TRACKING_URI names the store to ask; otherwise it is the folder tracking/.
"""

import gzip
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd

from fashion_mnist.data.split import Bytes, Shape
from fashion_mnist.errors import DataError
from fashion_mnist.sources.folder import IMAGES
from fashion_mnist.sources.idx import decode_idx
from fashion_mnist.sources.images import decode_image
from fashion_mnist.sources.known import registered_name
from pipeline.bytes.formats import write_csv
from pipeline.runtime.command import parser_of, progress_bar, quiet_import, run, say
from pipeline.runtime.files import reading
from pipeline.runtime.parameters import read_params
from pipeline.store.connection import open_store
from pipeline.store.logged_model import load_registered
from pipeline.store.registry import CHAMPION

GZIP = b"\x1f\x8b"
BATCH = 960  # images in memory at a time, in whole blocks of fashion_mnist.training.inference
EXPECTED = "expected a folder of PNG or JPEG files, or an IDX file"


def main(argv: Sequence[str] | None = None) -> None:
    """Write the likeliest class of each image, and its probability."""
    parser = parser_of(__doc__)
    parser.add_argument("input", type=Path, metavar="INPUT", help="a folder of images, or an IDX file, gzipped or not")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the CSV file to write")
    options = parser.parse_args(argv)
    check_input(options.input)
    name = registered_name(read_params().download)
    with ExitStack() as opened:
        store = opened.enter_context(open_store(name))
        with quiet_import():
            model = opened.enter_context(load_registered(store, f"models:/{name}@{CHAMPION}"))
        height, width, channels = model.config["shape"]
        is_resampled = model.config["is_resampled"]
        images, batches = read_images(options.input, shape=(height, width, channels), is_resampled=is_resampled)
        answers = []
        with progress_bar(total=len(images), label=str(options.input), unit="image") as bar:
            for batch in batches:
                answers.append(model.predict(batch))
                bar.update(len(batch))
    probabilities, names = (np.concatenate([answer[key] for answer in answers]) for key in ("probabilities", "names"))
    prediction, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    table = {"image": images, "prediction": prediction, "name": names, "confidence": confidence}
    write_csv(pd.DataFrame(table), options.output)
    say(f"{options.output}: {len(images)} images")


def check_input(path: Path) -> None:
    """Raise DataError if a path leads to no image; before the model is loaded, which takes seconds."""
    if not path.exists():
        raise DataError(f"{path}: is missing; {EXPECTED}")
    if path.is_dir() and not image_files(path):
        raise DataError(f"{path}: holds no .png or .jpg; {EXPECTED}")


def image_files(folder: Path) -> list[Path]:
    """List the images in a folder, in the order of their names."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGES and path.name[0] != ".")


def read_images(path: Path, *, shape: Shape, is_resampled: bool) -> tuple[list[str], Iterator[Bytes]]:
    """Read the images in a folder, or in an IDX file: their names, and batches of uint8, shape (at most BATCH, *shape).

    is_resampled: scale pictures of another size, as for training. Raises DataError for what the model does not take.
    """
    if path.is_dir():
        files = image_files(path)
        parts = (files[first : first + BATCH] for first in range(0, len(files), BATCH))
        batches = (np.stack([read_picture(file, shape, is_resampled) for file in part]) for part in parts)
        return [file.name for file in files], batches
    content = _read(path)
    compressed = content if content.startswith(GZIP) else gzip.compress(content, compresslevel=0)
    images = decode_idx(compressed, dimensions=3, name=str(path))[..., np.newaxis]
    if images.shape[1:] != shape or not len(images):
        raise DataError(f"{path}: shape is {images.shape}; expected {('n', *shape)}, with n at least 1")
    batches = (images[first : first + BATCH] for first in range(0, len(images), BATCH))
    return [str(number) for number in range(len(images))], batches


def read_picture(path: Path, shape: Shape, is_resampled: bool) -> Bytes:
    """Read a picture as the model takes it: grey if it learned from grey ones, else in colour."""
    height, width, channels = shape
    size = (height, width) if is_resampled else None
    pixels = decode_image(_read(path), name=str(path), size=size, channels=channels)
    if pixels.shape[:2] != (height, width):
        found = f"{pixels.shape[1]}x{pixels.shape[0]}"
        raise DataError(f"{path}: {found} pixels; expected {width}x{height}. Scale it first")
    return pixels


def _read(path: Path) -> bytes:
    with reading(str(path), advice=EXPECTED):
        return path.read_bytes()


if __name__ == "__main__":
    run(main)
