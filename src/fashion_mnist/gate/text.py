"""The gate's judgement as text for a terminal and as Markdown for a pull request, from one table."""

from collections.abc import Callable, Mapping
from typing import Any

from fashion_mnist.report.language import Language, percent, points
from fashion_mnist.report.tables import Table, render, tabulate, transpose

# The columns of the table; accuracies are in percent, changes in points, lost and gained count images.
COLUMNS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "was": lambda model: percent(model["baseline_accuracy"]),
    "is": lambda model: percent(model["accuracy"]),
    "change": lambda model: points(model["change"]),
    "at worst": lambda model: points(model["at_worst"]),
    "at best": lambda model: points(model["at_best"]),
    "lost": lambda model: str(sum(count["lost"] for count in model["exchanged"].values())),
    "gained": lambda model: str(sum(count["gained"] for count in model["exchanged"].values())),
}


def judgement_text(judgement: Mapping[str, Any]) -> str:
    """Lay the judgement out for a terminal: a line for each model, then sentences, then the verdict.

    judgement: what `pipeline.gate` writes as JSON.
    """
    if judgement["verdict"] == "cannot judge":
        return f"gate: cannot judge. {judgement['reason']}"
    tolerated = points(-judgement["margin"])
    lines = [f"gate against {judgement['baseline']['described']}; points of test accuracy, {tolerated} tolerated", ""]
    for name, *cells in judgement_table(judgement["models"], COLUMNS):
        lines.append(f"{name:10}{''.join(f'{cell:>10}' for cell in cells)}")
    lines += ["", describe_bytes(judgement), describe_machine(judgement)]
    lines += [*judgement["changes"], *describe_accepted(judgement), *judgement["remarks"]]
    lines += [f"FAILS {failure}" for failure in judgement["failures"]]
    return "\n".join([*lines, "", f"gate: {judgement['verdict']}"])


def judgement_markdown(judgement: Mapping[str, Any]) -> str:
    """Render the judgement for a pull request."""
    if judgement["verdict"] == "cannot judge":
        return render("gate", "gate.md.jinja", **judgement)
    write = Language("en").probability
    columns = {**COLUMNS, "p": lambda model: write(model["p"])}
    return render(
        "gate",
        "gate.md.jinja",
        **judgement,
        acceptances=describe_accepted(judgement),
        table=judgement_table(judgement["models"], columns),
        tolerated=points(-judgement["margin"]),
        origin=f"{describe_bytes(judgement)}; {describe_machine(judgement)}",
    )


def judgement_table(
    models: Mapping[str, Mapping[str, Any]], columns: Mapping[str, Callable[[Mapping[str, Any]], str]]
) -> Table:
    """Return a row for each model; columns: by title, how the cell of a model is written."""
    return transpose(tabulate("model", models, columns))


def describe_accepted(judgement: Mapping[str, Any]) -> list[str]:
    """Say what commits of the change accept, in which, and whether that was needed."""
    return [
        f"accepted in {entry['commit'][:7]}: {entry['what']}{'' if entry['needed'] else ', which was not needed'}"
        for entry in judgement.get("accepted", [])
    ]


def describe_bytes(judgement: Mapping[str, Any]) -> str:
    """Say whether the results are the same bytes as at the baseline."""
    same = "the same bytes as at the baseline" if judgement["reproduced"] else "other bytes than at the baseline"
    return f"metrics, predictions and models: {same}"


def describe_machine(judgement: Mapping[str, Any]) -> str:
    """Say which CPU this is, with how many cores, and which instructions each model is trained with.

    With native instructions, the kind of CPU decides bits; the number of cores never does.
    """
    instructions = ", ".join(f"{model} {chosen}" for model, chosen in judgement["instructions"].items())
    return f"this CPU: {judgement['cpu']}, cores: {judgement['cores']}; instructions: {instructions}"
