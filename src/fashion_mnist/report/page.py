"""The report as a page: Markdown, and HTML that holds its own pictures, in one language."""

import base64
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from markdown_it import MarkdownIt

from fashion_mnist.report.drawing import Drawing, render_svg
from fashion_mnist.report.evidence import Evidence, PageSection
from fashion_mnist.report.language import Language
from fashion_mnist.report.sections.answer import answer
from fashion_mnist.report.sections.claims import claims
from fashion_mnist.report.sections.errors import errors
from fashion_mnist.report.sections.inside import inside
from fashion_mnist.report.sections.learning_curves import learning_curves
from fashion_mnist.report.sections.mistakes import mistakes
from fashion_mnist.report.sections.position import position
from fashion_mnist.report.sections.replication import replication
from fashion_mnist.report.sections.sweep import sweep
from fashion_mnist.report.sections.trust import trust
from fashion_mnist.report.tables import render

# In the order of the page; the template shows each under the name of its function.
SECTIONS = (answer, replication, claims, learning_curves, sweep, errors, mistakes, position, inside, trust)


class Report(NamedTuple):
    """The report: the comparison of candidate and baseline, the page in two formats, and its figures as SVG by name."""

    comparison: dict[str, Any]
    markdown: str
    html: str
    figures: dict[str, bytes]


def make_report(evidence: Evidence) -> Report:
    """Return the report on what was measured, in the language of params.report.

    Paths in the Markdown are relative to the folder of the report; the HTML needs nothing from outside.
    """
    sections = {section.__name__: section(evidence) for section in SECTIONS}
    svgs = {drawing.name: render_svg(drawing.figure) for section in sections.values() for drawing in drawings(section)}
    markdown = render("report", "report.md.jinja", evidence=evidence, say=evidence.say, **sections)
    return Report(evidence.all_comparisons, markdown, render_html(markdown, svgs, evidence.language), svgs)


def drawings(section: PageSection | None) -> list[Drawing]:
    """List the drawings of a section, those in its lists among them."""
    fields = vars(section).values() if section else ()
    parts = [part for field in fields for part in (field if isinstance(field, list) else [field])]
    return [part for part in parts if isinstance(part, Drawing)]


def render_html(markdown: str, svgs: Mapping[str, bytes], language: Language) -> str:
    """Render the page's Markdown as HTML that needs nothing from outside; svgs: its figures by name."""
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = parser.parse(markdown)
    titles: list[str] = []
    for heading, inline in pairwise(tokens):
        if heading.type == "heading_open" and heading.tag == "h2":
            heading.attrSet("id", f"section-{len(titles) + 1}")
            titles.append(inline.content)

    def embed(found: re.Match[str]) -> str:
        return f'src="data:image/svg+xml;base64,{base64.b64encode(svgs[found[1]]).decode()}"'

    content = parser.renderer.render(tokens, parser.options, {})
    return render(
        "report",
        "report.html.jinja",
        language=language,
        title=next(inline.content for heading, inline in pairwise(tokens) if heading.tag == "h1"),
        sections=titles,
        content=re.sub(r'src="figures/([^"]+)\.svg"', embed, content),
    )
