"""Compare the models: reports/{metrics,predictions}, histories -> reports/{report.md,comparison.json,figures}."""

from collections.abc import Sequence

import numpy as np

from fashion_mnist.comparison import compare
from fashion_mnist.dataset import CLASS_NAMES
from fashion_mnist.errors import ArtifactError
from fashion_mnist.figures import confusion_matrices, learning_curves, render_svg
from fashion_mnist.metrics import Labels, confusion
from fashion_mnist.params import PublishedAccuracy
from fashion_mnist.reporting import ModelRow, percent, points, render_markdown
from pipeline.command import parse_arguments, run, say
from pipeline.costs import Work
from pipeline.files import MODELS, PREDICTIONS, REPORTS, read_csv, read_json, read_params, write_bytes, write_json

HISTORY = {"epoch": "int64", "loss": "float64", "accuracy": "float64", "val_loss": "float64", "val_accuracy": "float64"}
NOT_IN_ARTICLE = PublishedAccuracy(train=None, test=None)


def main(argv: Sequence[str] | None = None) -> Work:
    """Write the comparison, the figures and the page that shows them."""
    parse_arguments(argv, description=__doc__)
    params = read_params()
    confidence, baseline, candidate = params.evaluate.confidence, params.report.baseline, params.report.candidate
    data = read_json(REPORTS / "data.json")
    scores = {name: read_json(REPORTS / "metrics" / f"{name}.json") for name in params.models}
    histories = {name: read_csv(MODELS / name / "history.csv", columns=HISTORY) for name in params.models}
    labels, predictions = read_predictions(params.models)
    comparison = compare(labels, predictions[baseline], predictions[candidate], confidence=confidence)
    counts = {name: confusion(labels, found, classes=len(CLASS_NAMES)) for name, found in predictions.items()}
    titles = {name: f"{name}: {percent(scores[name]['accuracy'])} right" for name in params.models}
    page = render_markdown(
        models=[
            ModelRow(name, scores[name], params.report.article.get(name, NOT_IN_ARTICLE)) for name in params.models
        ],
        comparison=comparison,
        data=data,
        confidence=confidence,
        baseline=baseline,
        candidate=candidate,
    )
    figures = {
        "learning_curves": render_svg(learning_curves(histories)),
        "confusion": render_svg(confusion_matrices(counts, class_names=CLASS_NAMES, titles=titles)),
    }
    for name, figure in figures.items():
        write_bytes(figure, REPORTS / "figures" / f"{name}.svg")
    write_json(comparison, REPORTS / "comparison.json")
    write_bytes(page.encode(), REPORTS / "report.md")
    say(f"{candidate} − {baseline}: {points(comparison['difference'])} percentage points; see {REPORTS / 'report.md'}")
    return Work([REPORTS / "comparison.json", REPORTS / "report.md"], len(labels))


def read_predictions(models: Sequence[str]) -> tuple[Labels, dict[str, Labels]]:
    """Return the labels of the test images and what each model predicts; all of shape (n,).

    Raises ArtifactError when two models were scored on other labels, or in another order.
    """
    tables = {name: read_csv(REPORTS / "predictions" / f"{name}.csv", columns=PREDICTIONS) for name in models}
    labels = tables[models[0]]["label"]
    for name, table in tables.items():
        if not np.array_equal(table["label"], labels):
            raise ArtifactError(
                f"{REPORTS}/predictions: {name}.csv has other labels than {models[0]}.csv; expected the same images "
                "in the same order. Run `dvc repro evaluate`."
            )
    return labels, {name: table["prediction"] for name, table in tables.items()}


if __name__ == "__main__":
    run(main)
