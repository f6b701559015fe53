"""Ask a trained network for its predictions."""

from collections.abc import Callable
from functools import lru_cache

import keras
import numpy as np
import tensorflow as tf

from fashion_mnist.data.split import Floats

# oneDNN cuts a matrix product into blocks by the size of the CPU's caches, and sums the rows at a seam in another
# order. Where the number of rows is a multiple of 48, no seam falls inside a block of rows, and a row's bits depend
# neither on the cache nor on the other rows (docs/decisions/0013).
ROWS = 48
BATCH = 5 * ROWS
# TensorFlow's operations expect tensors to begin at a multiple of so many bytes.
ALIGNMENT = 64


def predict(model: keras.Model, images: Floats) -> Floats:
    """Return class probabilities, float32, shape (n, classes), for images of shape (n, height, width, channels).

    Batches are computed side by side, each on one thread, as many as TensorFlow's workers.
    """
    whole = len(images) - len(images) % BATCH
    rest = images[whole:]
    # Black images fill the last block of rows.
    filled = np.concatenate([rest, np.zeros((-len(rest) % ROWS, *rest.shape[1:]), rest.dtype)])
    parts = [_predict_batches(model, images[:whole], BATCH), _predict_batches(model, filled, ROWS)[: len(rest)]]
    return np.concatenate([part for part in parts if len(part)] or parts)


def _predict_batches(model: keras.Model, images: Floats, size: int) -> Floats:
    """Predict images, a multiple of `size`, in batches of that size."""
    if not len(images):
        return np.zeros((0, *model.output_shape[1:]), np.float32)
    batches = tf.reshape(as_tensor(images), (-1, size, *images.shape[1:]))
    probabilities: Floats = _compile_prediction(model)(batches).numpy()
    return probabilities.reshape(len(images), -1)


@lru_cache(maxsize=8)
def _compile_prediction(model: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return a compiled function from batches of images to probabilities, of shape (batches, size, classes)."""
    shape = tf.TensorSpec((None, None, *model.input_shape[1:]))
    answer = tf.TensorSpec((None, *model.output_shape[1:]))
    workers = tf.config.threading.get_inter_op_parallelism_threads()

    @tf.function(input_signature=[shape])
    def predict_batches(batches: tf.Tensor) -> tf.Tensor:
        def predict_batch(batch: tf.Tensor) -> tf.Tensor:
            return model(batch, training=False)

        return tf.map_fn(predict_batch, batches, fn_output_signature=answer, parallel_iterations=max(1, workers))

    return predict_batches


def as_tensor(images: Floats) -> tf.Tensor:
    """Return images as a tensor: in the same memory where TensorFlow can use it, as that of a mapped .npy file."""
    if images.flags.c_contiguous and images.flags.writeable and images.ctypes.data % ALIGNMENT == 0:
        return tf.experimental.dlpack.from_dlpack(np.asarray(images).__dlpack__())
    return tf.constant(images)
