"""Make TensorFlow compute the same bits every time."""

from contextlib import suppress

import keras
import tensorflow as tf


def configure_tensorflow(*, seed: int, workers: int) -> None:
    """Make this process compute the same bits every time; call it before TensorFlow computes anything.

    workers: how many operations run at once. The bits do not depend on it: each operation runs on one thread, while
    threads that shared one would decide in which order its sums are taken. The operating system's user may have set
    another layout, float type or epsilon in Keras' own configuration file; these are fixed, too.
    """
    limit_threads(workers)
    tf.config.experimental.enable_op_determinism()
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    seed_everything(seed)


def limit_threads(workers: int) -> None:
    """Run every operation on one thread, and as many at once as `workers` says.

    A process that has computed before keeps its number of workers, which decides no bits. Raises RuntimeError if its
    operations had more than one thread.
    """
    tf.config.threading.set_intra_op_parallelism_threads(1)
    with suppress(RuntimeError):
        tf.config.threading.set_inter_op_parallelism_threads(workers)


def seed_everything(seed: int) -> None:
    """Let Python, NumPy and Keras draw the same numbers again."""
    keras.utils.set_random_seed(seed)
