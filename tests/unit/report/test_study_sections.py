"""Claims about what the page shows of a study: each number follows from the trainings by hand."""

import numpy as np
import pytest

from fashion_mnist.report.evidence import PageSection
from fashion_mnist.report.language import Language
from fashion_mnist.report.page import make_report
from fashion_mnist.report.sections.answer import answer
from fashion_mnist.report.sections.claims import claims
from fashion_mnist.report.sections.replication import replication
from fashion_mnist.report.sections.sweep import sweep
from fashion_mnist.study.plan import KINDS, Study
from tests.unit.report.evidence import evidence, rows
from tests.unit.report.studies import STUDY, counted, swept, with_errors, without

pytestmark = pytest.mark.usefixtures("no_figures")

say = Language("en").say
DENSE, CNN = "dense network", "convolutional network"
# 87.5 % and 95 % of forty images; three trainings each.
COUNTED = counted((4, 5, 6), (1, 2, 3))


def replicated(study: Study, *, dataset: str = "fashion_mnist") -> PageSection:
    found = replication(evidence(study=study, dataset=dataset))
    assert found is not None
    return found


def shown(study: Study) -> PageSection:
    found = sweep(evidence(study=study))
    assert found is not None
    return found


def test_without_a_study_its_sections_are_empty_and_the_page_says_what_to_type() -> None:
    assert replication(evidence()) is sweep(evidence()) is None
    assert make_report(evidence()).markdown.count(say("page.no_study")) == 2
    assert "`make study`" in say("page.no_study")


def test_trainings_are_tabulated_with_the_interval_of_one_more() -> None:
    # Mean 87.5 and standard deviation 2.5 points; one more ends within 4.3027 · 2.5 · √(4/3) = 12.42 points.
    first, second = replicated(COUNTED).tables
    assert [row[1].replace("\u00a0", " ") for row in first] == [
        say("replication.replicate"),
        "3",
        "87.50 %",
        "2.50 (1.30 to 15.71)",
        "85.00 %",
        "90.00 %",
        "75.08 % to 99.92 %",
    ]
    assert [table[0][0] for table in (first, second)] == [DENSE, CNN]
    assert first[0][1:] == [" ".join(say(f"replication.{kind}").split()) for kind in KINDS[:3]]


def test_recipe_that_is_not_compared_has_a_line_of_its_own() -> None:
    assert replicated(COUNTED).recipes == []
    (line,) = replicated(with_errors(COUNTED, "replicate", "small", (1, 2))).recipes
    reached = {"mean": 0.9625, "trainings": 2, "lowest": 0.95, "highest": 0.975}
    assert line == say("replication.recipe", model="small", **reached)


def test_figure_draws_each_training_and_the_article_beside_its_own_protocol() -> None:
    above, below = replicated(COUNTED).drawing.figure.axes
    dots = [sorted(line.get_xdata()) for line in above.lines if line.get_marker() == "o"]
    assert dots == [pytest.approx([0.85, 0.875, 0.9])] * 3
    diamonds = [(axis.get_title(), line) for axis in (above, below) for line in axis.lines if line.get_marker() == "D"]
    assert [(title, *line.get_xdata(), round(*line.get_ydata())) for title, line in diamonds] == [
        (DENSE, 0.8782, 2),
        (CNN, 0.91, 2),
    ]
    assert [label.get_text() for label in above.get_yticklabels()][2] == say("replication.article")


def test_article_is_not_drawn_beside_other_images() -> None:
    axes = replicated(COUNTED, dataset="synthetic").drawing.figure.axes
    assert [line for axis in axes for line in axis.lines if line.get_marker() == "D"] == []


@pytest.mark.parametrize(
    ("errors", "key", "numbers"),
    [
        # The quantile of F with 2 and 2 degrees of freedom is 39.
        ((4, 5, 6), "cut_open", (1, 1 / 39, 39)),
        ((0, 10, 20), "cut_adds", (100, 100 / 39, 3900)),
    ],
)
def test_another_cut_is_judged_by_the_ratio_of_variances(
    errors: tuple[int, ...], key: str, numbers: tuple[float, ...]
) -> None:
    said = replicated(with_errors(COUNTED, "other_cut", "dense", errors)).cuts[0]
    named = dict(zip(("value", "low", "high"), numbers, strict=True))
    assert said == say(f"replication.{key}", model="dense", level="95", **named)


def test_other_cuts_may_spread_less() -> None:
    said = replicated(with_errors(COUNTED, "replicate", "dense", (0, 10, 20))).cuts[0]
    assert said == say("replication.cut_takes", model="dense", level="95", value=0.01, low=0.01 / 39, high=0.39)


@pytest.mark.parametrize(
    ("dense", "cnn", "key", "by"),
    [
        ((20, 20, 21), (1, 2, 1), "more", 0.475),
        ((1, 2, 1), (20, 20, 21), "less", -0.475),
        ((4, 5, 6), (3, 4, 5), "alike", 0.025),
    ],
)
def test_headline_leads_with_the_mean_over_trainings(
    dense: tuple[int, ...], cnn: tuple[int, ...], key: str, by: float
) -> None:
    found = answer(evidence(study=counted(dense, cnn)))
    assert found.verdict == say(f"answer.{key}", candidate="cnn", baseline="dense", by=by)
    assert f"{CNN}: 3, {DENSE}: 3" in found.mean


def test_headline_sets_the_single_run_beside_the_mean() -> None:
    # The run: 37.5 points. The trainings: 7.5.
    part = evidence(study=COUNTED)
    page = make_report(part).markdown
    assert page.index("+7.50 percentage points") < page.index(
        "the difference is +37.50; its interval, +20.76 to +54.24"
    )
    _, below = answer(part).accuracies.figure.axes
    assert [text.get_text() for text in below.texts] == ["+37.50", "+7.50"]


def test_parts_of_the_variance_add_up_to_all_of_it() -> None:
    found = evidence(study=COUNTED).mean_difference
    assert found is not None
    said = answer(evidence(study=COUNTED)).mean
    total = found.by_seeds + found.by_images + found.by_both
    for part in (found.by_seeds, found.by_images, found.by_both):
        assert f"{100 * part / total:.0f}\u00a0%" in said


def test_trainings_without_any_mistake_leave_no_variance_to_share() -> None:
    said = answer(evidence(study=counted((0, 0, 0), (0, 0, 0)))).mean
    assert said.count("0\u00a0%") == 3


def test_claims_are_judged_by_the_trainings() -> None:
    found = claims(evidence(study=COUNTED))
    assert found is not None
    table = rows(found.table)
    holds = say("claims.holds")
    assert found.protocol == say("claims.by_study", level="95")
    assert table[say("claims.test", model="dense")] == [holds, "87.82 %", "87.50 %", "75.08 % to 99.92 %", "3"]
    assert table[say("claims.better", model="cnn")][2] == "+7.50"
    assert table[say("claims.better", model="cnn")][4] == "3 + 3"
    assert table[say("claims.overfits", model="cnn")][4] == "5"  # the histories of the small study


@pytest.mark.parametrize("missing", ["dense", "cnn"])
def test_study_without_baseline_or_candidate_answers_nothing_but_shows_the_other(missing: str) -> None:
    part = evidence(study=without(COUNTED, missing))
    assert part.mean_difference is None
    assert (answer(part).verdict, answer(part).mean) == (answer(evidence()).verdict, "")
    judged = claims(part)
    assert judged is not None
    assert judged == claims(evidence())
    assert judged.protocol == say("claims.by_run", level="95")
    found = replication(part)
    assert found is not None
    assert [table[0][0] for table in found.tables] == [{"dense": CNN, "cnn": DENSE}[missing]]


def test_study_of_models_that_are_no_longer_compared_is_none() -> None:
    none = without(without(STUDY, "dense"), "cnn")
    assert replication(evidence(study=none)) is sweep(evidence(study=none)) is None


def test_comparison_gets_the_mean_difference_and_only_with_a_study() -> None:
    with_study, alone = evidence(study=COUNTED), evidence()
    found = with_study.all_comparisons
    assert alone.all_comparisons == alone.comparison
    assert set(found) - set(alone.comparison) == {"mean_difference", "mean_difference_low", "mean_difference_high"}
    assert found["mean_difference"] == pytest.approx(0.075)
    assert found["mean_difference_low"] < 0.075 < found["mean_difference_high"]
    assert all(isinstance(value, int | float) and not isinstance(value, np.generic) for value in found.values())
    assert make_report(with_study).comparison == found


SIZES = {16: (0.5, 0.6, 0.55), 64: (0.6, 0.7, 0.8), 256: (0.8, 0.7, 0.6)}


def test_sizes_are_tabulated_with_best_epoch_and_lowest_loss() -> None:
    table = rows(shown(swept(STUDY, SIZES)).tables[0])
    assert table["16"] == ["60.20 % ± 0.10", "2", "2.0 (2 to 2)"]
    assert table["64"] == ["80.20 % ± 0.10", "3", "3.0 (3 to 3)"]
    assert table["256"] == ["80.20 % ± 0.10", "1", "1.0 (1 to 1)"]


def test_more_units_than_the_smallest_that_is_not_worse_are_not_shown_to_help() -> None:
    enough, overfits = shown(swept(STUDY, SIZES | {256: (0.8004, 0.7, 0.6)})).findings[0]
    numbers = {"units": 64, "accuracy": 0.802, "best": 256, "best_accuracy": 0.8024}
    assert enough == say("sweep.enough", model="dense", seeds=3, level="95", **numbers)
    assert overfits == say("sweep.overfits", epochs=3, least=16, first=2, most=256, last=1)


def test_best_size_stands_alone_where_all_smaller_ones_are_worse() -> None:
    alone, _ = shown(swept(STUDY, SIZES | {256: (0.9, 0.7, 0.6)})).findings[0]
    assert alone == say("sweep.alone", model="dense", units=256, accuracy=0.902, seeds=3, level="95")


def test_sweep_looks_at_no_prediction_on_test() -> None:
    sealed = STUDY._replace(predictions={})
    assert rows(shown(STUDY).tables[1]) == rows(shown(sealed).tables[1])


def test_curves_show_the_mean_of_every_size_and_mark_its_best_epoch() -> None:
    above, below = shown(swept(STUDY, SIZES)).drawings[0].figure.axes
    curves = [list(line.get_ydata()) for line in above.lines if len(line.get_xdata()) == 3]
    assert curves == [pytest.approx(np.array(values) + 0.002) for values in SIZES.values()]
    marked = [
        [int(line.get_xdata()[0]) for line in axis.lines if len(line.get_xdata()) == 1] for axis in (above, below)
    ]
    assert marked == [[2, 3, 1]] * 2
    assert [line.get_label() for line in above.lines if len(line.get_xdata()) == 3] == ["16", "64", "256"]
    assert len({line.get_color() for line in above.lines}) == 3
