"""Make TensorFlow compute the same bits every time."""

import keras
import tensorflow as tf


def configure_tensorflow(*, seed: int, threads: int) -> None:
    """Make this process compute the same bits every time; call it before TensorFlow computes anything.

    Thread counts are fixed since they decide in which order sums are taken. The operating system's user may have
    set another layout, float type or epsilon in Keras' own configuration file; these are fixed, too.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    tf.config.experimental.enable_op_determinism()
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    seed_everything(seed)


def seed_everything(seed: int) -> None:
    """Let Python, NumPy and Keras draw the same numbers again."""
    keras.utils.set_random_seed(seed)
