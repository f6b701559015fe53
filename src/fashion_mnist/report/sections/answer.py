"""The answer: which of the two models is more accurate, by how much, and at what cost."""

from typing import NamedTuple

from fashion_mnist.report import figures
from fashion_mnist.report.drawing import Drawing
from fashion_mnist.report.evidence import Evidence
from fashion_mnist.report.figures import Estimate
from fashion_mnist.report.language import Language, Table
from fashion_mnist.scores.metrics import METRICS
from fashion_mnist.study.crossed import CrossedDifference


class Answer(NamedTuple):
    """What the first section shows."""

    headline: str
    accuracies: Drawing
    legend: str
    scores: Table
    image_by_image: Table


def answer(evidence: Evidence, language: Language) -> Answer:
    """Return the headline, and the scores of every model.

    The headline is about the mean over the trainings of the study, with the single run beside it; about that run alone
    where there is no study.
    """
    level = language.plain(100 * evidence.params.evaluate.confidence)
    return Answer(
        headline=_headline(evidence, language, level),
        accuracies=_draw_accuracies(evidence, language),
        legend=language.say(evidence.wording("answer.see"), level=level),
        scores=_tabulate_scores(evidence, language, level),
        image_by_image=_tabulate_images(evidence, language),
    )


def _headline(evidence: Evidence, language: Language, level: str) -> str:
    found, run = evidence.mean_difference, evidence.comparison
    single = {
        "level": level,
        "by": language.points(run["difference"]),
        "low": language.points(run["difference_low"]),
        "high": language.points(run["difference_high"]),
        "images": language.count(run["images"]),
        "p": language.probability(run["mcnemar_p"]),
    }
    if found is None:
        ends = run["difference"], run["difference_low"], run["difference_high"]
        certainty = language.say("answer.certainty", **single)
        return f"{_verdict(*ends, evidence, language)} {certainty} {_cost(evidence, language)}"
    verdict = _verdict(found.difference, found.low, found.high, evidence, language)
    mean = _describe_mean(found, evidence, language, level)
    return f"{verdict} {mean}\n\n{language.say('answer.single', **single)} {_cost(evidence, language)}"


def _verdict(difference: float, low: float, high: float, evidence: Evidence, language: Language) -> str:
    """Say which model is more accurate, as far as the interval of the difference can tell."""
    if low > 0:
        key, by = "more", language.distance(difference)
    elif high < 0:
        key, by = "less", language.distance(difference)
    else:
        key, by = "alike", language.points(difference)
    candidate, baseline = language.names("model", (evidence.candidate, evidence.baseline))
    return language.say(f"answer.{key}", candidate=candidate, baseline=baseline, by=by)


def _describe_mean(found: CrossedDifference, evidence: Evidence, language: Language, level: str) -> str:
    """Say which trainings the mean difference is of, its interval, and what that interval comes from."""
    assert evidence.comparison_study is not None  # noqa: S101 - else there is no mean difference
    made = evidence.comparison_study.predictions
    variance = found.by_seeds + found.by_images + found.by_both
    shares = {"seeds": found.by_seeds, "images_share": found.by_images, "both": found.by_both}
    return language.say(
        "answer.mean",
        level=level,
        candidate=language.name("model", evidence.candidate),
        baseline=language.name("model", evidence.baseline),
        candidate_trainings=len(made["replicate", evidence.candidate]),
        baseline_trainings=len(made["replicate", evidence.baseline]),
        images=language.count(evidence.comparison["images"]),
        low=language.points(found.low),
        high=language.points(found.high),
        predicted_low=language.points(found.predicted_low),
        predicted_high=language.points(found.predicted_high),
        **{name: language.whole_percent(part / (variance or 1)) for name, part in shares.items()},
    )


def _cost(evidence: Evidence, language: Language) -> str:
    """Say how much more the candidate costs."""
    candidate, baseline = (evidence.models[name].scores for name in (evidence.candidate, evidence.baseline))
    return language.say(
        "answer.candidate_cost",
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
    found = evidence.mean_difference
    run = [evidence.comparison[f"difference{end}"] for end in ("", "_low", "_high")]
    differences = [Estimate(language.say("answer.difference"), *run)]
    if found:
        differences.append(Estimate(language.say("answer.mean_difference"), found.difference, found.low, found.high))
    alternative = language.say(
        "answer.figure",
        accuracies=language.shares(evidence.scores("accuracy")),
        differences="; ".join(
            language.say(
                "answer.figure_difference",
                name=" ".join(estimate.name.split()),
                by=language.points(estimate.value),
                low=language.points(estimate.low),
                high=language.points(estimate.high),
            )
            for estimate in differences
        ),
    )
    return Drawing("answer", alternative, figures.accuracies(estimates, differences, language))


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
    if evidence.data.is_article:
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
