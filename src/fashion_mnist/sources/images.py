"""PNG and JPEG files as pixels: grey or red, green and blue, 8 bits each, of one size."""

import io
import math
import struct
import warnings
import zlib
from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageOps

from fashion_mnist.data.split import Bytes
from fashion_mnist.errors import DataError
from fashion_mnist.params.fields import SMALLEST_SIDE

FORMATS = ("PNG", "JPEG")
EXPECTED = "expected a PNG or JPEG"
PNG = b"\x89PNG"
BIT_DEPTH = 24  # where a PNG says how many bits a value has
# What Pillow raises for damaged content.
UNREADABLE = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error, zlib.error,
    Image.DecompressionBombError,
)  # fmt: skip
# As float32. Training then takes up to three times as much (benchmarks/size.py).
MOST_BYTES = 2 * 2**30


def decode_image(
    content: bytes, *, name: str, size: tuple[int, int] | None = None, channels: int | None = None
) -> Bytes:
    """Decode a picture: uint8, shape (height, width, 1) if it is grey, else (height, width, 3).

    It is turned as its EXIF data says, transparency is laid on white, and palettes are resolved. name: what an error
    calls it. size: height and width to scale it to, whatever its proportions. channels: 1 or 3 converts it to grey or
    colour. Raises DataError for anything but one whole PNG or JPEG with 8 bits a value, or if it is too small.
    """
    if content.startswith(PNG) and content[BIT_DEPTH : BIT_DEPTH + 1] == b"\x10":
        raise DataError(f"{name}: has 16 bits a value; expected 8. Convert it first")
    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures and damaged EXIF data; here only the pixels matter.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
                if picture.format == "PNG" and getattr(picture, "n_frames", 1) > 1:
                    raise DataError(f"{name}: is animated; {EXPECTED} of one picture")
                pixels = _flatten(ImageOps.exif_transpose(picture))
    except UNREADABLE as error:
        raise DataError(f"{name}: {_describe(content, error)}; {EXPECTED}") from error
    if min(pixels.size) < SMALLEST_SIDE:
        width, height = pixels.size
        raise DataError(f"{name}: {width}x{height} pixels; expected at least {SMALLEST_SIDE}x{SMALLEST_SIDE}")
    if channels:
        pixels = pixels.convert("L" if channels == 1 else "RGB")
    if size and pixels.size != size[::-1]:
        pixels = pixels.resize(size[::-1], Image.Resampling.BILINEAR)
    values = np.asarray(pixels, np.uint8)
    return values if values.ndim == 3 else values[..., np.newaxis]


def _flatten(picture: Image.Image) -> Image.Image:
    """Return a picture as grey (L) or RGB, without transparency."""
    is_grey = picture.mode in ("1", "L", "LA", "La")
    if picture.mode not in ("1", "L", "RGB", "CMYK") or "transparency" in picture.info:
        layers = picture.convert("RGBA")
        flat = Image.alpha_composite(Image.new("RGBA", layers.size, "white"), layers).convert("RGB")
        # A palette may hold only greys.
        is_grey = is_grey or (picture.mode == "P" and _is_colourless(flat))
        return flat.convert("L") if is_grey else flat
    return picture.convert("L" if is_grey else "RGB")


def _is_colourless(picture: Image.Image) -> bool:
    """Tell whether every pixel of an RGB picture is a grey."""
    red, green, blue = (np.asarray(band) for band in picture.split())
    return np.array_equal(red, green) and np.array_equal(red, blue)


def _describe(content: bytes, error: BaseException) -> str:
    """Say what a file is instead, as far as its first bytes tell."""
    if isinstance(error, Image.DecompressionBombError):
        return "has more pixels than can be opened safely"
    if content.startswith((PNG, b"\xff\xd8")):
        return f"is damaged ({' '.join(str(error).split())[:100]})"
    for kind, start in {"a GIF": b"GIF8", "a BMP": b"BM", "a TIFF": b"II*", "a WebP or AVI": b"RIFF"}.items():
        if content.startswith(start):
            return f"is {kind}"
    return "is empty" if not content else "is not an image"


def stack_images(pictures: Mapping[str, Bytes]) -> Bytes:
    """Stack pictures by name into one array, uint8, shape (n, height, width, channels).

    If one of them is in colour, all become so. Raises DataError that names the first of another size, or for more
    images than training can hold.
    """
    first, *_ = pictures
    height, width, _ = pictures[first].shape
    for name, picture in pictures.items():
        if picture.shape[:2] != (height, width):
            raise DataError(
                f"{name}: {picture.shape[1]}x{picture.shape[0]} pixels, but {first} has {width}x{height}; expected one "
                "size. Set normalize.size in params.yaml, such as [32, 32]"
            )
    channels = max(picture.shape[2] for picture in pictures.values())
    shape = (len(pictures), height, width, channels)
    needed = math.prod(shape) * np.dtype(np.float32).itemsize
    if needed > MOST_BYTES:
        raise DataError(
            f"{len(pictures):,} images of {width}x{height} pixels and {channels} channels take {needed / 2**30:.1f} "
            f"GiB as float32; expected at most {MOST_BYTES / 2**30:.0f} GiB. Set a smaller normalize.size, or use "
            "fewer images"
        )
    stacked = np.empty(shape, np.uint8)
    for place, picture in enumerate(pictures.values()):
        stacked[place] = picture  # a single channel is repeated
    return stacked
