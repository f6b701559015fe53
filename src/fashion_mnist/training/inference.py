"""Ask a trained network for its predictions."""

from collections.abc import Callable
from functools import cache

import keras
import numpy as np
import tensorflow as tf

from fashion_mnist.data.split import Floats

# oneDNN cuts a matrix product into blocks by the size of the CPU's caches, and sums the rows at a seam in another
# order. Where the number of rows is a multiple of 48, no seam falls inside a block of rows, and a row's bits depend
# neither on the cache nor on the other rows (docs/decisions/0013).
ROWS = 48
# TensorFlow's operations expect tensors to begin at a multiple of so many bytes.
ALIGNMENT = 64


def predict(model: keras.Model, images: Floats) -> Floats:
    """Return class probabilities, float32, shape (n, classes), for images of shape (n, height, width, channels).

    Images are cut into as many parts as TensorFlow has workers, which are computed at once, block by block.
    """
    blocks, rest = divmod(len(images), ROWS)
    ends = np.array_split(np.arange(blocks), _workers())
    parts = [images[ROWS * part[0] : ROWS * (part[-1] + 1)] for part in ends if len(part)]
    if rest:  # black images fill the last block
        parts.append(np.concatenate([images[-rest:], np.zeros((ROWS - rest, *images.shape[1:]), images.dtype)]))
    if not parts:
        return np.zeros((0, *model.output_shape[1:]), np.float32)
    tensors = [tf.reshape(as_tensor(part), (-1, ROWS, *images.shape[1:])) for part in parts]
    answers = _compile_prediction(model, len(parts))(tensors)
    return np.concatenate([answer.numpy().reshape(-1, answer.shape[-1]) for answer in answers])[: len(images)]


def _workers() -> int:
    """Return how many operations TensorFlow computes at once; 1 where that was left to it."""
    return max(1, tf.config.threading.get_inter_op_parallelism_threads())


@cache
def _compile_prediction(model: keras.Model, parts: int) -> Callable[[list[tf.Tensor]], list[tf.Tensor]]:
    """Return a compiled function from so many parts, of shape (blocks, ROWS, *image), to probabilities of each part."""
    answer = tf.TensorSpec((ROWS, *model.output_shape[1:]))
    blocks = tf.TensorSpec((None, ROWS, *model.input_shape[1:]))

    def predict_block(block: tf.Tensor) -> tf.Tensor:
        return tf.cast(model(block, training=False), tf.float32)

    @tf.function(input_signature=[[blocks] * parts])
    def predict_parts(parts: list[tf.Tensor]) -> list[tf.Tensor]:
        return [tf.map_fn(predict_block, part, fn_output_signature=answer, parallel_iterations=1) for part in parts]

    return predict_parts


def as_tensor(images: Floats) -> tf.Tensor:
    """Return images as a tensor: in the same memory where TensorFlow can use it, as that of a mapped .npy file."""
    if images.flags.c_contiguous and images.flags.writeable and images.ctypes.data % ALIGNMENT == 0:
        return tf.experimental.dlpack.from_dlpack(np.asarray(images).__dlpack__())
    return tf.constant(images)
