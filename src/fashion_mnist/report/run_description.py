"""The description of a run in MLflow."""

from collections.abc import Mapping


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
