"""Tell what was measured: histories, reports/ -> reports/{report.html,report.md,comparison.json,figures}."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from fashion_mnist.errors import ArtifactError
from fashion_mnist.params import Params
from fashion_mnist.report.page import Evidence, Measured, Surroundings, make_report
from fashion_mnist.scores.robustness import DIRECTIONS
from pipeline.runtime.command import parse_arguments, run, say
from pipeline.runtime.costs import Work, digest
from pipeline.runtime.files import (
    HISTORY,
    MODELS,
    PREDICTIONS,
    REPORTS,
    read_arrays,
    read_csv,
    read_json,
    read_params,
    write_bytes,
    write_json,
)

# The columns of reports/CHANGE/MODEL.csv, by the kind of change.
CURVES = {
    change: dict.fromkeys((amount, "accuracy", "low", "high", *more), "float64")
    for change, amount, more in (
        ("position", "pixels", DIRECTIONS),
        ("rotation", "degrees", ()),
        ("noise", "deviation", ()),
    )
}
LOCK = Path("requirements/run.txt")
PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "matplotlib", "dvc", "mlflow")


def main(argv: Sequence[str] | None = None) -> Work:
    """Write the comparison, the figures and the page that shows them."""
    parse_arguments(argv, description=__doc__)
    report = make_report(read_evidence(read_params()))
    for name, figure in report.figures.items():
        write_bytes(figure, REPORTS / "figures" / f"{name}.svg")
    write_json(report.comparison, REPORTS / "comparison.json")
    write_bytes(report.markdown.encode(), REPORTS / "report.md")
    write_bytes(report.html.encode(), REPORTS / "report.html")
    say(f"{REPORTS}/report.html: {len(report.figures)} figures, {len(report.html) / 2**20:.1f} MiB")
    return Work([REPORTS / "comparison.json", REPORTS / "report.md"], report.comparison["images"])


def read_evidence(params: Params) -> Evidence:
    """Read what the stages before left.

    Raises ArtifactError when two models were scored on other labels, or in another order.
    """
    tables = {name: read_csv(REPORTS / "predictions" / f"{name}.csv", columns=PREDICTIONS) for name in params.models}
    labels = tables[params.models[0]]["label"]
    for name, table in tables.items():
        if not np.array_equal(table["label"], labels):
            raise ArtifactError(
                f"{REPORTS}/predictions: {name}.csv has other labels than {params.models[0]}.csv; expected the same "
                "images in the same order. Run `dvc repro evaluate`."
            )
    models = {
        name: Measured(
            read_json(REPORTS / "metrics" / f"{name}.json"),
            read_csv(MODELS / name / "history.csv", columns=HISTORY),
            table["prediction"],
            table["confidence"],
            {change: read_csv(REPORTS / change / f"{name}.csv", columns=columns) for change, columns in CURVES.items()},
        )
        for name, table in tables.items()
    }
    surroundings = Surroundings({package: version(package) for package in PACKAGES}, digest(LOCK))
    data, arrays = read_json(REPORTS / "data.json"), read_arrays(REPORTS / "arrays.npz")
    return Evidence(params, data, labels, models, arrays, surroundings)


if __name__ == "__main__":
    run(main)
