"""Draw garments that resemble Fashion-MNIST, so that the whole pipeline runs without a network.

A silhouette is a few polygons. Each class is rasterised once into a stencil, finer than an image; every
image looks that stencil up through its own shift, scale and slant. From 5,000 images a small dense net learns
an accuracy of about 0.82, a small convolutional net about 0.95: only seams tell pullover, coat and shirt apart.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fashion_mnist.sources.fashion_mnist import CLASS_NAMES, SIDE

Point = tuple[float, float]
Polygon = Sequence[Point]
FloatArray = npt.NDArray[np.float64]
ByteArray = npt.NDArray[np.uint8]

SAMPLES_PER_PIXEL = 2  # along each axis
STENCIL_SIDE = 4 * SIDE

LARGEST_SHIFT = 4.0  # pixels, either way
SCALE = (0.58, 0.8)  # of the frame; width and height are drawn apart
LARGEST_SLANT = 0.12  # columns per row
BRIGHTNESS = (90.0, 235.0)  # grey levels
NOISE = 14.0  # grey levels, standard deviation
# Faint seams hide what tells a shirt from a pullover, as in many of the real photographs.
SEAM_DEPTH = (0.05, 0.7)  # of the brightness


class Silhouette(NamedTuple):
    """Polygons in a frame from -1 to 1, x rightwards, y downwards: cuts are holes in the cloth, seams are darker."""

    cloth: Sequence[Polygon]
    cuts: Sequence[Polygon] = ()
    seams: Sequence[Polygon] = ()


def _box(left: float, top: float, right: float, bottom: float) -> Polygon:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def _ellipse(x: float, y: float, width: float, height: float) -> Polygon:
    turns = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    return [(x + width / 2 * float(np.cos(turn)), y + height / 2 * float(np.sin(turn))) for turn in turns]


def _mirrored(*right_half: Point) -> Polygon:
    return [*right_half, *((-x, y) for x, y in reversed(right_half))]


def _long_sleeved(waist: float, hem: float) -> Polygon:
    sleeve = [(0.5, -0.76), (0.88, 0.5), (0.66, 0.6), (0.44, -0.2)]
    return _mirrored((0, -0.8), (0.2, -0.9), *sleeve, (waist, 0.3), (hem, 0.9))


# The formatter would give each point a line of its own.
# fmt: off
T_SHIRT = Silhouette([_mirrored(
    (0, -0.72), (0.2, -0.9), (0.5, -0.78), (0.9, -0.3), (0.68, -0.1), (0.46, -0.34), (0.46, 0.9))])
TROUSER = Silhouette(
    [_mirrored((0, -0.92), (0.4, -0.92), (0.46, 0.92), (0.14, 0.92), (0, -0.35))],
    seams=[_box(-0.4, -0.82, 0.4, -0.74)])
PULLOVER = Silhouette(
    [_long_sleeved(waist=0.45, hem=0.44)],
    seams=[_ellipse(0, -0.82, 0.46, 0.22), _box(-0.45, 0.76, 0.45, 0.82)])
DRESS = Silhouette(
    [_mirrored((0, -0.68), (0.14, -0.92), (0.3, -0.9), (0.32, -0.5), (0.2, -0.15), (0.52, 0.92))],
    seams=[_box(-0.22, -0.18, 0.22, -0.1)])
COAT = Silhouette(
    [_long_sleeved(waist=0.44, hem=0.52)],
    seams=[_box(-0.04, -0.85, 0.04, 0.9), [(-0.24, -0.86), (0.24, -0.86), (0, -0.3)]])
SANDAL = Silhouette(
    [[(-0.94, 0.5), (-0.94, 0.3), (-0.6, -0.06), (0.05, -0.34), (0.4, -0.66), (0.92, -0.66), (0.94, 0.5)]],
    cuts=[[(-0.9, 0.32), (-0.62, 0.08), (-0.7, 0.32)], [(-0.48, 0.32), (-0.34, -0.02), (-0.1, -0.12), (-0.24, 0.3)],
          [(0, 0.28), (0.16, -0.24), (0.4, -0.42), (0.74, -0.42), (0.74, -0.1)],
          [(0.3, 0.5), (0.7, 0.14), (0.8, 0.5)]])
SHIRT = Silhouette(
    [_long_sleeved(waist=0.42, hem=0.44)],
    seams=[[(-0.26, -0.9), (0, -0.56), (0.26, -0.9), (0.1, -0.86), (0, -0.72), (-0.1, -0.86)],
           *(_ellipse(0, button, 0.12, 0.12) for button in (-0.35, -0.05, 0.25, 0.55))])
SNEAKER = Silhouette(
    [[(-0.94, 0.4), (-0.9, 0.16), (-0.4, 0), (0.05, -0.3), (0.3, -0.32), (0.5, -0.2), (0.84, -0.36), (0.92, 0.4)]],
    seams=[_box(-0.94, 0.24, 0.94, 0.3), [(-0.3, 0.05), (0.05, -0.22), (0.15, -0.16), (-0.18, 0.12)]])
BAG = Silhouette(
    [_ellipse(0, -0.3, 1.1, 1.2), _mirrored((0, -0.25), (0.8, -0.25), (0.92, 0.8))],
    cuts=[_mirrored((0, -0.74), (0.28, -0.66), (0.42, -0.45), (0.42, -0.25))],
    seams=[_box(-0.9, 0.06, 0.9, 0.12), _box(-0.1, 0, 0.1, 0.24)])
ANKLE_BOOT = Silhouette(
    [[(-0.92, 0.84), (-0.88, 0.44), (-0.4, 0.24), (-0.02, -0.05), (0.06, -0.86), (0.78, -0.86), (0.76, 0.3),
      (0.86, 0.84), (0.5, 0.84), (0.44, 0.7), (0.1, 0.84)]],
    seams=[_box(-0.92, 0.56, 0.84, 0.62), _box(0.36, -0.7, 0.46, 0)])
# fmt: on
DRAWN = (T_SHIRT, TROUSER, PULLOVER, DRESS, COAT, SANDAL, SHIRT, SNEAKER, BAG, ANKLE_BOOT)
SILHOUETTES = dict(zip(CLASS_NAMES, DRAWN, strict=True))


def _centres(cells: int) -> FloatArray:
    return (2 * np.arange(cells) + 1) / cells - 1


def _covered(polygons: Sequence[Polygon]) -> npt.NDArray[np.bool_]:
    """Tell which stencil cells lie in any of the polygons, by the even-odd rule."""
    x, y = _centres(STENCIL_SIDE)[None, :], _centres(STENCIL_SIDE)[:, None]
    covered = np.zeros((STENCIL_SIDE, STENCIL_SIDE), dtype=np.bool_)
    for polygon in polygons:
        inside = np.zeros_like(covered)
        for (x1, y1), (x2, y2) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
            left_of_edge = ((x - x1) * (y2 - y1) < (x2 - x1) * (y - y1)) == (y2 > y1)
            inside ^= left_of_edge & ((y1 > y) != (y2 > y))
        covered |= inside
    return covered


def _stencil(silhouette: Silhouette) -> tuple[FloatArray, FloatArray]:
    """Return where there is cloth and where a seam, each 0 or 1, shape (STENCIL_SIDE, STENCIL_SIDE)."""
    cloth = _covered(silhouette.cloth) & ~_covered(silhouette.cuts)
    return cloth.astype(np.float64), (cloth & _covered(silhouette.seams)).astype(np.float64)


def _draw(cloth: FloatArray, seams: FloatArray, rng: np.random.Generator) -> ByteArray:
    """Draw one image, uint8, shape (SIDE, SIDE), with its own place, size, slant, brightness and noise."""
    shift_x, shift_y = rng.uniform(-LARGEST_SHIFT, LARGEST_SHIFT, 2) * 2 / SIDE
    width, height = rng.uniform(*SCALE, 2)
    frame = _centres(SIDE * SAMPLES_PER_PIXEL)
    y = (frame[:, None] - shift_y) / height
    x = (frame[None, :] - shift_x) / width + rng.uniform(-LARGEST_SLANT, LARGEST_SLANT) * y
    # No silhouette touches the stencil's edge, so clipping repeats black.
    row, column = (np.clip((place + 1) / 2 * STENCIL_SIDE, 0, STENCIL_SIDE - 1).astype(np.intp) for place in (y, x))
    shade = cloth[row, column] - rng.uniform(*SEAM_DEPTH) * seams[row, column]
    pixels = shade.reshape(SIDE, SAMPLES_PER_PIXEL, SIDE, SAMPLES_PER_PIXEL).mean(axis=(1, 3))
    noise = rng.normal(0, NOISE, pixels.shape) * (pixels > 0)
    image: ByteArray = np.clip(rng.uniform(*BRIGHTNESS) * pixels + noise, 0, 255).astype(np.uint8)
    return image


def draw_garments(count: int, *, seed: int) -> tuple[ByteArray, ByteArray]:
    """Draw garments, equally many of each class, in random order; the same seed gives the same bytes.

    count: a multiple of 10. Returns images, uint8, shape (count, SIDE, SIDE, 1), background 0, and labels, uint8, shape
    (count,), in Fashion-MNIST's order.
    """
    rng = np.random.default_rng(seed)
    classes = np.arange(len(SILHOUETTES), dtype=np.uint8)
    labels = rng.permutation(np.repeat(classes, count // len(classes)))
    stencils = [_stencil(silhouette) for silhouette in SILHOUETTES.values()]
    return np.stack([_draw(*stencils[int(label)], rng) for label in labels])[..., np.newaxis], labels
