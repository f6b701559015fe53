#!/usr/bin/env bash
# TensorFlow 2.21.0, Keras 3.15.1, NumPy 2.4.6 (Python 3.11, Linux, x86-64). Installs TensorFlow: about 2 GB of disk,
# removed at the end.
#
# Behaviour: a network without anything that looks at its neighbours, such as batch normalization, gives the same image
# other bits alone than within a batch, on one thread and with enable_op_determinism. A batch of one is another product
# (a matrix and a vector), and the last rows of a batch that do not fill a block of the kernel are computed by other
# code. Batches of 48, the last one filled up, give each image the same bits however many are asked for.
#
# Seen (images of 100 whose bits differ from those in one batch of 100, or, in blocks, from those asked for together):
#   alone: 100, by up to 7.2e-07
#   in batches of 8: 24
#   in blocks of 48, asked for one by one: 0
#
# Why it matters: a service that answers one image at a time does not reproduce the scores of its evaluation. A comparison
# by digest fails, an image near a tie changes its class, and the last batch of an epoch is not like the others.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6
cd "$folder"
export TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES='' KERAS_BACKEND=tensorflow KERAS_HOME="$folder/keras"

cat > compute.py <<'PYTHON'
import sys

import keras
import numpy as np
import tensorflow as tf
from keras import layers

BLOCK = 48

tf.config.experimental.enable_op_determinism()
tf.config.threading.set_intra_op_parallelism_threads(1)
keras.utils.set_random_seed(0)
network = keras.Sequential([layers.Input((784,)), layers.Dense(128, activation="relu"), layers.Dense(10)])
images = np.random.default_rng(0).random((100, 784), dtype=np.float32)


def predict(images, size):
    """Predict in batches of a size."""
    batches = [images[start : start + size] for start in range(0, len(images), size)]
    return np.concatenate([network.predict_on_batch(batch) for batch in batches])


def predict_in_blocks(images):
    """Predict in batches that are filled up with zeros."""
    missing = -len(images) % BLOCK
    return predict(np.pad(images, ((0, missing), (0, 0))), BLOCK)[: len(images)]


def count(some, others):
    """Return the number of images with other bits."""
    return int((some != others).any(axis=1).sum())


together, alone = predict(images, 100), predict(images, 1)
print(f"alone: {count(alone, together)}, by up to {np.abs(alone - together).max():.1e}")
print("in batches of 8:", count(predict(images, 8), together))
one_by_one = np.concatenate([predict_in_blocks(image[np.newaxis]) for image in images])
blocks = count(one_by_one, predict_in_blocks(images))
print(f"in blocks of {BLOCK}, asked for one by one: {blocks}")

if not count(alone, together) or blocks:
    sys.exit("changed: the batch no longer decides bits, or a fixed size no longer helps")
PYTHON
"$folder/venv/bin/python" compute.py 2> log || { cat log >&2; exit 1; }
