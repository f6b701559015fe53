"""The errors one by one: test images that only one model gets right, and each model's most confident errors."""

import numpy as np
import numpy.typing as npt

from fashion_mnist.report.drawing import Drawing, Picture, gallery
from fashion_mnist.report.evidence import Evidence, PageSection
from fashion_mnist.scores.comparison import most_confident

PICTURES = 8


def mistakes(evidence: Evidence) -> PageSection:
    """Return drawings of the errors in which the models are most confident."""
    pair = (evidence.candidate, evidence.baseline)
    only = [
        _draw("only", right, wrong, evidence.right(right) & ~evidence.right(wrong), evidence)
        for right, wrong in (pair, pair[::-1])
    ]
    confident = [_draw("confident", name, name, ~evidence.right(name), evidence) for name in evidence.models]
    return PageSection(only=only, confident=confident)


def _draw(kind: str, model: str, wrong: str, chosen: npt.NDArray[np.bool_], evidence: Evidence) -> Drawing:
    """Draw the chosen test images of which a model, `wrong`, is most confident.

    Each is above its class, what it is mistaken for, and the confidence. kind: only or confident. model: the one that
    the drawing is about.
    """
    results, names, arrays = evidence.models[wrong], evidence.class_names, evidence.arrays
    pictures, listed = [], []
    for index in most_confident(chosen, results.confidence, top=PICTURES):
        label, prediction = names[evidence.labels[index]], names[results.predictions[index]]
        confidence = evidence.language.write(f"{100 * results.confidence[index]:.1f} %")
        pixels = arrays["misjudged_images"][np.searchsorted(arrays["misjudged"], index)]
        pictures.append(Picture(pixels, [label, f"→ {prediction}", confidence]))
        listed.append(evidence.say("errors.mistake", label=label, prediction=prediction, confidence=confidence))
    return Drawing(
        f"{kind}_{model}",
        evidence.say(f"errors.{kind}_figure", model=model, list=", ".join(listed)),
        gallery(pictures, evidence.say(f"errors.{kind}_heading", model=model)),
    )
