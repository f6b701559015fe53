"""Claims about decoding: which PNG and JPEG files become which pixels, and which are refused."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from fashion_mnist.errors import DataError
from fashion_mnist.sources import images
from fashion_mnist.sources.images import decode_image, stack_images

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
COLOUR = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def encode(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def png(pixels: npt.NDArray[np.uint8]) -> bytes:
    return encode(Image.fromarray(pixels))


def refused(content: bytes) -> str:
    with pytest.raises(DataError) as error:
        decode_image(content, name="a/1.png")
    assert "\n" not in str(error.value)
    return str(error.value)


def test_grey_has_one_channel_and_colour_three() -> None:
    assert np.array_equal(decode_image(png(GREY), name="x"), GREY[..., np.newaxis])
    assert np.array_equal(decode_image(png(COLOUR), name="x"), COLOUR)


def test_grey_jpeg_is_grey_and_black_and_white_becomes_0_and_255() -> None:
    assert decode_image(encode(Image.fromarray(GREY), "JPEG"), name="x").shape == (6, 8, 1)
    two = decode_image(encode(Image.fromarray(GREY).convert("1")), name="x")
    assert two.shape == (6, 8, 1)
    assert set(two.ravel()) == {0, 255}


def test_palette_of_colours_is_resolved_and_one_of_greys_is_grey() -> None:
    colours = Image.fromarray(COLOUR).quantize(8)
    assert np.array_equal(decode_image(encode(colours), name="x"), np.asarray(colours.convert("RGB")))
    greys = Image.fromarray(GREY).quantize(8)
    assert np.array_equal(decode_image(encode(greys), name="x")[..., 0], np.asarray(greys.convert("L")))


def test_what_is_transparent_is_laid_on_white_and_opaque_stays_as_it_is() -> None:
    alpha = np.full((6, 8, 1), 255, np.uint8)
    alpha[0] = 0
    found = decode_image(png(np.concatenate([COLOUR, alpha], axis=2)), name="x")
    assert (found[0] == 255).all()
    assert np.array_equal(found[1:], COLOUR[1:])
    with_alpha = Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(alpha[..., 0])])
    flat = decode_image(encode(with_alpha), name="x")
    assert flat.shape == (6, 8, 1)
    assert np.array_equal(flat[1:, :, 0], GREY[1:])


def test_picture_is_turned_as_its_exif_data_says() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    content = encode(Image.fromarray(GREY), "PNG", exif=exif)
    assert np.array_equal(decode_image(content, name="x")[..., 0], np.rot90(GREY, -1))


def test_picture_is_scaled_to_a_size_of_height_and_width() -> None:
    assert decode_image(png(COLOUR), name="x", size=(4, 16)).shape == (4, 16, 3)
    half = decode_image(png(np.repeat(np.repeat(GREY, 2, axis=0), 2, axis=1)), name="x", size=(6, 8))
    assert np.abs(half[..., 0].astype(int) - GREY).max() <= 30


def test_picture_can_be_asked_for_in_grey_or_colour() -> None:
    assert decode_image(png(COLOUR), name="x", channels=1).shape == (6, 8, 1)
    assert decode_image(png(GREY), name="x", channels=3).shape == (6, 8, 3)


def sixteen_bits() -> bytes:
    """A PNG in colour with 16 bits a value, which Pillow would cut to 8 without a word."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes(8 * 6) for _ in range(8))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


ANIMATED = [Image.new("L", (8, 8), level) for level in (0, 255)]
JPEG = encode(Image.fromarray(np.tile(COLOUR, (8, 8, 1))), "JPEG")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "a/1.png: is empty; expected a PNG or JPEG"),
        (b"label,file\n", "a/1.png: is not an image; expected a PNG or JPEG"),
        (JPEG[: len(JPEG) // 2], "a/1.png: is damaged (image file is truncated"),
        (png(np.tile(COLOUR, (9, 9, 1)))[:300], "a/1.png: is damaged ("),
        (JPEG[:30], "a/1.png: is damaged ("),
        (encode(Image.fromarray(GREY.astype(np.uint16))), "a/1.png: has 16 bits a value; expected 8"),
        (sixteen_bits(), "a/1.png: has 16 bits a value; expected 8"),
        (encode(ANIMATED[0], "GIF", save_all=True, append_images=ANIMATED[1:]), "a/1.png: is a GIF; expected"),
        (encode(ANIMATED[0], "PNG", save_all=True, append_images=ANIMATED[1:]), "a/1.png: is animated; expected"),
        (encode(ANIMATED[0], "BMP"), "a/1.png: is a BMP; expected"),
        (png(GREY[:, :1]), "a/1.png: 1x6 pixels; expected at least 4x4"),
        (png(GREY[:3]), "a/1.png: 8x3 pixels; expected at least 4x4"),
    ],
    ids=["empty", "text", "cut JPEG", "cut PNG", "cut header", "16 bits", "16 bits in colour", "GIF", "animated PNG",
         "BMP", "narrow", "flat"],
)  # fmt: skip
def test_what_is_not_one_whole_picture_of_8_bits_is_refused(content: bytes, said: str) -> None:
    assert refused(content).startswith(said)


def test_picture_of_too_many_pixels_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert "more pixels than can be opened safely" in refused(png(GREY))


def test_grey_among_colours_becomes_colour() -> None:
    stacked = stack_images({"1": GREY[..., np.newaxis], "2": COLOUR})
    assert stacked.shape == (2, 6, 8, 3)
    assert all(np.array_equal(stacked[0, :, :, channel], GREY) for channel in range(3))


def test_picture_of_another_size_is_named_with_the_first() -> None:
    with pytest.raises(DataError, match=r"^2: 6x6 pixels, but 1 has 8x6; expected one size\. Set normalize\.size"):
        stack_images({"1": GREY[..., np.newaxis], "2": GREY[:, :6, np.newaxis]})


def test_more_images_than_training_holds_are_refused_before_they_are_stacked(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = np.broadcast_to(np.uint8(0), (64, 64, 3))  # which takes no memory
    most = images.MOST_BYTES // (4 * picture.size)
    with pytest.raises(DataError, match=r"43,691 images of 64x64 pixels and 3 channels take 2\.0 GiB as float32"):
        stack_images(dict.fromkeys(map(str, range(most + 1)), picture))
    monkeypatch.setattr(images, "MOST_BYTES", 10 * 4 * picture.size)
    assert len(stack_images(dict.fromkeys(map(str, range(10)), picture))) == 10
    with pytest.raises(DataError, match="11 images of 64x64"):
        stack_images(dict.fromkeys(map(str, range(11)), picture))
