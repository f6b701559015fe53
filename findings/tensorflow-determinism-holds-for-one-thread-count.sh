#!/usr/bin/env bash
# TensorFlow 2.21.0, NumPy 2.4.6 (Python 3.11, Linux, x86-64). Installs TensorFlow: about 2 GB of disk, removed at the end.
#
# Behaviour: enable_op_determinism gives the same bits again on the same machine, but for another number of threads
# within an operation it gives others, on the same CPU. It depends on the operation: a convolution has the same bits for
# 1 to 8 threads, while its gradient by the kernel, a bias's gradient and a matrix product differ, since there the
# threads share one sum. With XLA, the matrix product differs between 1 thread and more.
#
# Seen (different results for 1, 2, 3, 4 and 8 threads):
#   convolution: 1
#   gradient by the kernel: 4
#   gradient of the bias: 5
#   matrix product: 4
#   matrix product, XLA: 2
#
# Why it matters: the default is one thread for each core. A container that is given two cores instead of four trains
# another model from the same code, data and seed, and a test of predictions with a convolution does not show why. Set
# tf.config.threading.set_intra_op_parallelism_threads to 1, or keep the number beside the seed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6
cd "$folder"
export TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES=''

cat > compute.py <<'PYTHON'
"""Print a digest of the bits of each operation, computed with as many threads as asked for."""

import hashlib
import sys

import numpy as np
import tensorflow as tf

tf.config.experimental.enable_op_determinism()
tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
rng = np.random.default_rng(0)


def draw(*shape):
    return tf.constant(rng.normal(size=shape).astype(np.float32))


images, kernel, change, rows, weights = (
    draw(*shape) for shape in ((32, 28, 28, 16), (3, 3, 16, 32), (32, 28, 28, 32), (32, 784), (784, 128))
)
place = {"strides": [1, 1, 1, 1], "padding": "SAME"}
results = {
    "convolution": tf.nn.conv2d(images, kernel, **place),
    "gradient by the kernel": tf.raw_ops.Conv2DBackpropFilter(
        input=images, filter_sizes=kernel.shape, out_backprop=change, **place
    ),
    "gradient of the bias": tf.raw_ops.BiasAddGrad(out_backprop=change),
    "matrix product": rows @ weights,
    "matrix product, XLA": tf.function(lambda: rows @ weights, jit_compile=True)(),
}
for name, result in results.items():
    print(name, hashlib.sha256(result.numpy().tobytes()).hexdigest(), sep=": ")
PYTHON

for threads in 1 2 3 4 8; do
    "$folder/venv/bin/python" compute.py "$threads" >> digests 2>> log || { cat log >&2; exit 1; }
done
for name in "convolution" "gradient by the kernel" "gradient of the bias" "matrix product" "matrix product, XLA"; do
    echo "$name: $(grep "^$name: " digests | sort -u | wc -l)"
done | tee counts

if ! grep -qv ': 1$' counts; then
    echo "changed: no operation depends on the number of threads" >&2
    exit 1
fi
