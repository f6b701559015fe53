"""The figures of the report that are made of images: arrays in, a Matplotlib figure out, narrow enough for a phone."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from fashion_mnist.data.split import Bytes
from fashion_mnist.report.drawing import WIDTH, styled

LONGEST_LINE = 24


class Picture(NamedTuple):
    """An image, uint8, shape (height, width, channels), and the lines below it."""

    pixels: Bytes
    lines: Sequence[str]


@styled
def gallery(pictures: Sequence[Picture], title: str, *, columns: int = 4) -> Figure:
    """Draw images in rows, grey ones light on black, with their lines below."""
    rows = -(-len(pictures) // columns)
    figure = Figure(figsize=(WIDTH, 0.3 + 1.75 * max(rows, 1)), layout="constrained")
    figure.suptitle(title, fontsize=9)
    for axis in figure.subplots(max(rows, 1), columns, squeeze=False).ravel():
        axis.set_axis_off()
    for axis, picture in zip(figure.axes, pictures, strict=False):
        # Matplotlib takes grey images without a channel.
        pixels = picture.pixels[..., 0] if picture.pixels.shape[2] == 1 else picture.pixels
        axis.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="none")
        lines = "\n".join(
            line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…" for line in picture.lines
        )
        axis.text(0.5, -0.04, lines, transform=axis.transAxes, ha="center", va="top", fontsize=7, linespacing=1.3)
    return figure


@styled
def mosaic(tiles: npt.NDArray[np.floating], title: str, *, columns: int, signed: bool = False) -> Figure:
    """Draw many small pictures side by side on one scale; tiles: shape (height, width, n).

    signed: red above 0 and blue below. Otherwise 0 is black, and brightness grows with the square root, so that small
    values are visible too.
    """
    height, width, count = tiles.shape
    rows = -(-count // columns)
    gap = max(1, round(0.08 * height))
    canvas = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap), np.nan)
    for index in range(count):
        top, left = (index // columns) * (height + gap), (index % columns) * (width + gap)
        canvas[top : top + height, left : left + width] = tiles[..., index]
    largest = float(np.abs(tiles).max()) or 1.0
    drawn = WIDTH * canvas.shape[0] / canvas.shape[1]
    figure = Figure(figsize=(WIDTH, drawn + 0.3))
    figure.suptitle(title, fontsize=9, y=1 - 0.05 / (drawn + 0.3), va="top")
    axis = figure.add_axes((0, 0, 1, drawn / (drawn + 0.3)))
    axis.set_axis_off()
    if signed:
        axis.imshow(canvas, cmap="RdBu_r", vmin=-largest, vmax=largest, interpolation="none", aspect="auto")
    else:
        axis.imshow(np.sqrt(canvas), cmap="gray", vmin=0, vmax=np.sqrt(largest), interpolation="none", aspect="auto")
    return figure
