"""Claims about the figures: what they show, and that they are stable, narrow and dark where wanted."""

import xml.etree.ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D

from fashion_mnist.report import drawing
from fashion_mnist.report.drawing import COLOURS, DARK, WIDTH, Estimate, Picture, render_svg, shades
from fashion_mnist.report.language import Language
from fashion_mnist.report.sections import answer, errors, inside, learning_curves, position, replication, sweep, trust
from fashion_mnist.report.sections.replication import Trainings
from fashion_mnist.scores.metrics import ClassScore, Reliability
from fashion_mnist.study.spread import measure_spread
from fashion_mnist.study.sweep import measure_size

ENGLISH = Language("en")
HISTORY = {
    "epoch": np.array([1, 2, 3]),
    "loss": np.array([0.9, 0.5, 0.3]),
    "accuracy": np.array([0.5, 0.7, 0.9]),
    "val_loss": np.array([0.8, 0.5, 0.6]),
    "val_accuracy": np.array([0.6, 0.65, 0.8]),
}
CURVE = {
    "pixels": np.array([0, 1, 2]),
    "accuracy": np.array([0.9, 0.8, 0.5]),
    "low": np.array([0.8, 0.7, 0.4]),
    "high": np.array([1.0, 0.9, 0.6]),
}
IMAGE = np.arange(784, dtype=np.uint8).reshape(28, 28, 1)


def accuracies(language: Language = ENGLISH) -> Figure:
    models = [Estimate("dense", 0.87, 0.86, 0.88, 0.8782), Estimate("cnn", 0.91, 0.9, 0.92)]
    differences = [Estimate("one run", 0.04, 0.03, 0.05), Estimate("mean", 0.035, 0.032, 0.038)]
    return answer.accuracies(models, differences, language)


def curves() -> Figure:
    limits = {"accuracy": (0.4, 1.0), "loss": (0.2, 1.0)}
    return learning_curves.draw_history(HISTORY, "cnn", COLOURS[1], ENGLISH, limits=limits)


def matrix() -> Figure:
    counts = np.array([[997, 3], [250, 750]])
    return errors.confusion_matrix(counts, counts.sum(axis=1), "dense", ["Bag", "Coat"], ENGLISH)


def recalls() -> Figure:
    classes = {
        model: [ClassScore("Bag", 9, share, share - 0.1, share + 0.1, 1), ClassScore("Coat", 9, 0.5, 0.4, 0.6, 1)]
        for model, share in (("dense", 0.7), ("cnn", 0.8))
    }
    return errors.recalls(classes, ENGLISH)


def gallery() -> Figure:
    return drawing.gallery([Picture(IMAGE, ["Shirt", "→ Coat"])] * 5, "five", columns=4)


def robustness() -> Figure:
    return position.robustness({"dense": CURVE, "cnn": CURVE}, "pixels", ENGLISH, label="pixels moved", y="accuracy")


def calibration() -> Figure:
    bins = Reliability(np.array([0, 3]), np.array([0, 0.9]), np.array([0, 0.8]))
    return trust.calibration({"cnn": bins}, ENGLISH)


def mosaic() -> Figure:
    return inside.mosaic(np.ones((3, 3, 5), np.float32), "maps", columns=4)


def trainings() -> Figure:
    accuracies = np.array([0.88, 0.87, 0.89])
    kind = Trainings("other seed", accuracies, measure_spread(accuracies, confidence=0.95), 0.8782)
    return replication.trainings({"dense": [kind], "cnn": [kind, kind]}, ENGLISH)


def sizes() -> Figure:
    values = np.linspace(0.5, 0.9, 6).reshape(2, 3)
    swept = [measure_size(units, values, 1 - values) for units in (16, 32, 64, 128, 256, 512, 1024)]
    return sweep.draw_sizes(swept, "dense", ENGLISH)


def xs(line: Line2D) -> list[float]:
    return list(map(float, np.asarray(line.get_xdata())))


def ys(line: Line2D) -> list[float]:
    return list(map(float, np.asarray(line.get_ydata())))


def pixels(image: AxesImage) -> np.ndarray:
    shown = image.get_array()
    assert shown is not None
    return shown


ALL = [accuracies, curves, matrix, recalls, gallery, robustness, calibration, mosaic, trainings, sizes]


@pytest.fixture(scope="module")
def rendered() -> dict[str, bytes]:
    """Every kind of figure as SVG, by its name here."""
    return {draw.__name__: render_svg(draw()) for draw in ALL}


def test_accuracies_show_values_intervals_and_the_stated_figure() -> None:
    above, below = accuracies().axes
    drawn = [(xs(line), ys(line)) for line in above.lines]
    assert drawn == [
        ([0.86, 0.88], [0, 0]),
        ([0.87], [0]),
        ([0.9, 0.92], [1, 1]),
        ([0.91], [1]),
        ([0.8782], [0]),
    ]
    assert [text.get_text() for text in above.texts] == ["87.00\u00a0%", "91.00\u00a0%"]
    assert [label.get_text() for label in above.get_yticklabels()] == ["dense", "cnn"]
    drawn = [(xs(line), ys(line)) for line in below.lines[1:]]
    assert drawn == [([0.03, 0.05], [0, 0]), ([0.04], [0]), ([0.032, 0.038], [1, 1]), ([0.035], [1])]
    assert below.get_xlim()[0] == 0  # so that a reader sees how far from nothing it is


def test_learning_curves_show_train_beside_validation_and_the_best_epoch_of_each() -> None:
    accuracy, loss = curves().axes
    assert [ys(line) for line in accuracy.lines[:2]] == [[0.5, 0.7, 0.9], [0.6, 0.65, 0.8]]
    assert [ys(line) for line in loss.lines[:2]] == [[0.9, 0.5, 0.3], [0.8, 0.5, 0.6]]
    assert [xs(axis.lines[2]) for axis in (accuracy, loss)] == [[3, 3], [2, 2]]
    assert accuracy.get_ylim() == (0.4, 1.0)
    legend = accuracy.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.texts] == [
        ENGLISH.say("curves.train"),
        ENGLISH.say("curves.validation"),
    ]


def test_confusion_is_written_in_percent_of_the_true_class_without_rare_mistakes() -> None:
    (axis,) = matrix().axes
    written = [(*map(int, text.get_position()), text.get_text()) for text in axis.texts]
    assert written == [(0, 0, "100"), (0, 1, "25"), (1, 1, "75")]  # column, row, percent: 0.3 % is left out
    assert axis.get_title() == "dense"


def test_confusion_is_shaded_by_the_root_of_its_share() -> None:
    (axis,) = matrix().axes
    shades_of_cells = [mpl.colors.to_rgba(patch.get_facecolor())[3] for patch in axis.patches]
    assert shades_of_cells == pytest.approx([0.997**0.5, 0.003**0.5, 0.5, 0.75**0.5], abs=0.001)


def test_recalls_of_all_models_are_drawn_by_class() -> None:
    (axis,) = recalls().axes
    dots = [(xs(line)[0], round(ys(line)[0])) for line in axis.lines if len(xs(line)) == 1]
    assert dots == [(0.7, 0), (0.5, 1), (0.8, 0), (0.5, 1)]


def test_recalls_name_the_classes_that_they_show() -> None:
    (axis,) = recalls().axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["Bag", "Coat"]


def test_gallery_shows_every_picture_with_its_lines() -> None:
    shown = [axis for axis in gallery().axes if axis.images]
    assert len(shown) == 5
    assert np.array_equal(pixels(shown[0].images[0]), IMAGE[..., 0])
    assert shown[0].texts[0].get_text() == "Shirt\n→ Coat"


def test_gallery_without_pictures_is_empty() -> None:
    assert [axis for axis in drawing.gallery([], "none").axes if axis.images] == []


def test_robustness_shows_a_curve_for_each_model_from_none_to_all() -> None:
    (axis,) = robustness().axes
    assert [ys(line) for line in axis.lines] == [[0.9, 0.8, 0.5]] * 2
    assert [line.get_label() for line in axis.lines] == ["dense network", "convolutional network"]
    assert axis.get_ylim() == (0, 1)


def test_more_models_than_colours_are_all_drawn() -> None:
    curves = {f"model {index}": CURVE for index in range(len(COLOURS) + 2)}
    (axis,) = position.robustness(curves, "pixels", ENGLISH, label="pixels moved", y="accuracy").axes
    assert [line.get_color() for line in axis.lines] == [*COLOURS, *COLOURS[:2]]


def test_calibration_leaves_out_empty_bins() -> None:
    (axis,) = calibration().axes
    assert (xs(axis.lines[1]), ys(axis.lines[1])) == ([0.9], [0.8])


def test_trainings_of_close_accuracy_do_not_cover_each_other() -> None:
    dots = trainings().axes[0].lines[0]
    assert xs(dots) == [0.88, 0.87, 0.89]
    assert len(set(ys(dots))) == 3


def luminance(colour: str) -> float:
    """How light a colour is, from 0 to 1, as WCAG 2 defines it."""
    channels = np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("paper", ["#ffffff", "#0d1117"])
def test_shades_of_seven_sizes_differ_and_stand_out_on_either_paper(paper: str) -> None:
    colours = shades(7)
    assert len(set(colours)) == 7
    for colour in colours:
        darker, lighter = sorted((luminance(colour), luminance(paper)))
        assert (lighter + 0.05) / (darker + 0.05) > 2.5, colour


@pytest.mark.parametrize("signed", [False, True])
def test_mosaic_lays_tiles_in_rows_with_gaps(signed: bool) -> None:
    tiles = np.stack([np.full((2, 2), value, np.float32) for value in (1, 4, 9)], axis=-1)
    (axis,) = inside.mosaic(tiles, "maps", columns=2, signed=signed).axes
    shown = np.ma.filled(pixels(axis.images[0]), np.nan)
    assert shown.shape == (5, 5)
    corners = [float(shown[row, column]) for row, column in ((0, 0), (0, 3), (3, 0))]
    assert corners == ([1, 4, 9] if signed else [1, 2, 3])  # brightness grows with the square root
    assert np.isnan(shown[2]).all()


def test_pixels_of_a_mosaic_are_square() -> None:
    figure = inside.mosaic(np.ones((4, 2, 3), np.float32), "maps", columns=3)
    (axis,) = figure.axes
    rows, columns = pixels(axis.images[0]).shape
    width, height = axis.get_position().size * figure.get_size_inches()
    assert width / columns == pytest.approx(height / rows)


def test_same_numbers_give_the_same_bytes(rendered: dict[str, bytes]) -> None:
    assert [draw.__name__ for draw in ALL if render_svg(draw()) != rendered[draw.__name__]] == []


def test_svg_is_well_formed_narrow_and_tells_no_date(rendered: dict[str, bytes]) -> None:
    for name, svg in rendered.items():
        root = ET.fromstring(svg)  # noqa: S314 - drawn by ourselves
        assert root.tag == "{http://www.w3.org/2000/svg}svg", name
        assert root.attrib["width"] == f"{72 * WIDTH:g}pt", name
        assert b"date>" not in svg, name


def test_svg_exchanges_ink_and_paper_where_dark_is_preferred(rendered: dict[str, bytes]) -> None:
    for name, svg in ((name, svg.decode()) for name, svg in rendered.items()):
        assert svg.count("@media (prefers-color-scheme: dark)") == 1, name
        assert "#000000" not in svg, name  # which would vanish on a dark page
        for light, dark in list(DARK.items())[:2]:
            assert f"fill: {light}" in svg, name
            assert f"fill:{dark}" in svg, name


def test_words_are_those_of_the_language() -> None:
    russian = accuracies(Language("ru"))
    assert [text.get_text() for text in russian.axes[0].texts] == ["87,00\u00a0%", "91,00\u00a0%"]


def test_legend_of_recall_names_each_model_once() -> None:
    scores = [ClassScore(name, 9, 0.5, 0.4, 0.6, 1) for name in ("Bag", "Coat", "Shirt")]
    (legend,) = errors.recalls({"dense": scores, "cnn": scores}, ENGLISH).legends
    assert [text.get_text() for text in legend.get_texts()] == [ENGLISH.model("dense"), ENGLISH.model("cnn")]
