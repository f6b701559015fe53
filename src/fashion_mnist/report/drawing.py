"""What all figures share: their style, common parts, and rendering as SVG, where equal figures give equal bytes.

Ink, paper and lines have their own three colours. Each file carries a style that exchanges these if the reader prefers
dark pages.
"""

import io
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, NamedTuple, ParamSpec

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from fashion_mnist.data.split import Bytes
from fashion_mnist.report.language import Language

P = ParamSpec("P")

WIDTH = 4.8  # inches, about that of a phone
INK, PAPER, FAINT = "#24292f", "#ffffff", "#d0d7de"
DARK = {INK: "#e6edf3", PAPER: "#0d1117", FAINT: "#3d444d"}
# One colour for each model, in order and over again; each is visible on both papers, and they differ in lightness too.
COLOURS = ("#d9730d", "#2f7bd9", "#1f9d6b", "#a45bd1")
# From small to large; all are visible on both papers.
SHADES = ("#8a63f2", "#1f8fb0", "#3aa655", "#d9910d", "#d1404a")

STYLE: Any = {
    # Ids of SVG elements are random unless salted.
    "svg.hashsalt": "fashion-mnist",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",  # comes with Matplotlib, so every machine draws the same
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "grid.color": FAINT,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "axes.facecolor": "none",
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
}
# Over Matplotlib's defaults, whatever a user's matplotlibrc says.
BASE = ["default", STYLE]
DARK_STYLE = "".join(
    f'[style*="{part}: {light}"]{{{part}:{dark}!important}}'
    for light, dark in DARK.items()
    for part in ("fill", "stroke")
)


LONGEST_LINE = 24  # below a picture


class Drawing(NamedTuple):
    """A figure on the page: the name of its file, what it shows in words, and the figure itself."""

    name: str
    alternative: str
    figure: Figure


class Estimate(NamedTuple):
    """A share or a difference with its interval; stated: the figure in the article, if it has one."""

    name: str
    value: float
    low: float
    high: float
    stated: float | None = None


class Picture(NamedTuple):
    """An image, uint8, shape (height, width, channels), and the lines below it."""

    pixels: Bytes
    lines: Sequence[str]


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Return a function that draws the same figure in this module's style."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with style.context(BASE):
            return draw(*args, **kwargs)

    return drawn


def shades(count: int) -> list[str]:
    """Return colours for so many sizes, smallest first."""
    scale = LinearSegmentedColormap.from_list("sizes", SHADES)
    return [to_hex(scale(place)) for place in np.linspace(0, 1, count)]


def draw_estimate(axis: Axes, row: float, estimate: Estimate, colour: str) -> None:
    """Draw a value as a dot and its interval as a line."""
    axis.plot((estimate.low, estimate.high), (row, row), color=colour, linewidth=3, alpha=0.55, solid_capstyle="butt")
    axis.plot(estimate.value, row, "o", color=colour, markersize=6, label=estimate.name or None)


def percent_ticks(language: Language) -> FuncFormatter:
    """Return what writes the shares along an axis in percent."""
    return FuncFormatter(lambda share, _: language.write(f"{round(100 * share, 6):g} %"))


def plain_ticks(language: Language) -> FuncFormatter:
    """Return what writes the numbers along an axis with the digits they have."""
    return FuncFormatter(lambda number, _: language.plain(round(number, 6)))


def shorten(text: str, longest: int) -> str:
    """Cut a long text, so that a figure has room for what it shows."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


@styled
def gallery(pictures: Sequence[Picture], title: str, *, columns: int = 4) -> Figure:
    """Draw images in rows, grey ones light on black, with their lines below."""
    rows = max(-(-len(pictures) // columns), 1)
    figure = Figure(figsize=(WIDTH, 0.3 + 1.75 * rows), layout="constrained")
    figure.suptitle(title, fontsize=9)
    for axis in figure.subplots(rows, columns, squeeze=False).ravel():
        axis.set_axis_off()
    for axis, picture in zip(figure.axes, pictures, strict=False):
        # Matplotlib takes grey images without a channel.
        pixels = picture.pixels[..., 0] if picture.pixels.shape[2] == 1 else picture.pixels
        axis.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="none")
        lines = "\n".join(shorten(line, LONGEST_LINE) for line in picture.lines)
        axis.text(0.5, -0.04, lines, transform=axis.transAxes, ha="center", va="top", fontsize=7, linespacing=1.3)
    return figure


def render_svg(figure: Figure) -> bytes:
    """Render a figure as an SVG file that turns dark if its reader prefers dark pages."""
    target = io.BytesIO()
    with style.context(BASE):
        # The date of drawing would be written unless removed.
        figure.savefig(target, format="svg", metadata={"Date": None})
    dark = f'<style type="text/css">@media (prefers-color-scheme: dark) {{{DARK_STYLE}}}</style>'
    return target.getvalue().replace(b"<defs>", f"<defs>{dark}".encode(), 1)
