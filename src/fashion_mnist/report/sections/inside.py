"""What the candidate's layers see in one test image."""

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from fashion_mnist.report.drawing import WIDTH, Drawing, Picture, gallery, styled
from fashion_mnist.report.evidence import Evidence, PageSection


def inside(evidence: Evidence) -> PageSection:
    """Return drawings of the example, and of the kernels and maps of each layer; none for a network without them."""
    layers = [name for name in evidence.arrays if name.startswith(f"{evidence.candidate}/")]
    if not layers:
        return PageSection(explanation=evidence.say("inside.nothing"), drawings=[])
    label = evidence.class_names[evidence.labels[evidence.params.evaluate.example]]
    picture = Picture(evidence.arrays["example_image"], [label])
    figure = gallery([picture], evidence.say("inside.image_heading"), columns=1)
    example = Drawing("example", evidence.say("inside.image", label=label), figure)
    drawings = [example, *(_draw_layer(name, evidence) for name in layers)]
    return PageSection(explanation=evidence.say("inside.see", label=label), drawings=drawings)


def _draw_layer(name: str, evidence: Evidence) -> Drawing:
    """Draw the kernels or feature maps of a layer; name: of their array, MODEL/kernels/LAYER or MODEL/maps/LAYER."""
    _, kind, layer = name.split("/")
    tiles = evidence.arrays[name]
    height, width, count = tiles.shape
    described, heading = (
        evidence.say(f"inside.{key}", layer=layer, count=count, height=height, width=width)
        for key in (kind, f"{kind}_heading")
    )
    figure = mosaic(tiles, heading, columns=8, signed=kind == "kernels")
    return Drawing(f"layer_{kind}_{layer}", described, figure)


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
