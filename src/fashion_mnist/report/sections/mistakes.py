"""The errors one by one: test images that only one model gets right, and each model's most confident errors."""

from collections.abc import Sequence
from typing import NamedTuple

from fashion_mnist.report.drawing import Drawing
from fashion_mnist.report.evidence import Evidence
from fashion_mnist.report.language import Language
from fashion_mnist.report.pictures import Picture, gallery
from fashion_mnist.scores.comparison import most_confident

PICTURES = 8


class Mistakes(NamedTuple):
    """What the section on errors shows of single images."""

    only_one_right: str
    only: list[Drawing]
    confident: list[Drawing]


class Mistake(NamedTuple):
    """A test image by index, its class, the class that a model predicts, and how confident the model is."""

    image: int
    label: str
    prediction: str
    confidence: str


def mistakes(evidence: Evidence, language: Language) -> Mistakes:
    """Return drawings of the errors in which the models are most confident."""
    candidate, baseline = evidence.candidate, evidence.baseline
    only = []
    for right, wrong in ((candidate, baseline), (baseline, candidate)):
        chosen = evidence.right(right) & ~evidence.right(wrong)
        indices = most_confident(chosen, evidence.models[wrong].confidence, top=PICTURES)
        only.append(_draw("only", right, _describe(indices, wrong, evidence, language), evidence, language))
    confident = []
    for name, results in evidence.models.items():
        indices = most_confident(~evidence.right(name), results.confidence, top=PICTURES)
        confident.append(_draw("confident", name, _describe(indices, name, evidence, language), evidence, language))
    sentence = language.say(
        "errors.only_see",
        candidate=language.name("model", candidate),
        baseline=language.name("model", baseline),
        gained=language.count(evidence.comparison["only_candidate_right"]),
        lost=language.count(evidence.comparison["only_baseline_right"]),
    )
    return Mistakes(sentence, only, confident)


def _describe(indices: Sequence[int], model: str, evidence: Evidence, language: Language) -> list[Mistake]:
    """Return what a model mistakes each of some test images for."""
    class_names = evidence.class_names(language)
    results = evidence.models[model]
    return [
        Mistake(
            index,
            class_names[evidence.labels[index]],
            class_names[results.predictions[index]],
            language.write(f"{100 * results.confidence[index]:.1f} %"),
        )
        for index in indices
    ]


def _draw(kind: str, model: str, shown: Sequence[Mistake], evidence: Evidence, language: Language) -> Drawing:
    """Draw test images, each above its class, what it is mistaken for, and the confidence; kind: only or confident."""
    place = {int(index): row for row, index in enumerate(evidence.arrays["misjudged"])}
    pictures = [
        Picture(
            evidence.arrays["misjudged_images"][place[mistake.image]],
            [mistake.label, f"→ {mistake.prediction}", mistake.confidence],
        )
        for mistake in shown
    ]
    title = language.name("model", model)
    listed = ", ".join(
        language.say("errors.mistake", label=label, prediction=prediction, confidence=confidence)
        for _, label, prediction, confidence in shown
    )
    return Drawing(
        f"{kind}_{model}",
        language.say(f"errors.{kind}_figure", model=title, list=listed),
        gallery(pictures, language.say(f"errors.{kind}_heading", model=title)),
    )
