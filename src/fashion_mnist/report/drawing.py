"""The style of all figures, and their rendering as SVG: for light and dark pages, equal figures as equal bytes.

Ink, paper and lines have three colours of their own. Each file carries a style that exchanges these where the reader
prefers dark pages.
"""

import io
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple, ParamSpec

import numpy as np
from matplotlib import style
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure

P = ParamSpec("P")

WIDTH = 4.8  # inches, about that of a phone
INK, PAPER, FAINT = "#24292f", "#ffffff", "#d0d7de"
DARK = {INK: "#e6edf3", PAPER: "#0d1117", FAINT: "#3d444d"}
# One colour for each model, in order and over again; each is visible on both papers, and they differ in lightness too.
COLOURS = ("#d9730d", "#2f7bd9", "#1f9d6b", "#a45bd1")
# What grows goes from the first to the last of these; all are visible on both papers.
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


class Drawing(NamedTuple):
    """A figure on the page: the name of its file, what it shows in words, and the figure itself."""

    name: str
    alternative: str
    figure: Figure


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


def render_svg(figure: Figure) -> bytes:
    """Render a figure as an SVG file that turns dark where its reader prefers dark pages."""
    target = io.BytesIO()
    with style.context(BASE):
        # The date of drawing would be written unless removed.
        figure.savefig(target, format="svg", metadata={"Date": None})
    dark = f'<style type="text/css">@media (prefers-color-scheme: dark) {{{DARK_STYLE}}}</style>'
    return target.getvalue().replace(b"<defs>", f"<defs>{dark}".encode(), 1)
