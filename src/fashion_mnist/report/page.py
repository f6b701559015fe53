"""The report as a page: Markdown, and HTML that holds its own pictures, in one language."""

import base64
import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from markdown_it import MarkdownIt

from fashion_mnist.report.drawing import Drawing, render_svg
from fashion_mnist.report.evidence import Evidence
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
from fashion_mnist.report.templating import template_environment

Section = Callable[[Evidence, Language], tuple[Any, ...]]
# By the name under which the template shows them, in the order of the page.
SECTIONS: Mapping[str, Section] = {
    "answer": answer,
    "replication": replication,
    "claims": claims,
    "learning_curves": learning_curves,
    "sweep": sweep,
    "errors": errors,
    "mistakes": mistakes,
    "position": position,
    "inside": inside,
    "trust": trust,
}


class Report(NamedTuple):
    """The report: the comparison of candidate and baseline, the page in two formats, and its figures as SVG by name."""

    comparison: dict[str, Any]
    markdown: str
    html: str
    figures: dict[str, bytes]


def make_report(evidence: Evidence) -> Report:
    """Return the report on what was measured, in the language of params.report."""
    language = Language(evidence.params.report.language)
    sections = {name: section(evidence, language) for name, section in SECTIONS.items()}
    markdown = render_markdown(sections, language, title=name_page(evidence, language), is_drawn=evidence.data.is_drawn)
    svgs = {drawing.name: render_svg(drawing.figure) for section in sections.values() for drawing in drawings(section)}
    return Report(evidence.all_comparisons, markdown, render_html(markdown, svgs, language), svgs)


def drawings(section: tuple[Any, ...]) -> list[Drawing]:
    """List the drawings of a section, those in its lists among them."""
    parts = [part for field in section for part in (field if isinstance(field, list) else [field])]
    return [part for part in parts if isinstance(part, Drawing)]


def name_page(evidence: Evidence, language: Language) -> str:
    """Return the title: of a folder's images with the names of the two models, which may be of any kind."""
    data = evidence.data
    if data.dataset != "folder":
        return language.say("page.title", data=language.name("page", data.dataset))
    candidate, baseline = language.names("model", (evidence.candidate, evidence.baseline))
    return language.say("page.title_own", candidate=candidate, baseline=baseline, data=data.name)


def render_markdown(sections: Mapping[str, tuple[Any, ...]], language: Language, *, title: str, is_drawn: bool) -> str:
    """Render the page for a reader on GitHub; paths in it are relative to the folder of the report.

    sections: by name. is_drawn: whether the project drew the images, which the page then says.
    """
    template = template_environment("report").get_template("report.md.jinja")
    return template.render(
        **sections, say=language.say, title=title, notice=language.say("page.notice") if is_drawn else ""
    )


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
    template = template_environment("report").get_template("report.html.jinja")
    return template.render(
        language=language,
        title=next(inline.content for heading, inline in pairwise(tokens) if heading.tag == "h1"),
        sections=titles,
        content=re.sub(r'src="figures/([^"]+)\.svg"', embed, content),
    )
