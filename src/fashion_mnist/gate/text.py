"""The gate's judgement as text for a terminal and as Markdown for a pull request, from one table."""

from collections.abc import Mapping
from typing import Any

from fashion_mnist.report.language import percent, points, probability
from fashion_mnist.report.templating import template_environment


def judgement_text(judgement: Mapping[str, Any]) -> str:
    """Lay the judgement out for a terminal: a line for each model, then sentences, then the verdict.

    judgement: what `pipeline.gate` writes as JSON.
    """
    if judgement["verdict"] == "cannot judge":
        return f"gate: cannot judge. {judgement['reason']}"
    tolerated = points(-judgement["margin"])
    lines = [f"gate against {judgement['baseline']['described']}; points of test accuracy, {tolerated} tolerated", ""]
    rows = judgement_table(judgement["models"])
    header = "".join(f"{title:>10}" for title in next(iter(rows.values())))
    lines += [f"{'model':10}{header}"]
    lines += [f"{model:10}{''.join(f'{cell:>10}' for cell in cells.values())}" for model, cells in rows.items()]
    lines += ["", describe_bytes(judgement), describe_machine(judgement)]
    lines += [*judgement["changes"], *describe_accepted(judgement), *judgement["remarks"]]
    lines += [f"FAILS {failure}" for failure in judgement["failures"]]
    return "\n".join([*lines, "", f"gate: {judgement['verdict']}"])


def judgement_markdown(judgement: Mapping[str, Any]) -> str:
    """Render the judgement for a pull request."""
    table = judgement_table(judgement["models"]) if "models" in judgement else {}
    environment = template_environment("gate")
    environment.filters["probability"] = probability
    template = environment.get_template("gate.md.jinja")
    origin = f"{describe_bytes(judgement)}; {describe_machine(judgement)}" if "models" in judgement else ""
    tolerated = points(-judgement.get("margin", 0))
    acceptances = describe_accepted(judgement)
    return template.render(judgement, acceptances=acceptances, table=table, tolerated=tolerated, origin=origin)


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
    """Say which CPU this is, and which instructions each model is trained with; both decide the bits."""
    instructions = ", ".join(f"{model} {chosen}" for model, chosen in judgement["instructions"].items())
    return f"this CPU: {judgement['cpu']}; instructions: {instructions}"


def judgement_table(models: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Write the numbers of each model by the title of their column; accuracies in percent, changes in points."""
    return {
        name: {
            "was": percent(model["baseline_accuracy"]),
            "is": percent(model["accuracy"]),
            "change": points(model["change"]),
            "at worst": points(model["at_worst"]),
            "at best": points(model["at_best"]),
            "lost": str(sum(count["lost"] for count in model["exchanged"].values())),
            "gained": str(sum(count["gained"] for count in model["exchanged"].values())),
        }
        for name, model in models.items()
    }
