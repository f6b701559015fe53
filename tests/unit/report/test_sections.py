"""Claims about the sections of the page: each number is that of the files, or follows from them by hand."""

from typing import Any

import pytest

from fashion_mnist.report.language import Language
from fashion_mnist.report.sections.answer import answer
from fashion_mnist.report.sections.claims import claims
from fashion_mnist.report.sections.errors import errors
from fashion_mnist.report.sections.inside import inside
from fashion_mnist.report.sections.learning_curves import learning_curves
from fashion_mnist.report.sections.mistakes import mistakes
from fashion_mnist.report.sections.position import position
from fashion_mnist.report.sections.trust import trust
from tests.unit.report.evidence import CNN, DENSE, evidence, predicted, rows

say = Language("en").say
EVIDENCE = evidence()


def test_answer_holds_the_scores_of_the_files() -> None:
    table = rows(answer(EVIDENCE).scores)
    assert table[f"**{say('metric.accuracy')}**"] == ["57.50 %", "95.00 %"]
    assert table[say("page.interval", level="95")] == ["46.50 % to 59.60 %", "84.00 % to 97.10 %"]
    assert table[say("answer.stated")] == ["87.82 %", "91.00 %"]
    assert table[say("answer.train")] == ["97.42 %"] * 2
    assert table[say("answer.validation")] == ["91.82 %"] * 2
    assert table[say("metric.macro_f1")] == ["0.8765"] * 2
    assert table[say("metric.loss")] == ["0.3457"] * 2
    assert table[say("answer.parameters")] == ["421,642"] * 2
    assert table[say("answer.cost")] == ["4,241,152"] * 2


def test_answer_counts_images_by_who_is_right() -> None:
    table = rows(answer(EVIDENCE).image_by_image)
    assert table[say("answer.right", model="dense")] == ["22", "1"]
    assert table[say("answer.wrong", model="dense")] == ["16", "1"]


@pytest.mark.parametrize(
    ("dense", "cnn", "key", "by"),
    [
        (DENSE, CNN, "more", 0.375),
        (CNN, DENSE, "less", -0.375),
        (predicted(1), predicted(0, 25), "alike", -0.025),
    ],
)
def test_verdict_names_the_better_model_as_far_as_the_interval_can_tell(
    dense: Any, cnn: Any, key: str, by: float
) -> None:
    said = answer(evidence(models={"dense": dense, "cnn": cnn})).verdict
    assert said == say(f"answer.{key}", candidate="cnn", baseline="dense", by=by)


def test_claim_has_its_verdict_the_article_s_figure_ours_and_its_interval() -> None:
    found = claims(EVIDENCE)
    assert found is not None
    table = rows(found.table)
    dense, cnn = "dense", "cnn"
    holds, fails = say("claims.holds"), say("claims.fails")
    assert table[say("claims.test", model=dense)][:3] == [fails, "87.82 %", "57.50 %"]
    assert table[say("claims.train", model=cnn)][:3] == [holds, "97.00 %", "97.42 %"]
    assert table[say("claims.overfits", model=cnn)][:3] == [holds, "–", "+5.60"]
    assert table[say("claims.better", model=cnn)] == [holds, "–", "+37.50", "+20.76 to +54.24", "1"]


def test_best_epochs_are_those_of_the_history() -> None:
    table = rows(learning_curves(EVIDENCE).best_epochs)
    assert table[say("curves.best")] == ["85.00 %"] * 2
    assert table[say("curves.after")] == ["3", "3"]
    assert table[say("curves.lowest")] == ["2", "2"]
    assert table[say("curves.gap")] == ["+5.60"] * 2


def test_learning_curves_of_all_models_share_their_axes() -> None:
    first, second = (drawing.figure.axes for drawing in learning_curves(EVIDENCE).drawings)
    assert [axis.get_ylim() for axis in first] == [axis.get_ylim() for axis in second]


def test_recall_and_pairs_are_counted_from_the_predictions() -> None:
    found = errors(EVIDENCE)
    recalls = rows(found.recalls)
    assert [cell.split(" (")[0] for cell in recalls["T-shirt/top"]] == ["0.00 %", "75.00 %"]
    assert [cell.split(" (")[0] for cell in recalls["Bag"]] == ["100.00 %"] * 2
    assert [*rows(found.pairs)] == ["", "1", "2", "3", "4", "5"]
    assert rows(found.pairs)["1"] == ["T-shirt/top / Trouser: 4 (4 + 0)", "T-shirt/top / Trouser: 1 (1 + 0)"]
    assert "T-shirt/top, 75.00\u00a0%" in found.recall.alternative


def test_galleries_show_the_most_confident_errors_of_the_wrong_model() -> None:
    only_cnn, only_dense = mistakes(EVIDENCE).only
    assert (only_cnn.name, only_dense.name) == ("only_cnn", "only_dense")
    # The dense network alone is wrong on images 1 to 15 and 24; its confidence grows with the index.
    assert [axis.texts[0].get_text() for axis in only_cnn.figure.axes][:2] == [
        "Shirt\n→ Sneaker\n72.5 %",
        "Dress\n→ Coat\n56.5 %",
    ]
    assert [axis.texts[0].get_text() for axis in only_dense.figure.axes if axis.images] == ["Shirt\n→ Sneaker\n74.2 %"]
    assert say("errors.mistake", label="Shirt", prediction="Sneaker", confidence="74.2 %") in only_dense.alternative


def test_changed_images_are_tabulated_by_amount_and_by_direction() -> None:
    found = position(EVIDENCE)
    for table in found.tables:
        assert rows(table)["2"] == ["50.00 % (45.00 % to 55.00 %)"] * 2
    assert [rows(table)["up, left"] for table in found.directions] == [["75.00 %", "50.00 %"]] * 2


def test_robustness_is_said_of_the_largest_rotation_and_noise() -> None:
    halves = {f"{change}_{role}": 0.5 for change in ("rotation", "noise") for role in ("candidate", "baseline")}
    said = say("position.other_see", candidate="cnn", baseline="dense", rotation=2.0, noise=2.0, **halves)
    assert said == position(EVIDENCE).others


def test_robustness_is_said_to_be_measured_on_the_images_there_are() -> None:
    assert say("position.means", images=40, level="95") == position(EVIDENCE).measured


def test_layers_of_the_candidate_are_drawn_after_the_example() -> None:
    names = [drawing.name for drawing in inside(EVIDENCE).drawings]
    assert names == ["example", "layer_kernels_convolution_1", "layer_maps_convolution_1"]


def test_candidate_without_convolution_has_nothing_to_show() -> None:
    found = inside(evidence(layers=False))
    assert (found.explanation, found.drawings) == (say("inside.nothing", candidate="cnn"), [])


def test_trust_shows_data_parameters_and_software() -> None:
    found = trust(EVIDENCE)
    data, parameters, packages = rows(found.data), rows(found.parameters), rows(found.packages)
    assert data[say("trust.images")] == ["55,000", "5,000", "40"]
    assert data[say("trust.mean")] == ["0.2860"] * 3
    assert data[say("trust.images_hash")] == ["`0123456789ab…`"] * 3
    assert data[say("trust.labels_hash")] == ["`fedcba987654…`"] * 3
    assert parameters["`epochs`"] == ["5", "10"]
    assert parameters["`filters`"] == ["–", "32; 64"]
    assert packages["keras"] == ["3.15.1"]
    assert packages[say("trust.lock")] == ["`0a1b2c3d4e5f…`"]


def test_accuracy_without_duplicates_leaves_them_out() -> None:
    # Without image 0, which both get wrong: 23 and 38 of 39.
    said = trust(evidence(duplicates=(0,))).duplicates
    shares = "dense network 58.97\u00a0%, convolutional network 97.44\u00a0%"
    assert said == say("trust.duplicates", within=43, across=1, accuracies=shares)


def test_article_states_nothing_of_synthetic_data() -> None:
    synthetic = evidence(dataset="synthetic")
    assert say("answer.stated") not in rows(answer(synthetic).scores)
    assert claims(synthetic) is None
    assert trust(synthetic).command == "make demo"


def test_calibration_is_drawn_from_the_confidence_of_all_images() -> None:
    (axis,) = trust(EVIDENCE).calibration.figure.axes
    # Fifteen bins of confidence; the lowest images have 30 %, so the first four are empty.
    assert len(axis.lines[1].get_xdata()) == 11
