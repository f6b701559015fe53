"""The descriptions of runs in MLflow."""

from collections.abc import Mapping

from fashion_mnist.study.plan import Kind, Study

KINDS: Mapping[Kind, str] = {
    "replicate": "trained as in the pipeline",
    "other_cut": "with another validation split each",
    "article": "on all training images, without validation",
}


def describe_state(scores: Mapping[str, Mapping[str, float]], comparison: Mapping[str, float], *, dataset: str) -> str:
    """Lay the models' scores out as a Markdown table, with the paired difference below it."""
    rows = [
        ("test accuracy", "accuracy"),
        ("lower end of its interval", "accuracy_low"),
        ("upper end of its interval", "accuracy_high"),
        ("validation accuracy", "validation_accuracy"),
        ("train accuracy", "train_accuracy"),
    ]
    lines = [f"| on {dataset} | {' | '.join(scores)} |", f"| --- |{' ---: |' * len(scores)}"]
    for title, key in rows:
        lines.append(f"| {title} | {' | '.join(f'{100 * score[key]:.2f} %' for score in scores.values())} |")
    counts = (f"{score['parameters']:,.0f}" for score in scores.values())
    lines += [f"| parameters | {' | '.join(counts)} |", ""]
    lines.append(
        f"Paired difference on test: {100 * comparison['difference']:+.2f} points, interval "
        f"{100 * comparison['difference_low']:+.2f} to {100 * comparison['difference_high']:+.2f}; "
        f"McNemar's exact p = {comparison['mcnemar_p']:.2g}."
    )
    return "\n".join(lines) + "\n"


def describe_study(study: Study) -> str:
    """Lay accuracies of a study out as a Markdown table, with what the other trainings are for below it."""
    lines = [
        f"{len(study.trials)} trainings on {study.description['dataset']}, with other seeds: what another training "
        "would give.",
        "",
        "| accuracy on test | trainings | mean | lowest | highest |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for kind, model in sorted(study.predictions, key=lambda pair: (pair[1], list(KINDS).index(pair[0]))):
        values = study.accuracies(kind, model)
        cells = " | ".join(f"{100 * value:.2f} %" for value in (values.mean(), values.min(), values.max()))
        lines.append(f"| {model}, {KINDS[kind]} | {len(values)} | {cells} |")
    if sweeps := sum(trial.kind == "sweep" for trial in study.trials):
        lines += [
            "",
            f"{sweeps} of these trainings vary the units of the hidden layer and the epochs. They are judged on "
            "validation only and never see the test split.",
        ]
    return "\n".join(lines) + "\n"
