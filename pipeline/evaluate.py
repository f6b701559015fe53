"""Score every model: models, data/normalized -> reports/metrics, reports/predictions.

The only place where the test split is opened. All models share one process, since importing TensorFlow costs more
than scoring them.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fashion_mnist.dataset import CLASS_NAMES, Floats, Split
from fashion_mnist.metrics import accuracy_score, score
from pipeline.command import parse_arguments, quiet_import, run, say
from pipeline.costs import Work
from pipeline.files import MODELS, REPORTS, read_bytes, read_params, read_split, write_csv, write_json

with quiet_import():
    from fashion_mnist.models import from_archive, predict
    from fashion_mnist.training import configure_tensorflow


def main(argv: Sequence[str] | None = None) -> Work:
    """Write the scores of each model, and what it predicts for every test image."""
    parse_arguments(argv, description=__doc__)
    params = read_params()
    splits = {name: read_split(name) for name in ("train", "validation", "test")}
    configure_tensorflow(seed=0, threads=params.evaluate.threads)
    for name in params.models:
        path = MODELS / name / "model.keras"
        model = from_archive(read_bytes(path), name=str(path))
        probabilities = {
            split: predict(model, images, batch_size=params.evaluate.batch_size)
            for split, (images, _) in splits.items()
        }
        train, validation = (accuracy(splits[split], probabilities[split]) for split in ("train", "validation"))
        scores = score(
            splits["test"].labels,
            probabilities["test"],
            class_names=CLASS_NAMES,
            confidence=params.evaluate.confidence,
            bins=params.evaluate.calibration_bins,
        )
        scores |= {
            "train_accuracy": train,
            "validation_accuracy": validation,
            "train_validation_gap": train - validation,
            "parameters": model.count_params(),
        }
        write_json({key: round(value, 6) for key, value in scores.items()}, REPORTS / "metrics" / f"{name}.json")
        write_csv(predictions(splits["test"], probabilities["test"]), REPORTS / "predictions" / f"{name}.csv")
        say(f"{name}: test accuracy {scores['accuracy']:.4f}, validation {validation:.4f}, train {train:.4f}")
    images = len(params.models) * sum(len(split.labels) for split in splits.values())
    return Work([REPORTS / "metrics" / f"{name}.json" for name in params.models], images)


def accuracy(split: Split, probabilities: Floats) -> float:
    """Return the share of a split's images whose likeliest class is their label."""
    return accuracy_score(split.labels, probabilities.argmax(axis=1).astype(np.uint8))


def predictions(split: Split, probabilities: Floats) -> pd.DataFrame:
    """Tabulate label, prediction and its probability for each image, in the published order."""
    return pd.DataFrame(
        {
            "label": split.labels,
            "prediction": probabilities.argmax(axis=1),
            "confidence": probabilities.max(axis=1),
        }
    )


if __name__ == "__main__":
    run(main)
