"""Ask a trained network for its predictions."""

import keras
import numpy as np

from fashion_mnist.data.split import Floats


def predict(model: keras.Model, images: Floats, *, batch_size: int) -> Floats:
    """Return class probabilities, float32, shape (n, 10), for images of shape (n, 28, 28, 1)."""
    starts = range(0, len(images), batch_size)
    return np.concatenate([model.predict_on_batch(images[start : start + batch_size]) for start in starts])
