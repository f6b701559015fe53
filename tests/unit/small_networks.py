"""Small networks that tests of several rooms build."""

from typing import Any

import keras

from fashion_mnist.networks import cnn, dense

SHAPE, CLASSES = (28, 28, 1), 10
SMALL: dict[str, Any] = {
    "epochs": 1,
    "batch_size": 32,
    "shares": 2,
    "schedule": "constant",
    "learning_rate": 0.001,
    "precision": "float32",
    "jit_compile": False,
    "instructions": "native",
    "seed": 1,
}


def small_dense() -> keras.Model:
    return dense.build(dense.Params(network="dense", units=2, **SMALL), shape=SHAPE, classes=CLASSES)


def small_cnn(precision: str = "float32") -> keras.Model:
    params = cnn.Params(network="cnn", filters=(1, 1), kernel_size=3, units=2, **SMALL | {"precision": precision})
    return cnn.build(params, shape=SHAPE, classes=CLASSES)
