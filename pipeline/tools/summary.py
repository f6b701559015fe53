"""Say in a terminal what the reports hold: reports/{metrics,comparison.json} -> a table, and the path of the page."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from fashion_mnist.report.language import Language, points
from fashion_mnist.report.tables import score_table
from pipeline.bytes.formats import read_json
from pipeline.runtime.command import parse_arguments, run
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import COMPARISON, PAGE_HTML, metrics_of


def main(argv: Sequence[str] | None = None) -> None:
    """Print the scores of each model, how far apart they are, and the path of the page."""
    parse_arguments(argv, description=__doc__)
    params, comparison = read_params(), read_json(COMPARISON)
    scores = {name: read_json(metrics_of(name)) for name in params.train}
    language, confidence = Language("en", space=" "), params.evaluate.confidence
    (corner, *models), *rows = score_table("model", scores, language, confidence=confidence)
    table = Table(corner, box=None, pad_edge=False, header_style="dim")
    for model in models:
        table.add_column(model, justify="right")
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False)
    console.print(table)
    differences = {
        f"{params.report.candidate} − {params.report.baseline}": "difference",
        "the mean over the trainings of the study": "mean_difference",
    }
    for what, key in differences.items():
        if key in comparison:
            found, low, high = (points(comparison[f"{key}{end}"]) for end in ("", "_low", "_high"))
            level = f"{100 * confidence:g} % interval"
            console.print(f"{what}: [bold]{found}[/] points, {level} {low} to {high}")
    console.print(f"the page: {PAGE_HTML}")


if __name__ == "__main__":
    run(main)
