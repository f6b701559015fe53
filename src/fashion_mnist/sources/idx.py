"""Read and write IDX, the format in which MNIST and its successors are published.

An IDX file is a magic number (two zero bytes, a type code, the number of dimensions), one big-endian
32-bit length per dimension, and then the values. Source: http://yann.lecun.com/exdb/mnist/
"""

import gzip
import math
import struct
import zlib

import numpy as np
import numpy.typing as npt

from fashion_mnist.errors import DataError

UNSIGNED_BYTE = 0x08
CONTENT = {1: "labels", 3: "images"}


def decode_idx(compressed: bytes, *, dimensions: int, name: str) -> npt.NDArray[np.uint8]:
    """Decode a gzip-compressed IDX file of unsigned bytes.

    dimensions: 1 for labels, 3 for images. name: what an error calls the file. Returns uint8 of the shape
    that the file declares. Raises DataError when the file is damaged, truncated or holds something else.
    """
    try:
        data = gzip.decompress(compressed)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(
            f"{name}: gzip is damaged ({error}); expected a whole file. Delete it and run again."
        ) from error
    header = 4 + 4 * dimensions
    if len(data) < header:
        raise DataError(f"{name}: {len(data)} bytes; expected an IDX header of {header}. Delete it and run again.")
    found, expected = data[:4], bytes([0, 0, UNSIGNED_BYTE, dimensions])
    if found != expected:
        held = CONTENT.get(found[3]) if found[:3] == expected[:3] else None
        raise DataError(
            f"{name}: magic number is {found.hex()}{f' ({held})' if held else ''}; "
            f"expected {expected.hex()} ({CONTENT[dimensions]}). Put the right file in its place."
        )
    shape = struct.unpack(f">{dimensions}I", data[4:header])
    if len(data) - header != math.prod(shape):
        raise DataError(
            f"{name}: {len(data) - header} values; expected {math.prod(shape)} for shape {shape}. "
            "Delete it and run again."
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def encode_idx(values: npt.NDArray[np.uint8]) -> bytes:
    """Encode unsigned bytes of any shape as a gzip-compressed IDX file; equal values give equal bytes."""
    header = bytes([0, 0, UNSIGNED_BYTE, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return gzip.compress(header + values.tobytes(), compresslevel=6, mtime=0)
