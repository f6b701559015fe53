#!/usr/bin/env bash
# TensorFlow 2.21.0, NumPy 2.4.6 (Python 3.11, Linux, x86-64). Installs TensorFlow: about 2 GB of disk, removed at the
# end.
#
# Behaviour: in a tf.function, without XLA, the graph optimizer replaces 1 / x by the operation Reciprocal, and
# tf.pow(x, -0.5) by Rsqrt. From eight numbers on, these two are no division and no root: they begin with an
# approximation by the CPU (RCPPS, RSQRTPS) and improve it once. So many float32 results differ in the last bit from
# the same expression run eagerly, and from those of the same numbers one at a time. enable_op_determinism changes
# nothing about it. Of the approximation, the manuals of the CPU's makers bound only the error: each maker's CPUs give
# their own bits.
#
# Seen (of 4096 numbers, how many have other bits; AMD EPYC, Zen 4):
#   1 / x, compiled against eager: 1268
#   x ** -0.5, compiled against eager: 1413
#   rsqrt, all together against one at a time: 1287
#
# Why it matters: eager tests do not see what the compiled training computes. Normalization layers use Rsqrt, exact GELU
# uses Reciprocal (in erfc), so a training that repeats bit for bit on one machine has other bits on a CPU of another
# maker, however strictly seeds, threads and versions are fixed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorflow==2.21.0 numpy==2.4.6
cd "$folder"
export TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES=''

cat > compute.py <<'PYTHON'
import sys

import numpy as np
import tensorflow as tf

tf.config.experimental.enable_op_determinism()
tf.config.threading.set_intra_op_parallelism_threads(1)
x = tf.constant(np.random.default_rng(0).uniform(0.01, 4, 4096).astype(np.float32))


def count(some, others):
    """Return how many numbers have other bits."""
    return int((np.asarray(some) != np.asarray(others)).sum())


def divide(x):
    return 1 / x


def power(x):
    return tf.pow(x, -0.5)


division = count(tf.function(divide)(x), divide(x))
root = count(tf.function(power)(x), power(x))
alone = count(tf.math.rsqrt(x), [tf.math.rsqrt(x[i : i + 1])[0] for i in range(len(x))])
print("1 / x, compiled against eager:", division)
print("x ** -0.5, compiled against eager:", root)
print("rsqrt, all together against one at a time:", alone)
if not (division and root and alone):
    sys.exit("changed: compiled code now divides, or takes roots, as eager code does")
PYTHON
"$folder/venv/bin/python" compute.py 2> log || { cat log >&2; exit 1; }
