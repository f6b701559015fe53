"""Say in a terminal what the reports hold: reports/{metrics,comparison.json} -> a table, and the path of the page."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from fashion_mnist.report.language import percent, points
from pipeline.bytes.formats import read_json
from pipeline.runtime.command import parse_arguments, run
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import COMPARISON, PAGE_HTML, metrics_of


def main(argv: Sequence[str] | None = None) -> None:
    """Print the scores of each model, how far apart they are, and the path of the page."""
    parse_arguments(argv, description=__doc__)
    params = read_params()
    scores = {name: read_json(metrics_of(name)) for name in params.train}
    comparison = read_json(COMPARISON)
    console = Console(highlight=False)
    console.print(tabulate(scores))
    console.print(
        f"{params.report.candidate} − {params.report.baseline}: [bold]{points(comparison['difference'])}[/] points, "
        f"{100 * params.evaluate.confidence:g} % interval {points(comparison['difference_low'])} to "
        f"{points(comparison['difference_high'])}"
    )
    if "mean_difference" in comparison:
        console.print(
            f"the mean over the trainings of the study: [bold]{points(comparison['mean_difference'])}[/] points, "
            f"{points(comparison['mean_difference_low'])} to {points(comparison['mean_difference_high'])}"
        )
    console.print(f"the page: {PAGE_HTML}")


def tabulate(scores: Mapping[str, Mapping[str, Any]]) -> Table:
    """Lay out the scores, a row for each model."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("model")
    for column in ("test", "interval", "validation", "train", "parameters"):
        table.add_column(column, justify="right")
    for name, score in scores.items():
        low, high = (percent(score[key]) for key in ("accuracy_low", "accuracy_high"))
        others = (percent(score[key]) for key in ("validation_accuracy", "train_accuracy"))
        table.add_row(
            name, f"[bold]{percent(score['accuracy'])}[/]", f"{low} to {high}", *others, f"{score['parameters']:,}"
        )
    return table


if __name__ == "__main__":
    run(main)
