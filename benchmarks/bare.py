"""The bare load-and-score of both networks, with Keras' defaults: what `evaluate` and `report` are measured against."""

import json
from pathlib import Path

import keras
import numpy as np


def main() -> None:
    """Print each network's accuracy on train, validation and test as JSON."""
    splits = {}
    for split in ("train", "validation", "test"):
        folder = Path("data/normalized") / split
        splits[split] = np.load(folder / "images.npy"), np.load(folder / "labels.npy")
    accuracies = {}
    for name in ("dense", "cnn"):
        model = keras.models.load_model(f"models/{name}/model.keras")
        for split, (images, labels) in splits.items():
            predicted = model.predict(images, verbose=0).argmax(axis=1)
            accuracies[f"{name} {split}"] = round(float(np.mean(predicted == labels)), 4)
    print(json.dumps(accuracies))


if __name__ == "__main__":
    main()
