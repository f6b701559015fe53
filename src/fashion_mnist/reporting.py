"""The report's and the gate's text, from numbers."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from fashion_mnist.params import PublishedAccuracy


class ModelRow(NamedTuple):
    """One model in the report's table: its scores, and what the source article states of it."""

    name: str
    scores: Mapping[str, float]
    article: PublishedAccuracy


def percent(share: float | None) -> str:
    """Write a share as a percentage with two decimals; a dash where there is none."""
    return "–" if share is None else f"{100 * share:.2f} %"


def points(difference: float | None) -> str:
    """Write a difference of shares in percentage points, with its sign; a dash where there is none."""
    if difference is None:
        return "–"
    rounded = round(100 * difference, 2) + 0.0  # which turns -0.0 into 0.0
    return f"{rounded:+.2f}".replace("-", "−")


def probability(p: float | None) -> str:
    """Write a p-value with two digits; very small ones as a power of ten; a dash where there is none."""
    if p is None:
        return "–"
    if p >= 0.001:
        return f"{p:.3f}"
    mantissa, exponent = f"{p:.1e}".split("e")
    return f"{mantissa} · 10<sup>{int(exponent)}</sup>".replace("-", "−") if p else "below 10<sup>−300</sup>"


def render_markdown(
    *,
    models: list[ModelRow],
    comparison: Mapping[str, Any],
    data: Mapping[str, Any],
    confidence: float,
    baseline: str,
    candidate: str,
) -> str:
    """Render the report for a reader on GitHub; paths in it are relative to the folder of the report."""
    template = _environment().get_template("report.md.jinja")
    return template.render(
        models=models,
        comparison=comparison,
        data=data,
        confidence=confidence,
        baseline=baseline,
        candidate=candidate,
        synthetic=data["dataset"] == "synthetic",
    )


def render_gate(judgement: Mapping[str, Any]) -> str:
    """Render the gate's judgement for a pull request; its keys are those of `pipeline.gate`'s JSON."""
    return _environment().get_template("gate.md.jinja").render(judgement)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("fashion_mnist"),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Markdown, from numbers and names that are our own
    )
    environment.filters |= {
        "percent": percent,
        "points": points,
        "probability": probability,
        "decimals": "{:.4f}".format,
        "thousands": "{:,}".format,
    }
    return environment
