"""The source article's code: load Fashion-MNIST by tensorflow-datasets, train one network, score it on test.

Everything is at its default. Only the progress bar is off and no network is asked, both in its favour.
`python -m benchmarks.article prepare` writes the records that it reads, from the files in data/raw.
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
import tensorflow_datasets as tfds
from keras import layers

RAW, RECORDS = Path("data/raw"), Path(".bench/tfds")
TRAIN, TEST, BATCH = 60_000, 10_000, 32
EPOCHS = {"dense": 5, "cnn": 10}


def main(argv: Sequence[str]) -> None:
    """Train and score one network, or prepare the records; prints seconds and accuracy as JSON."""
    if len(argv) != 1 or argv[0] not in (*EPOCHS, "prepare"):
        sys.exit(f"error: arguments are {argv}; expected one of prepare, {', '.join(EPOCHS)}")
    if argv[0] == "prepare":
        prepare()
        return
    model = build(argv[0])
    marks = train(model, EPOCHS[argv[0]])
    _, accuracy = model.evaluate(read("test").cache().batch(BATCH), steps=-(-TEST // BATCH), verbose=0)
    print(json.dumps({"seconds": round(marks[-1] - marks[0], 2), "accuracy": accuracy}))


def prepare() -> None:
    """Write the records, without a network."""
    tfds.disable_progress_bar()
    config = tfds.download.DownloadConfig(manual_dir=RAW.resolve(), force_checksums_validation=True)
    tfds.builder("fashion_mnist", data_dir=RECORDS).download_and_prepare(download_config=config)


def read(split: str) -> tf.data.Dataset:
    """Return the scaled images of a split with their labels."""
    images = tfds.load("fashion_mnist", split=split, data_dir=RECORDS, as_supervised=True, download=False)
    return images.map(lambda image, label: (tf.cast(image, tf.float32) / 255, label))


def build(name: str) -> keras.Model:
    """Return the article's network of that name."""
    body = [layers.Flatten()]
    if name == "cnn":
        convolutions = [layers.Conv2D(filters, 3, padding="same", activation="relu") for filters in (32, 64)]
        body = [layer for convolution in convolutions for layer in (convolution, layers.MaxPooling2D())] + body
    dense = [layers.Dense(128, activation="relu"), layers.Dense(10, activation="softmax")]
    return keras.Sequential([layers.Input((28, 28, 1)), *body, *dense])


def train(model: keras.Model, epochs: int, **adam: Any) -> list[float]:
    """Train a network; returns when training began and when each epoch ended, in seconds."""
    batches = read("train").cache().repeat().shuffle(TRAIN).batch(BATCH)
    model.compile(keras.optimizers.Adam(**adam), "sparse_categorical_crossentropy", metrics=["accuracy"])
    marks = [time.perf_counter()]
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: marks.append(time.perf_counter()))
    model.fit(batches, epochs=epochs, steps_per_epoch=-(-TRAIN // BATCH), callbacks=[clock], verbose=0)
    return marks


if __name__ == "__main__":
    main(sys.argv[1:])
