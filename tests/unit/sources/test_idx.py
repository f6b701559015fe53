"""Claims about the IDX format, with files of a few bytes."""

import gzip
import re
import struct

import numpy as np
import numpy.typing as npt
import pytest

from fashion_mnist.errors import DataError
from fashion_mnist.sources.idx import decode_idx, encode_idx

LABELS = np.array([9, 0, 3], np.uint8)
IMAGES = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)


def refusal(compressed: bytes, *, dimensions: int) -> str:
    with pytest.raises(DataError) as error:
        decode_idx(compressed, dimensions=dimensions, name="file.gz")
    return str(error.value)


def test_labels_file_written_by_hand_is_decoded() -> None:
    file = gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 3, 9, 0, 3]))
    assert decode_idx(file, dimensions=1, name="file.gz").tolist() == [9, 0, 3]


def test_images_file_is_written_as_by_hand() -> None:
    header = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3])
    assert gzip.decompress(encode_idx(IMAGES)) == header + bytes(range(12))


@pytest.mark.parametrize(("values", "dimensions"), [(LABELS, 1), (IMAGES, 3), (IMAGES.transpose(2, 1, 0), 3)])
def test_decoding_returns_what_was_encoded(values: npt.NDArray[np.uint8], dimensions: int) -> None:
    decoded = decode_idx(encode_idx(values), dimensions=dimensions, name="file.gz")
    np.testing.assert_array_equal(decoded, values, strict=True)


def test_encoding_holds_no_time_of_writing() -> None:
    assert encode_idx(LABELS)[4:8] == bytes(4)


def test_truncated_gzip_is_refused() -> None:
    assert refusal(encode_idx(LABELS)[:-9], dimensions=1) == (
        "file.gz: gzip is damaged (Compressed file ended before the end-of-stream marker was reached); "
        "expected a whole file. Delete it and run again."
    )


def test_file_that_is_not_gzip_is_refused() -> None:
    message = (
        r"^file\.gz: gzip is damaged \(Not a gzipped file .*\); expected a whole file\. Delete it and run again\.$"
    )
    assert re.search(message, refusal(b"<html>", dimensions=1))


def test_every_damaged_byte_of_the_content_is_noticed() -> None:
    compressed, header = encode_idx(IMAGES), 10
    for place in range(header, len(compressed)):
        damaged = bytearray(compressed)
        damaged[place] ^= 0xFF
        assert "gzip is damaged" in refusal(bytes(damaged), dimensions=3)


def test_images_in_place_of_labels_are_named() -> None:
    assert refusal(encode_idx(IMAGES), dimensions=1) == (
        "file.gz: magic number is 00000803 (images); expected 00000801 (labels). Put the right file in its place."
    )


def test_labels_in_place_of_images_are_named() -> None:
    assert refusal(encode_idx(np.zeros(8, np.uint8)), dimensions=3) == (
        "file.gz: magic number is 00000801 (labels); expected 00000803 (images). Put the right file in its place."
    )


@pytest.mark.parametrize(
    ("content", "magic"),
    [(bytes([0, 0, 0x0D, 1, 0, 0, 0, 3, 9, 0, 3]), "00000d01"), (b"<html>moved</html>", "3c68746d")],
    ids=["floats", "a web page"],
)
def test_other_content_is_named_by_its_magic_number(content: bytes, magic: str) -> None:
    assert refusal(gzip.compress(content), dimensions=1) == (
        f"file.gz: magic number is {magic}; expected 00000801 (labels). Put the right file in its place."
    )


@pytest.mark.parametrize("count", [2, 4])
def test_count_that_differs_from_the_header_is_refused(count: int) -> None:
    file = gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, count, 9, 0, 3]))
    assert refusal(file, dimensions=1) == (
        f"file.gz: 3 values; expected {count} for shape ({count},). Delete it and run again."
    )


def test_lengths_that_promise_a_terabyte_are_refused() -> None:
    header = bytes([0, 0, 8, 3]) + struct.pack(">III", 10**9, 28, 28)
    assert refusal(gzip.compress(header + bytes(100)), dimensions=3) == (
        "file.gz: 100 values; expected 784000000000 for shape (1000000000, 28, 28). Delete it and run again."
    )


@pytest.mark.parametrize(("file", "held"), [(b"", 0), (gzip.compress(bytes([0, 0, 8])), 3)], ids=["empty", "short"])
def test_file_shorter_than_a_header_is_refused(file: bytes, held: int) -> None:
    assert refusal(file, dimensions=1) == (
        f"file.gz: {held} bytes; expected an IDX header of 8. Delete it and run again."
    )
