"""Tables of finished text, and the templates that show them as Markdown."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from jinja2 import Environment, PackageLoader, StrictUndefined

from fashion_mnist.report.language import Language
from fashion_mnist.scores.metrics import METRICS

T = TypeVar("T")
# Rows of cells, the first of which is the header.
Table = list[list[str]]


def tabulate(
    corner: str, things: Mapping[str, T], rows: Mapping[str, Callable[[T], str]], *, name: Callable[[str], str] = str
) -> Table:
    """Lay things such as models side by side, a column for each.

    corner: the first cell of the header. rows: by their label, the function that writes the cell of a thing. name: the
    function that turns a thing's key into its title.
    """
    return [[corner, *map(name, things)], *([shown, *map(write, things.values())] for shown, write in rows.items())]


def transpose(table: Table) -> Table:
    """Turn the rows of a table into columns."""
    return [list(column) for column in zip(*table, strict=True)]


def score_table(
    corner: str,
    scores: Mapping[str, Mapping[str, float]],
    language: Language,
    *,
    confidence: float,
    name: Callable[[str], str] = str,
) -> Table:
    """Return every score of each model, and what the models cost; the first row is the accuracy.

    scores: by model, the content of its file in reports/metrics. confidence: of the accuracy's interval. corner, name:
    as for `tabulate`. A metric that has not been measured yet is left out.
    """
    say = language.say

    def interval(scored: Mapping[str, float]) -> str:
        return language.interval(scored["accuracy_low"], scored["accuracy_high"])

    def cell(key: str, form: str) -> Callable[[Mapping[str, float]], str]:
        return lambda scored: language.format_field(scored[key], form)

    forms = {"share": "percent", "number": ".4f"}
    metrics = {
        language.name("metric", metric).replace("_", " "): cell(metric, forms[unit])
        for metric, (_, unit, _) in METRICS.items()
        if all(metric in scored for scored in scores.values())
    }
    label, accuracy = next(iter(metrics.items()))
    rows = {
        label: accuracy,
        say("page.interval", level=language.plain(100 * confidence)): interval,
        say("answer.validation"): cell("validation_accuracy", "percent"),
        say("answer.train"): cell("train_accuracy", "percent"),
        **metrics,
        say("answer.parameters"): cell("parameters", "count"),
        say("answer.cost"): cell("multiply_adds", "count"),
    }
    return tabulate(corner, scores, rows, name=name)


def markdown_table(table: Table) -> str:
    """Write a table as Markdown; all columns but the first are numbers, set to the right."""
    header, *rows = ("| " + " | ".join(row) + " |" for row in table)
    return "\n".join([header, f"| --- |{' ---: |' * (len(table[0]) - 1)}", *rows])


def render(room: str, template: str, **values: Any) -> str:
    """Render a template of a room of the library; an unknown name in it is an error."""
    environment = Environment(
        loader=PackageLoader(f"fashion_mnist.{room}"),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Markdown, from numbers and names that are our own
    )
    environment.filters["table"] = markdown_table
    return environment.get_template(template).render(**values)
