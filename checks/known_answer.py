"""Short computations with known bits: python -m checks.known_answer prints the sha256 of each as JSON.

They run the same code as the committed results: a training of each network, with XLA and without, predictions,
scores, rotated and noisy images, a figure. Their digests in known_answers.json are the same on every x86-64 CPU with
AVX2 and for any number of workers; after a change of the compute lock or of what computes,
`make known` notes new ones.
"""

import pipeline  # noqa: F401 - first, since it fixes the numerics before NumPy is imported

# isort: split
import argparse
import hashlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from fashion_mnist.data.dataset import array_digest, scale_pixels
from fashion_mnist.data.split import Floats, Labels, Split
from fashion_mnist.params.parsing import parse_params
from fashion_mnist.params.training import TrainingParams
from fashion_mnist.report.drawing import render_svg
from fashion_mnist.report.language import Language
from fashion_mnist.report.sections.inside import mosaic
from fashion_mnist.report.sections.position import robustness
from fashion_mnist.scores.metrics import score
from fashion_mnist.scores.robustness import noise_curves, position_curves, rotation_curves
from fashion_mnist.sources.fashion_mnist import CLASS_NAMES, IMAGE_SHAPE
from fashion_mnist.sources.synthetic import draw_garments
from fashion_mnist.training.objective import most_probable
from pipeline.bytes.numerics import choose_instructions
from pipeline.runtime.command import quiet_import
from pipeline.runtime.files import file_digest
from pipeline.tools.demo import PROJECT

with quiet_import():
    import keras

    from fashion_mnist.networks import build
    from fashion_mnist.scores.inspection import look_inside
    from fashion_mnist.training.archive import to_archive
    from fashion_mnist.training.determinism import configure_tensorflow
    from fashion_mnist.training.inference import predict
    from fashion_mnist.training.loop import fit

KNOWN = Path(__file__).with_name("known_answers.json")
LOCK = PROJECT / "requirements/compute.txt"
# A batch of 32, and the rest that 55,000 images have, 24; three blocks of predictions. Few enough for an emulated CPU.
IMAGES, VALIDATION = 56, 100
WORKERS = 2
# By name of a training: the section of params.yaml, and what differs from it.
TRAININGS: dict[str, tuple[str, dict[str, int]]] = {
    "dense": ("dense", {}),
    "cnn": ("cnn", {}),
    "cnn in 4 shares": ("cnn", {"shares": 4}),
}


def answers(instructions: str = "avx2", *, workers: int = WORKERS) -> dict[str, str]:
    """Return the sha256 of each computation, by name; workers: how many operations run at once."""
    train_sections = parse_params(
        YAML(typ="safe").load((PROJECT / "tests/params.yaml").read_bytes()), source="params.yaml"
    ).train
    choose_instructions(os.environ, instructions)  # type: ignore[arg-type]
    configure_tensorflow(seed=1, workers=workers)
    train, validation = garments(IMAGES, seed=1), garments(VALIDATION, seed=2)
    found, models = {"images": digest(train.images, validation.images)}, {}
    for name, (section, changes) in TRAININGS.items():
        params = train_sections[section].model_copy(update={"epochs": 1} | changes)
        keras.utils.set_random_seed(params.seed)
        model = build(params, shape=IMAGE_SHAPE, classes=len(CLASS_NAMES))
        history = fit(model, train, validation, params)
        found[f"{name}: training"] = hashlib.sha256(to_archive(model)).hexdigest()
        found[f"{name}: history"] = digest(np.array(history))
        found[f"{name}: predictions"] = digest(predict(model, validation.images))
        models[name] = model
    found["layers with state and chance"] = train_with_state(train, train_sections["cnn"])
    return found | after_training(models["dense"], validation) | look(models["cnn"], validation)


def train_with_state(train: Split, params: TrainingParams) -> str:
    """Return the sha256 of a network whose layers draw by chance and remember what they saw, after training."""
    keras.utils.set_random_seed(params.seed)
    layers = [
        keras.layers.Input(IMAGE_SHAPE),
        keras.layers.RandomFlip("horizontal", seed=1),
        keras.layers.RandomTranslation(0.1, 0.1, seed=2),
        keras.layers.MaxPooling2D(4),
        keras.layers.BatchNormalization(),
        keras.layers.Flatten(),
        keras.layers.Dropout(0.5, seed=3),
        keras.layers.Dense(len(CLASS_NAMES), activation="softmax"),
    ]
    model = keras.Sequential(layers)
    fit(model, train, None, params.model_copy(update={"epochs": 2, "shares": 4}))
    return digest(*model.get_weights())


def after_training(model: keras.Model, split: Split) -> dict[str, str]:
    """Return the digests of what evaluate and report compute."""

    def classify(images: Floats) -> Labels:
        return most_probable(predict(model, images))

    classifiers = {"dense": classify}
    scores = score(split.labels, predict(model, split.images), classes=10, confidence=0.95, bins=15)
    curves = {
        "position": position_curves(classifiers, split, pixels=1, confidence=0.95),
        "rotation": rotation_curves(classifiers, split, degrees=(20,), confidence=0.95),
        "noise": noise_curves(classifiers, split, deviations=(0.3,), seed=3, confidence=0.95),
    }
    figure = robustness(curves["noise"], "deviation", Language("en"), label="noise", y="accuracy")
    return {
        "scores": digest(np.array(list(scores.values()))),
        **{change: digest(*tables["dense"].values()) for change, tables in curves.items()},
        "figure": hashlib.sha256(render_svg(figure)).hexdigest(),
    }


def look(model: keras.Model, split: Split) -> dict[str, str]:
    """Return the digests of what a network makes of an image, and of a picture of it."""
    inside = look_inside(model, split.images[0])
    picture = mosaic(inside["maps/pooling_2"], "maps", columns=8)
    return {"inside": digest(*inside.values()), "picture": hashlib.sha256(render_svg(picture)).hexdigest()}


def garments(count: int, *, seed: int) -> Split:
    """Draw garments as a normalized split."""
    images, labels = draw_garments(-(-count // 10) * 10, seed=seed)  # equally many of each class
    return Split(scale_pixels(images[:count]), labels[:count])


def digest(*arrays: Any) -> str:
    """Return the sha256 of arrays."""
    return hashlib.sha256("".join(map(array_digest, arrays)).encode()).hexdigest()


def known() -> dict[str, str]:
    """Return the digests that were noted for the present lock."""
    noted: dict[str, dict[str, str]] = json.loads(KNOWN.read_text())
    if file_digest(LOCK) not in noted:
        sys.exit(f"error: {KNOWN.name} has no digests for this {LOCK.name}; run `make known`")
    return noted[file_digest(LOCK)]


def main(argv: Sequence[str]) -> None:
    """Print the digests, or note them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=WORKERS, help=f"operations at once (default: {WORKERS})")
    parser.add_argument("--write", action="store_true", help="note the digests")
    options = parser.parse_args(argv)
    found = answers(workers=options.workers)
    if options.write:
        KNOWN.write_text(json.dumps({file_digest(LOCK): found}, indent=2) + "\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
