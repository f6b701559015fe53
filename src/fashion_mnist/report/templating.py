"""Templates filled with numbers: the gate's judgement, and what all templates share."""

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from fashion_mnist.report.language import percent, points, probability


def template_environment() -> Environment:
    """Return an environment for the templates of this package, in which an unknown name is an error."""
    return Environment(
        loader=PackageLoader("fashion_mnist.report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Markdown, from numbers and names that are our own
    )


def render_gate(judgement: Mapping[str, Any]) -> str:
    """Render the gate's judgement for a pull request; its keys are those of `pipeline.tools.gate`'s JSON."""
    environment = template_environment()
    environment.filters |= {"percent": percent, "points": points, "probability": probability}
    return environment.get_template("gate.md.jinja").render(judgement)
