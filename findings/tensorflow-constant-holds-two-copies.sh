#!/usr/bin/env bash
# TensorFlow 2.21.0, NumPy 2.4.6 (Python 3.11, Linux). Installs TensorFlow: about 2 GB of disk, removed at the end.
#
# Behaviour: tf.constant, tf.convert_to_tensor and Dataset.from_tensor_slices of a NumPy array hold two copies of it for
# as long as the tensor lives, beside the array itself. tf.identity of that constant, with the constant gone, holds one,
# and so does a variable. It is the same for a memory-mapped file, which is mapped because memory is scarce.
#
# Seen, for a memory-mapped array of 100 MiB (memory that is not the file's own pages):
#   tf.constant of the array: 200 MiB
#   tf.data.Dataset.from_tensor_slices of the array: 200 MiB
#   tf.identity(tf.constant) of the array: 100 MiB
#   tf.Variable of the array: 100 MiB
#
# Why it matters: a data set that fits into memory once does not fit three times. Nothing in the code shows the second
# copy, and the process is killed by a container's limit at half the size that one would expect.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6
cd "$folder"
export TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES=''

cat > compute.py <<'PYTHON'
import gc
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

SIZE = 100  # MiB


def memory():
    """Return the memory in MiB that belongs to this process alone."""
    gc.collect()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) // 1024


np.save("array.npy", np.ones(SIZE * 2**18, np.float32))
array = np.load("array.npy", mmap_mode="r")
holders = {
    "tf.constant": tf.constant,
    "tf.data.Dataset.from_tensor_slices": tf.data.Dataset.from_tensor_slices,
    "tf.identity(tf.constant)": lambda values: tf.identity(tf.constant(values)),
    "tf.Variable": tf.Variable,
}
tf.Variable(tf.constant([1.0]))  # the first tensor starts TensorFlow
held = {}
for name, hold in holders.items():
    before = memory()
    kept = hold(array)
    held[name] = memory() - before
    del kept
    print(f"{name} of the array: {held[name]} MiB")

if not held["tf.constant"] > 1.8 * SIZE > 1.2 * SIZE > held["tf.identity(tf.constant)"]:
    sys.exit("changed: a constant holds another number of copies")
PYTHON
"$folder/venv/bin/python" compute.py 2> log || { cat log >&2; exit 1; }
