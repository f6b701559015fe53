"""Claims about the figures: what they show, and that they are stable."""

import xml.etree.ElementTree as ET
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from fashion_mnist.figures import confusion_matrices, learning_curves, render_svg

HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3],
        "loss": [0.9, 0.5, 0.3],
        "accuracy": [0.5, 0.7, 0.9],
        "val_loss": [0.8, 0.6, 0.5],
        "val_accuracy": [0.6, 0.65, 0.8],
    }
)


def curves() -> Figure:
    return learning_curves({"dense": HISTORY, "cnn": HISTORY.iloc[:2]})


def matrices() -> Figure:
    counts = {"dense": np.array([[997, 3], [250, 750]]), "cnn": np.array([[1, 0], [0, 1]])}
    return confusion_matrices(
        counts, class_names=["Bag", "Coat"], titles={"dense": "dense: 87.35 % right", "cnn": "cnn: 100.00 % right"}
    )


def test_learning_curves_show_accuracy_above_loss_and_train_beside_validation() -> None:
    shown = {
        (axis.get_subplotspec().rowspan.start, axis.get_subplotspec().colspan.start): [
            list(line.get_ydata()) for line in axis.lines
        ]
        for axis in curves().axes
    }
    assert shown == {
        (0, 0): [[0.5, 0.7, 0.9], [0.6, 0.65, 0.8]],
        (0, 1): [[0.5, 0.7], [0.6, 0.65]],
        (1, 0): [[0.9, 0.5, 0.3], [0.8, 0.6, 0.5]],
        (1, 1): [[0.9, 0.5], [0.8, 0.6]],
    }


@pytest.mark.parametrize("names", [["dense"], ["dense", "cnn", "transformer"]])
def test_learning_curves_have_a_titled_column_for_each_model(names: list[str]) -> None:
    figure = learning_curves(dict.fromkeys(names, HISTORY))
    assert [axis.get_title() for axis in figure.axes] == names + [""] * len(names)


def test_learning_curves_name_their_lines_once() -> None:
    legends = [axis.get_legend() for axis in curves().axes]
    assert [text.get_text() for text in legends[0].texts] == ["train, while learning", "validation"]
    assert legends[1:] == [None, None, None]


def test_confusion_is_written_in_percent_of_the_true_class_without_rare_mistakes() -> None:
    dense, cnn = matrices().axes
    written = [(*map(int, text.get_position()), text.get_text()) for text in dense.texts]
    assert written == [(0, 0, "100"), (0, 1, "25"), (1, 1, "75")]  # column, row, percent: 0.3 % is left out
    assert dense.get_title() == "dense: 87.35 % right"
    assert cnn.get_title() == "cnn: 100.00 % right"


@pytest.mark.parametrize("draw", [curves, matrices])
def test_same_numbers_give_the_same_bytes(draw: Callable[[], Figure]) -> None:
    assert render_svg(draw()) == render_svg(draw())


@pytest.mark.parametrize("draw", [curves, matrices])
def test_svg_is_well_formed_and_tells_no_date(draw: Callable[[], Figure]) -> None:
    svg = render_svg(draw())
    assert ET.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - drawn by ourselves
    assert b"date>" not in svg
