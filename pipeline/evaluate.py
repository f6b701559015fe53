"""Score every model: models, data/normalized -> reports/{metrics,predictions,position,rotation,noise}, arrays.npz.

The only stage that opens the test split, but for `track`, if a champion of other data must be scored. All models share
one process, since importing TensorFlow takes longer than scoring them. What the report shows of images and networks is
kept as small arrays, so it needs neither.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_mnist.data.dataset import restore_pixels
from fashion_mnist.data.split import Floats, Split
from fashion_mnist.params import EvaluateParams
from fashion_mnist.scores.metrics import score
from fashion_mnist.scores.robustness import Classifier, Curve, noise_curves, position_curves, rotation_curves
from fashion_mnist.training.objective import accuracy_score, most_probable
from pipeline.bytes.descriptions import read_dataset
from pipeline.bytes.formats import read_split, write_arrays, write_csv, write_json
from pipeline.bytes.numerics import choose_instructions
from pipeline.runtime.command import parse_arguments, quiet_import, run, say
from pipeline.runtime.costs import Work
from pipeline.runtime.files import read_bytes
from pipeline.runtime.lock import check_inputs
from pipeline.runtime.machine import available_workers
from pipeline.runtime.packages import check_packages
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import ARRAYS, NORMALIZED, archive_of, curve_of, metrics_of, predictions_of

with quiet_import():
    import keras

    from fashion_mnist.scores.inspection import look_inside, multiply_adds
    from fashion_mnist.training.archive import from_archive
    from fashion_mnist.training.determinism import configure_tensorflow
    from fashion_mnist.training.inference import predict


def main(argv: Sequence[str] | None = None) -> Work:
    """Write each model's scores and predictions, its accuracy on changed images, and what it sees in one of them."""
    parse_arguments(argv, description=__doc__)
    params = read_params()
    check_packages()
    check_inputs(NORMALIZED, *map(archive_of, params.train))
    splits = {name: read_split(name) for name in ("train", "validation", "test")}
    test, example = splits["test"], params.evaluate.example
    described = read_dataset("test")
    params.evaluate.check_fit(images=len(test.labels), side=min(described.image_shape[:2]))
    choose_instructions(os.environ, params.evaluate.instructions)
    configure_tensorflow(seed=0, workers=available_workers())
    inside: dict[str, npt.NDArray[np.float32]] = {}
    misjudged = np.zeros(len(test.labels), bool)
    models = {name: from_archive(read_bytes(archive_of(name)), name=str(archive_of(name))) for name in params.train}
    for name, model in models.items():
        probabilities = {split: predict(model, images) for split, (images, _) in splits.items()}
        scores = score_model(model, splits, probabilities, params.evaluate, classes=len(described.classes))
        write_json({key: round(value, 6) for key, value in scores.items()}, metrics_of(name))
        write_csv(predictions(test, probabilities["test"]), predictions_of(name))
        say(f"{name}: test accuracy {scores['accuracy']:.4f}, validation {scores['validation_accuracy']:.4f}")
        inside |= {f"{name}/{layer}": values for layer, values in look_inside(model, test.images[example]).items()}
        misjudged |= most_probable(probabilities["test"]) != test.labels
    for change, tables in change_images(models, test, params.evaluate).items():
        for name, table in tables.items():
            write_csv(pd.DataFrame(table), curve_of(change, name))
            say(f"{name}: accuracy {table['accuracy'][0]:.4f} to {table['accuracy'][-1]:.4f} as {change} changes")
    write_arrays(pictures(test, misjudged, example) | inside, ARRAYS)
    images = len(params.train) * sum(len(split.labels) for split in splits.values())
    return Work([metrics_of(name) for name in params.train], images)


def score_model(
    model: keras.Model,
    splits: Mapping[str, Split],
    probabilities: Mapping[str, Floats],
    params: EvaluateParams,
    *,
    classes: int,
) -> dict[str, float]:
    """Score a model on test, measure its accuracy on the two splits it was trained with, and count what it costs."""
    train, validation = (
        accuracy_score(splits[split].labels, most_probable(probabilities[split])) for split in ("train", "validation")
    )
    return {
        **score(
            splits["test"].labels,
            probabilities["test"],
            classes=classes,
            confidence=params.confidence,
            bins=params.calibration_bins,
        ),
        "train_accuracy": train,
        "validation_accuracy": validation,
        "train_validation_gap": train - validation,
        "parameters": model.count_params(),
        "multiply_adds": multiply_adds(model),
    }


def change_images(
    models: Mapping[str, keras.Model], test: Split, params: EvaluateParams
) -> dict[str, dict[str, Curve]]:
    """Measure accuracy on moved, turned and noisy images; return a table by kind of change and model."""
    few = Split(test.images[: params.robustness.images], test.labels[: params.robustness.images])

    def classifier(model: keras.Model) -> Classifier:
        return lambda images: most_probable(predict(model, images))

    classifiers = {name: classifier(model) for name, model in models.items()}
    level, changes = params.confidence, params.robustness
    return {
        "position": position_curves(classifiers, few, pixels=changes.pixels, confidence=level),
        "rotation": rotation_curves(classifiers, few, degrees=changes.degrees, confidence=level),
        "noise": noise_curves(classifiers, few, deviations=changes.deviations, seed=changes.seed, confidence=level),
    }


def predictions(split: Split, probabilities: Floats) -> pd.DataFrame:
    """Tabulate label, prediction and its probability for each image, in the published order."""
    return pd.DataFrame(
        {
            "label": split.labels,
            "prediction": most_probable(probabilities),
            "confidence": probabilities.max(axis=1),
        }
    )


def pictures(test: Split, misjudged: npt.NDArray[np.bool_], example: int) -> dict[str, npt.NDArray[Any]]:
    """Gather the images that the report may show: each that some model gets wrong, with its index, and the example."""
    indices = np.flatnonzero(misjudged)
    return {
        "misjudged": indices,
        "misjudged_images": restore_pixels(test.images[indices]),
        "example_image": restore_pixels(test.images[example : example + 1])[0],
    }


if __name__ == "__main__":
    run(main)
