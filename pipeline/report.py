"""Write the report: histories, reports/, the study -> reports/{report.html,report.md,comparison.json,figures}."""

from collections.abc import Sequence
from importlib.metadata import version

import numpy as np

from fashion_mnist.errors import ArtifactError
from fashion_mnist.params import Params
from fashion_mnist.report.evidence import Evidence, ModelResults
from fashion_mnist.report.page import make_report
from fashion_mnist.scores.robustness import CHANGES
from pipeline.bytes.descriptions import read_description
from pipeline.bytes.formats import read_arrays, read_json, write_json
from pipeline.runtime.command import parse_arguments, run, say
from pipeline.runtime.costs import Work
from pipeline.runtime.files import file_digest, write_bytes
from pipeline.runtime.lock import check_inputs
from pipeline.runtime.packages import check_packages
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import (
    ARRAYS,
    COMPARISON,
    DATA,
    FIGURES,
    METRICS,
    PAGE_HTML,
    PAGE_MARKDOWN,
    PREDICTIONS,
    REPORTS,
    REQUIREMENTS,
    history_of,
    metrics_of,
    predictions_of,
)
from pipeline.runtime.tables import read_curves, read_history, read_predictions
from pipeline.study.tables import find_study

PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "matplotlib", "dvc", "mlflow")


def main(argv: Sequence[str] | None = None) -> Work:
    """Write the comparison, the figures and the page that shows them."""
    parse_arguments(argv, description=__doc__)
    params = read_params()
    check_packages(REQUIREMENTS)
    report = make_report(read_evidence(params))
    for name, figure in report.figures.items():
        write_bytes(figure, FIGURES / f"{name}.svg")
    write_json(report.comparison, COMPARISON)
    write_bytes(report.markdown.encode(), PAGE_MARKDOWN)
    write_bytes(report.html.encode(), PAGE_HTML)
    say(f"{PAGE_HTML}: {len(report.figures)} figures, {len(report.html) / 2**20:.1f} MiB")
    return Work([COMPARISON, PAGE_MARKDOWN], report.comparison["images"])


def read_evidence(params: Params) -> Evidence:
    """Read what the stages before left.

    Raises ArtifactError when two models were scored on other labels, or in another order.
    """
    curves = (REPORTS / change for change in CHANGES)
    check_inputs(DATA, METRICS, PREDICTIONS, ARRAYS, *curves, *map(history_of, params.train))
    tables = {name: read_predictions(name) for name in params.train}
    first, *others = tables
    for name in others:
        if not np.array_equal(tables[name]["label"], tables[first]["label"]):
            raise ArtifactError(
                f"{predictions_of(name)}: its labels are not those of {predictions_of(first)}; expected the same "
                "images in the same order. Run `dvc repro evaluate`."
            )
    models = {
        name: ModelResults(
            read_json(metrics_of(name)), read_history(name), table["prediction"], table["confidence"], read_curves(name)
        )
        for name, table in tables.items()
    }
    data = read_description()
    return Evidence(
        params,
        data,
        tables[first]["label"],
        models,
        arrays=read_arrays(ARRAYS),
        packages={package: version(package) for package in PACKAGES},
        lock=file_digest(REQUIREMENTS),
        study=find_study(params, data),
    )


if __name__ == "__main__":
    run(main)
