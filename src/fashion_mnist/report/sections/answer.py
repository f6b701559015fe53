"""The answer: which of the two models is more accurate, by how much, and at what cost."""

from typing import NamedTuple

from fashion_mnist.report import figures
from fashion_mnist.report.drawing import Drawing
from fashion_mnist.report.evidence import Evidence
from fashion_mnist.report.figures import Estimate
from fashion_mnist.report.language import Language, Table
from fashion_mnist.scores.metrics import METRICS


class Answer(NamedTuple):
    """What the first section shows."""

    headline: str
    accuracies: Drawing
    legend: str
    scores: Table
    image_by_image: Table


def answer(evidence: Evidence, language: Language) -> Answer:
    """Return the headline, and the scores of every model."""
    level = language.plain(100 * evidence.params.evaluate.confidence)
    return Answer(
        headline=f"{_verdict(evidence, language)} {_certainty(evidence, language, level)}",
        accuracies=_draw_accuracies(evidence, language),
        legend=language.say("answer.see", level=level),
        scores=_tabulate_scores(evidence, language, level),
        image_by_image=_tabulate_images(evidence, language),
    )


def _verdict(evidence: Evidence, language: Language) -> str:
    """Say which model is more accurate, as far as the interval of the difference can tell."""
    difference = evidence.comparison["difference"]
    size = language.write(f"{100 * abs(difference):.2f}")
    if evidence.comparison["difference_low"] > 0:
        key, by = "more", size
    elif evidence.comparison["difference_high"] < 0:
        key, by = "less", size
    else:
        key, by = "alike", language.points(difference)
    candidate, baseline = language.names("model", (evidence.candidate, evidence.baseline))
    return language.say(f"answer.{key}", candidate=candidate, baseline=baseline, by=by)


def _certainty(evidence: Evidence, language: Language, level: str) -> str:
    """Say how certain the difference is, and how much more the candidate costs."""
    candidate, baseline = (evidence.models[name].scores for name in (evidence.candidate, evidence.baseline))
    return language.say(
        "answer.certainty",
        level=level,
        low=language.points(evidence.comparison["difference_low"]),
        high=language.points(evidence.comparison["difference_high"]),
        images=language.count(evidence.comparison["images"]),
        p=language.probability(evidence.comparison["mcnemar_p"]),
        model=language.name("model", evidence.candidate),
        cost=language.write(f"{candidate['multiply_adds'] / baseline['multiply_adds']:.1f}"),
        size=language.write(f"{candidate['parameters'] / baseline['parameters']:.1f}"),
    )


def _draw_accuracies(evidence: Evidence, language: Language) -> Drawing:
    estimates = [
        Estimate(
            language.name("model", name),
            results.scores["accuracy"],
            results.scores["accuracy_low"],
            results.scores["accuracy_high"],
            evidence.published(name).test,
        )
        for name, results in evidence.models.items()
    ]
    difference, low, high = (evidence.comparison[f"difference{end}"] for end in ("", "_low", "_high"))
    alternative = language.say(
        "answer.figure",
        accuracies=language.shares(evidence.scores("accuracy")),
        by=language.points(difference),
        low=language.points(low),
        high=language.points(high),
    )
    estimate = Estimate(language.say("answer.difference"), difference, low, high)
    return Drawing("answer", alternative, figures.accuracies(estimates, estimate, language))


def _tabulate_scores(evidence: Evidence, language: Language, level: str) -> Table:
    """Return a row for every metric, and for what the models cost."""
    say, percent = language.say, language.percent

    def row(metric: str) -> list[str]:
        write = percent if METRICS[metric].unit == "share" else language.decimals
        label = language.name("metric", metric).replace("_", " ")
        return [label, *map(write, evidence.scores(metric).values())]

    label, *accuracies = row("accuracy")
    ends = zip(evidence.scores("accuracy_low").values(), evidence.scores("accuracy_high").values(), strict=True)
    table = [
        ["", *language.names("model", evidence.models)],
        [f"**{label}**", *accuracies],
        [say("page.interval", level=level), *(language.interval(low, high) for low, high in ends)],
    ]
    if not evidence.is_synthetic:
        table.append([say("answer.stated"), *(percent(evidence.published(name).test) for name in evidence.models)])
    return [
        *table,
        [say("answer.validation"), *map(percent, evidence.scores("validation_accuracy").values())],
        [say("answer.train"), *map(percent, evidence.scores("train_accuracy").values())],
        *(row(metric) for metric in METRICS if metric != "accuracy"),
        [say("answer.parameters"), *map(language.count, evidence.scores("parameters").values())],
        [say("answer.cost"), *map(language.count, evidence.scores("multiply_adds").values())],
    ]


def _tabulate_images(evidence: Evidence, language: Language) -> Table:
    """Count the test images by which of the two models is right."""
    candidate, baseline = language.names("model", (evidence.candidate, evidence.baseline))
    counts = {
        key: language.count(evidence.comparison[key])
        for key in ("both_right", "only_baseline_right", "only_candidate_right", "both_wrong")
    }
    return [
        [language.say("answer.both"), *(language.say(f"answer.{end}", model=candidate) for end in ("right", "wrong"))],
        [language.say("answer.right", model=baseline), counts["both_right"], counts["only_baseline_right"]],
        [language.say("answer.wrong", model=baseline), counts["only_candidate_right"], counts["both_wrong"]],
    ]
