"""The descriptions of runs in MLflow."""

from collections.abc import Mapping

from fashion_mnist.report.language import Language, percent, points
from fashion_mnist.report.tables import markdown_table, score_table, tabulate, transpose
from fashion_mnist.study.plan import Kind, Study

KINDS: Mapping[Kind, str] = {
    "replicate": "trained as in the pipeline",
    "other_cut": "with another validation split each",
    "article": "on all training images, without validation",
}


def describe_state(
    scores: Mapping[str, Mapping[str, float]], comparison: Mapping[str, float], *, dataset: str, confidence: float
) -> str:
    """Lay the models' scores out as a Markdown table, with the paired difference below it."""
    table = score_table(f"on {dataset}", scores, Language("en", space=" "), confidence=confidence)
    difference, low, high = (points(comparison[f"difference{end}"]) for end in ("", "_low", "_high"))
    return (
        f"{markdown_table(table)}\n\nPaired difference on test: {difference} points, interval {low} to {high}; "
        f"McNemar's exact p = {comparison['mcnemar_p']:.2g}.\n"
    )


def describe_study(study: Study) -> str:
    """Lay accuracies of a study out as a Markdown table, with what the other trainings are for below it."""
    accuracies = {
        f"{model}, {described}": study.accuracies(kind, model)
        for model in sorted({model for _, model in study.predictions})
        for kind, described in KINDS.items()
        if (kind, model) in study.predictions
    }
    columns = {
        "trainings": lambda values: str(len(values)),
        "mean": lambda values: percent(values.mean()),
        "lowest": lambda values: percent(values.min()),
        "highest": lambda values: percent(values.max()),
    }
    table = transpose(tabulate("accuracy on test", accuracies, columns))
    described = (
        f"{len(study.trials)} trainings on {study.description['dataset']}, with other seeds: what another training "
        f"would give.\n\n{markdown_table(table)}\n"
    )
    if sweeps := sum(trial.kind == "sweep" for trial in study.trials):
        described += (
            f"\n{sweeps} of these trainings vary the units of the hidden layer and the epochs. They are judged on "
            "validation only and never see the test split.\n"
        )
    return described
