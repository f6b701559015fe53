"""What the candidate's layers see in one test image."""

from typing import NamedTuple

from fashion_mnist.report.drawing import Drawing
from fashion_mnist.report.evidence import Evidence
from fashion_mnist.report.language import Language
from fashion_mnist.report.pictures import Picture, gallery, mosaic


class Inside(NamedTuple):
    """What the section on the candidate's layers shows."""

    explanation: str
    drawings: list[Drawing]


def inside(evidence: Evidence, language: Language) -> Inside:
    """Return drawings of the example, and of the kernels and maps of each layer; none for a network without them."""
    model = language.name("model", evidence.candidate)
    layers = [name for name in evidence.arrays if name.startswith(f"{evidence.candidate}/")]
    if not layers:
        return Inside(language.say("inside.nothing", model=model), [])
    label = evidence.class_names(language)[evidence.labels[evidence.params.evaluate.example]]
    picture = Picture(evidence.arrays["example_image"], [label])
    example = Drawing(
        "example",
        language.say("inside.image", label=label),
        gallery([picture], language.say("inside.image_heading"), columns=1),
    )
    drawings = [example, *(_draw_layer(name, evidence, language) for name in layers)]
    return Inside(language.say("inside.see", label=label, model=model), drawings)


def _draw_layer(name: str, evidence: Evidence, language: Language) -> Drawing:
    """Draw the kernels or feature maps of a layer; name: of their array, MODEL/kernels/LAYER or MODEL/maps/LAYER."""
    _, kind, layer = name.split("/")
    tiles = evidence.arrays[name]
    height, width, count = tiles.shape
    described, heading = (
        language.say(f"inside.{key}", layer=layer, count=count, height=height, width=width)
        for key in (kind, f"{kind}_heading")
    )
    figure = mosaic(tiles, heading, columns=8, signed=kind == "kernels")
    return Drawing(f"layer_{kind}_{layer}", described, figure)
