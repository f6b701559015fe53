#!/usr/bin/env bash
# MLflow 3.17.2, NumPy 2.4.6 (Python 3.11, Linux).
#
# Behaviour: the digest that mlflow.data.from_numpy computes covers the shape and the first 10,000 values of an array,
# not the first 10,000 rows. For images of 28 x 28 pixels these are the first 13 images: two sets that differ in every
# image from the fourteenth on have the same digest. The labels are a second array, of which the first 10,000 count.
#
# Seen:
#   the same images twice: 17fa9efe 17fa9efe
#   the 13th image differs: 17fa9efe 7b78a96d
#   every image from the 14th on differs: 17fa9efe 17fa9efe
#
# Why it matters: people compare digests of runs to learn whether two models saw the same data. Whoever appends, mends
# or swaps images behind the first dozen gets "the same". Pass a digest of your own: from_numpy(..., digest=...).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mlflow-skinny==3.17.2 pandas==3.1.1 numpy==2.4.6
cd "$folder"
export MLFLOW_DISABLE_TELEMETRY=true

"$folder/venv/bin/python" - <<'PYTHON'
import sys

import mlflow.data
import numpy as np


def digest(images):
    return mlflow.data.from_numpy(images).digest


images = np.random.default_rng(0).integers(0, 256, (1000, 28, 28), dtype=np.uint8)
inside, behind = images.copy(), images.copy()
inside[12, 0, 0] ^= 1
behind[13:] = 255 - behind[13:]
print("the same images twice:", digest(images), digest(images.copy()))
print("the 13th image differs:", digest(images), digest(inside))
print("every image from the 14th on differs:", digest(images), digest(behind))

if digest(images) == digest(inside) or digest(images) != digest(behind):
    sys.exit("changed: the digest covers other values than the first 10,000")
PYTHON
