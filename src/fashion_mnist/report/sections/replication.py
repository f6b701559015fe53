"""What another training would give: the spread of trainings that differ in their seed, or in more."""

from typing import NamedTuple

from fashion_mnist.report.drawing import Drawing
from fashion_mnist.report.evidence import Evidence
from fashion_mnist.report.language import Language, Table
from fashion_mnist.report.sections import study_figures
from fashion_mnist.report.sections.study_figures import Trainings
from fashion_mnist.study.plan import KINDS, Study
from fashion_mnist.study.spread import measure_spread, variance_ratio

SCORED = [kind for kind in KINDS if kind != "sweep"]


class Replication(NamedTuple):
    """What the section on other trainings shows."""

    summary: str
    drawing: Drawing
    legend: str
    tables: list[Table]
    cuts: list[str]


def replication(evidence: Evidence, language: Language) -> Replication | tuple[()]:
    """Return the accuracy of every training of the study, by model and kind; nothing without a study."""
    names = evidence.studied("replicate")
    if evidence.study is None or not names:
        return ()
    level = language.plain(100 * evidence.params.evaluate.confidence)
    models = {name: _collect(name, evidence.study, evidence, language) for name in names}
    ends = {name: (made.spread.predicted_low, made.spread.predicted_high) for name, (made, *_) in models.items()}
    ranges = ", ".join(f"{language.name('model', name)} ({language.interval(*pair)})" for name, pair in ends.items())
    figure = study_figures.trainings({language.name("model", name): kinds for name, kinds in models.items()}, language)
    return Replication(
        summary=language.say("replication.summary", level=level, ranges=ranges),
        drawing=Drawing("trainings", language.say("replication.figure", ranges=ranges), figure),
        legend=language.say(evidence.wording("replication.legend"), level=level),
        tables=[_tabulate(name, kinds, language, level) for name, kinds in models.items()],
        cuts=_describe_cuts(names, evidence.study, evidence, language, level),
    )


def _collect(model: str, study: Study, evidence: Evidence, language: Language) -> list[Trainings]:
    """Return the trainings of one model by kind; the article's figure is that of its own protocol."""
    confidence = evidence.params.evaluate.confidence
    return [
        Trainings(
            language.say(f"replication.{kind}"),
            study.accuracies(kind, model),
            measure_spread(study.accuracies(kind, model), confidence=confidence),
            evidence.published(model).test if kind == "article" else None,
        )
        for kind in SCORED
    ]


def _tabulate(model: str, kinds: list[Trainings], language: Language, level: str) -> Table:
    """Return a column for each kind of training of one model."""
    keys = ("trainings", "mean", "deviation", "lowest", "highest", "predicted")
    columns = [[language.name("model", model), *(language.say(f"replication.{key}", level=level) for key in keys)]]
    for name, _, spread, _ in kinds:
        low, high = language.distance(spread.deviation_low), language.distance(spread.deviation_high)
        interval = language.say("page.range", low=low, high=high)
        columns.append(
            [
                " ".join(name.split()),
                language.count(spread.trainings),
                language.percent(spread.mean),
                f"{language.distance(spread.deviation)} ({interval})",
                language.percent(spread.lowest),
                language.percent(spread.highest),
                language.interval(spread.predicted_low, spread.predicted_high),
            ]
        )
    return [list(row) for row in zip(*columns, strict=True)]


def _describe_cuts(names: list[str], study: Study, evidence: Evidence, language: Language, level: str) -> list[str]:
    """Say for each model whether another validation cut adds to the spread, as far as these trainings can tell."""
    sentences = []
    for name in names:
        values, reference = (study.accuracies(kind, name) for kind in ("other_cut", "replicate"))
        ratio = variance_ratio(values, reference, confidence=evidence.params.evaluate.confidence)
        if ratio:
            key = "cut_adds" if ratio.low > 1 else "cut_takes" if ratio.high < 1 else "cut_open"
            numbers = {end: language.write(f"{number:.2f}") for end, number in ratio._asdict().items()}
            model = language.name("model", name)
            sentences.append(language.say(f"replication.{key}", model=model, level=level, **numbers))
    return sentences
