"""Score every model: models, data/normalized -> reports/{metrics,predictions,position,rotation,noise}, arrays.npz.

The only place where the test split is opened. All models share one process, since importing TensorFlow costs more
than scoring them. What the report shows of images and networks is kept as small arrays, so that it needs neither.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_mnist.data.dataset import CLASS_NAMES, Floats, Split, restore_pixels
from fashion_mnist.params import EvaluateParams
from fashion_mnist.scores.metrics import Labels, accuracy_score, score
from fashion_mnist.scores.robustness import Table, noise_curve, position_curve, rotation_curve
from pipeline.runtime.command import parse_arguments, quiet_import, run, say
from pipeline.runtime.costs import Work
from pipeline.runtime.files import (
    MODELS,
    REPORTS,
    read_bytes,
    read_params,
    read_split,
    write_arrays,
    write_csv,
    write_json,
)

with quiet_import():
    import keras

    from fashion_mnist.training.loop import configure_tensorflow
    from fashion_mnist.training.models import from_archive, look_inside, multiply_adds, predict


def main(argv: Sequence[str] | None = None) -> Work:
    """Write what each model scores and predicts, what it keeps on changed images, and what it sees in one of them."""
    parse_arguments(argv, description=__doc__)
    params = read_params()
    splits = {name: read_split(name) for name in ("train", "validation", "test")}
    test, example = splits["test"], params.evaluate.example
    configure_tensorflow(seed=0, threads=params.evaluate.threads)
    inside: dict[str, npt.NDArray[np.float32]] = {}
    misjudged = np.zeros(len(test.labels), bool)
    for name in params.models:
        path = MODELS / name / "model.keras"
        model = from_archive(read_bytes(path), name=str(path))
        probabilities = {
            split: predict(model, images, batch_size=params.evaluate.batch_size)
            for split, (images, _) in splits.items()
        }
        scores = score_model(model, splits, probabilities, params.evaluate)
        write_json({key: round(value, 6) for key, value in scores.items()}, REPORTS / "metrics" / f"{name}.json")
        write_csv(predictions(test, probabilities["test"]), REPORTS / "predictions" / f"{name}.csv")
        say(f"{name}: test accuracy {scores['accuracy']:.4f}, validation {scores['validation_accuracy']:.4f}")
        for change, table in change_images(model, test, params.evaluate).items():
            write_csv(pd.DataFrame(table), REPORTS / change / f"{name}.csv")
            say(f"{name}: accuracy {table['accuracy'][0]:.4f} to {table['accuracy'][-1]:.4f} as {change} changes")
        inside |= {f"{name}/{layer}": values for layer, values in look_inside(model, test.images[example]).items()}
        misjudged |= most_probable(probabilities["test"]) != test.labels
    numbers = np.flatnonzero(misjudged)
    pictures: dict[str, npt.NDArray[Any]] = {
        "misjudged": numbers,
        "misjudged_images": restore_pixels(test.images[numbers]),
        "example_image": restore_pixels(test.images[example : example + 1])[0],
    }
    write_arrays(pictures | inside, REPORTS / "arrays.npz")
    images = len(params.models) * sum(len(split.labels) for split in splits.values())
    return Work([REPORTS / "metrics" / f"{name}.json" for name in params.models], images)


def score_model(
    model: keras.Model, splits: Mapping[str, Split], probabilities: Mapping[str, Floats], params: EvaluateParams
) -> dict[str, float]:
    """Score a model on test, measure its accuracy on the two splits it was trained with, and count what it costs."""
    train, validation = (
        accuracy_score(splits[split].labels, most_probable(probabilities[split])) for split in ("train", "validation")
    )
    return {
        **score(
            splits["test"].labels,
            probabilities["test"],
            class_names=CLASS_NAMES,
            confidence=params.confidence,
            bins=params.calibration_bins,
        ),
        "train_accuracy": train,
        "validation_accuracy": validation,
        "train_validation_gap": train - validation,
        "parameters": model.count_params(),
        "multiply_adds": multiply_adds(model),
    }


def change_images(model: keras.Model, test: Split, params: EvaluateParams) -> dict[str, Table]:
    """Measure what accuracy a model keeps on moved, turned and noisy images, by the kind of change."""
    few = Split(test.images[: params.robustness.images], test.labels[: params.robustness.images])

    def classify(images: Floats) -> Labels:
        return most_probable(predict(model, images, batch_size=params.batch_size))

    level, changes = params.confidence, params.robustness
    return {
        "position": position_curve(classify, few, pixels=changes.pixels, confidence=level),
        "rotation": rotation_curve(classify, few, degrees=changes.degrees, confidence=level),
        "noise": noise_curve(classify, few, deviations=changes.deviations, seed=changes.seed, confidence=level),
    }


def most_probable(probabilities: Floats) -> Labels:
    """Return the class with the highest probability for each image, shape (n,)."""
    classes: Labels = probabilities.argmax(axis=1).astype(np.uint8)
    return classes


def predictions(split: Split, probabilities: Floats) -> pd.DataFrame:
    """Tabulate label, prediction and its probability for each image, in the published order."""
    return pd.DataFrame(
        {
            "label": split.labels,
            "prediction": most_probable(probabilities),
            "confidence": probabilities.max(axis=1),
        }
    )


if __name__ == "__main__":
    run(main)
