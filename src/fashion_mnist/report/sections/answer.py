"""The answer: which of the two models is more accurate, by how much, and at what cost."""

from collections.abc import Sequence
from itertools import cycle

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from fashion_mnist.report.drawing import (
    COLOURS,
    INK,
    WIDTH,
    Drawing,
    Estimate,
    draw_estimate,
    percent_ticks,
    styled,
)
from fashion_mnist.report.evidence import Evidence, PageSection
from fashion_mnist.report.language import Language
from fashion_mnist.report.tables import Table, score_table
from fashion_mnist.study.crossed import CrossedDifference
from fashion_mnist.study.plan import Study


def answer(evidence: Evidence) -> PageSection:
    """Return which model is more accurate, what that rests on, and the scores of every model.

    The verdict is about the mean over the trainings of the study, or about the single run if there is no study.
    """
    ends = (evidence.comparison[f"difference{end}"] for end in ("", "_low", "_high"))
    differences = [Estimate(evidence.say("answer.difference"), *ends)]
    found, study = evidence.mean_difference, evidence.comparison_study
    if found:
        differences.append(Estimate(evidence.say("answer.mean_difference"), found.difference, found.low, found.high))
    cost, size = (evidence.scores(key) for key in ("multiply_adds", "parameters"))
    candidate, baseline = evidence.candidate, evidence.baseline
    return PageSection(
        verdict=_verdict(differences[-1], evidence),
        mean=_describe_mean(found, study, evidence) if found and study else "",
        cost=evidence.say(
            "answer.candidate_cost", cost=cost[candidate] / cost[baseline], size=size[candidate] / size[baseline]
        ),
        accuracies=_draw(differences, evidence),
        scores=_tabulate_scores(evidence),
        image_by_image=_tabulate_images(evidence),
    )


def _verdict(difference: Estimate, evidence: Evidence) -> str:
    """Say which model is more accurate, as far as the interval of the difference can tell."""
    key = "more" if difference.low > 0 else "less" if difference.high < 0 else "alike"
    return evidence.say(f"answer.{key}", by=difference.value)


def _describe_mean(found: CrossedDifference, study: Study, evidence: Evidence) -> str:
    """Say which trainings the mean difference is of, its interval, and what that interval comes from."""
    parts = {name: getattr(found, name) for name in ("by_seeds", "by_images", "by_both")}
    variance = sum(parts.values()) or 1
    shares = {name: part / variance for name, part in parts.items()}
    return evidence.say(
        "answer.mean",
        candidate_trainings=len(study.predictions["replicate", evidence.candidate]),
        baseline_trainings=len(study.predictions["replicate", evidence.baseline]),
        **{**found._asdict(), **shares},
    )


def _draw(differences: Sequence[Estimate], evidence: Evidence) -> Drawing:
    language = evidence.language
    models = [
        Estimate(
            language.model(name),
            scores["accuracy"],
            scores["accuracy_low"],
            scores["accuracy_high"],
            evidence.published(name).test,
        )
        for name, (scores, *_) in evidence.models.items()
    ]
    described = (
        language.say("answer.figure_difference", name=" ".join(name.split()), by=value, low=low, high=high)
        for name, value, low, high, _ in differences
    )
    alternative = language.say(
        "answer.figure", accuracies=language.shares(evidence.scores("accuracy")), differences="; ".join(described)
    )
    return Drawing("answer", alternative, accuracies(models, differences, language))


@styled
def accuracies(models: Sequence[Estimate], differences: Sequence[Estimate], language: Language) -> Figure:
    """Draw the accuracy of each model, and below them the difference of two, measured in one way or more."""
    rows = len(models) + len(differences)
    figure = Figure(figsize=(WIDTH, 1.5 + 0.42 * rows), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=(len(models) + 0.4, len(differences) + 0.4))
    below.axvline(0, color=INK, linewidth=0.8)
    for axis, estimates, colours, write in (
        (above, models, COLOURS, language.percent),
        (below, differences, [INK], language.points),
    ):
        for row, (estimate, colour) in enumerate(zip(estimates, cycle(colours))):
            draw_estimate(axis, row, estimate, colour)
            place = (estimate.value, row)
            axis.annotate(write(estimate.value), place, (0, 6), textcoords="offset points", ha="center", color=INK)
        axis.set_yticks(range(len(estimates)), [estimate.name for estimate in estimates])
        axis.grid(visible=False, axis="y")
    stated = [(model.stated, row) for row, model in enumerate(models) if model.stated is not None]
    if stated:
        above.plot(*zip(*stated, strict=True), "D", color="none", markeredgecolor=INK, markersize=5)
    above.set_ylim(len(models) - 0.5, -0.7)
    above.xaxis.set_major_formatter(percent_ticks(language))
    below.set_ylim(len(differences) - 0.4, -0.9)
    lowest, highest = min(part.low for part in differences), max(part.high for part in differences)
    below.set_xlim(min(0, 1.2 * lowest), max(0, 1.2 * highest) or 0.01)
    below.xaxis.set_major_locator(MaxNLocator(5, steps=(1, 2, 5, 10)))
    below.xaxis.set_major_formatter(FuncFormatter(lambda share, _: language.plain(round(100 * share, 6))))
    return figure


def _tabulate_scores(evidence: Evidence) -> Table:
    """Return the table of scores, with the article's accuracies if it is about these images."""
    scores = {name: results.scores for name, results in evidence.models.items()}
    language = evidence.language
    table = score_table("", scores, language, confidence=evidence.confidence, name=language.model)
    table[1][0] = f"**{table[1][0]}**"
    if evidence.data.is_article:
        stated = (language.percent(evidence.published(name).test) for name in scores)
        table.insert(3, [language.say("answer.stated"), *stated])
    return table


def _tabulate_images(evidence: Evidence) -> Table:
    """Count the test images by which of the two models is right."""
    say, found, count = evidence.say, evidence.comparison, evidence.language.count
    candidate, baseline = evidence.candidate, evidence.baseline
    return [
        [say("answer.both"), say("answer.right", model=candidate), say("answer.wrong", model=candidate)],
        [say("answer.right", model=baseline), count(found["both_right"]), count(found["only_baseline_right"])],
        [say("answer.wrong", model=baseline), count(found["only_candidate_right"]), count(found["both_wrong"])],
    ]
