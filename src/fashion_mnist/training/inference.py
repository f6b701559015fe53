"""Ask a trained network for its predictions."""

import keras
import numpy as np

from fashion_mnist.data.split import Floats

# oneDNN shares a matrix product out among threads by the size of the CPU's L2 cache, and sums the rows at a seam in
# another order. Where the number of rows is a multiple of 48, no seam falls inside a block of rows, and a row's bits
# depend neither on the cache nor on the other rows (docs/decisions/0013).
ROWS = 48
BATCH = 5 * ROWS


def predict(model: keras.Model, images: Floats) -> Floats:
    """Return class probabilities, float32, shape (n, classes), for images of shape (n, height, width, channels)."""
    starts = range(0, len(images), BATCH)
    return np.concatenate([_predict_batch(model, images[start : start + BATCH]) for start in starts])


def _predict_batch(model: keras.Model, images: Floats) -> Floats:
    """Predict some images, with black ones added to fill the last block of rows."""
    missing = -len(images) % ROWS
    filled = np.concatenate([images, np.zeros((missing, *images.shape[1:]), images.dtype)]) if missing else images
    probabilities: Floats = model.predict_on_batch(filled)[: len(images)]
    return probabilities
