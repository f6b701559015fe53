"""Classify images with the registered champion: a folder of PNGs or an IDX file -> predictions.csv.

MLFLOW_TRACKING_URI names the store to ask; otherwise it is the folder tracking/.
"""

import argparse
import gzip
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from fashion_mnist.data.fashion_mnist import CLASS_NAMES, SIDE
from fashion_mnist.data.idx import decode_idx
from fashion_mnist.data.split import Bytes
from fashion_mnist.errors import DataError
from pipeline.runtime.command import quiet_import, run, say
from pipeline.runtime.files import UNREADABLE
from pipeline.runtime.formats import write_csv
from pipeline.store.connection import open_store
from pipeline.store.logged_model import classify
from pipeline.store.registry import CHAMPION, REGISTERED

GZIP = b"\x1f\x8b"
# Pillow's names. It cuts pixels of 16 bits off at 255, which would be answered as if it were a garment.
EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV")
# What Pillow raises for a damaged picture, by where the damage is; a huge one is DecompressionBombError.
NO_PICTURE = (*UNREADABLE, SyntaxError, struct.error, Image.DecompressionBombError)


def main(argv: Sequence[str] | None = None) -> None:
    """Write the likeliest class of each image, and the probability of every class."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", type=Path, metavar="INPUT", help="a folder of PNGs, or an IDX file, gzipped or not")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the CSV file to write")
    options = parser.parse_args(argv)
    names, images = read_images(options.input)
    with open_store() as store, quiet_import():
        probabilities = classify(store, f"models:/{REGISTERED}@{CHAMPION}", images[..., np.newaxis])
    best = probabilities.argmax(axis=1)
    table = pd.DataFrame(
        {
            "image": names,
            "prediction": best,
            "name": [CLASS_NAMES[number] for number in best],
            "confidence": probabilities.max(axis=1),
        }
    )
    write_csv(table, options.output)
    say(f"{options.output}: {len(table)} images")


def read_images(path: Path) -> tuple[list[str], Bytes]:
    """Read the images in a folder, in the order of their names, or in an IDX file: names, and shape (n, 28, 28).

    Raises DataError for a picture of another size, or where there is none.
    """
    if not path.is_dir():
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataError(
                f"{path}: cannot be read ({error.strerror}); expected a folder of PNGs or an IDX file"
            ) from error
        compressed = content if content.startswith(GZIP) else gzip.compress(content, compresslevel=0)
        images = decode_idx(compressed, dimensions=3, name=str(path))
        if images.shape[1:] != (SIDE, SIDE) or not len(images):
            raise DataError(f"{path}: shape is {images.shape}; expected (n, {SIDE}, {SIDE}), with n at least 1")
        return [str(number) for number in range(len(images))], images
    files = sorted(path.glob("*.png"))
    if not files:
        raise DataError(f"{path}: holds no .png; expected a folder of PNGs or an IDX file")
    return [file.name for file in files], np.stack([read_png(file) for file in files])


def read_png(path: Path) -> Bytes:
    """Read a picture as grey levels, shape (28, 28), light on black as the published images are."""
    try:
        with Image.open(path) as picture:
            width, height = picture.size
            if (height, width) != (SIDE, SIDE):
                raise DataError(f"{path}: {width}x{height} pixels; expected {SIDE}x{SIDE}. Scale it first")
            if picture.mode not in EIGHT_BITS:
                raise DataError(
                    f"{path}: its pixels are of kind {picture.mode}; expected 8 bits, grey or colour. Convert it first"
                )
            return np.asarray(picture.convert("L"))
    except NO_PICTURE as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"{path}: is not an image ({reason}); expected a PNG of {SIDE}x{SIDE} pixels") from error


if __name__ == "__main__":
    run(main)
