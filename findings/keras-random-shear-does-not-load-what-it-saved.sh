#!/usr/bin/env bash
# Keras 3.15.1 with JAX 0.10.2, NumPy 2.4.6 (Python 3.11, Linux).
#
# Behaviour: a model with a RandomShear layer is saved without a word, and cannot be loaded again. Given a single number,
# the layer keeps the range from its negative to itself, and its configuration says so; built from that configuration,
# it refuses the negative number. Its siblings RandomTranslation, RandomRotation and RandomZoom load.
#
# Seen:
#   RandomShear: saved, TypeError when it is loaded
#   RandomTranslation: saved, loaded
#   RandomRotation: saved, loaded
#   RandomZoom: saved, loaded
#
# Why it matters: augmentation is part of a model, and one saves after the training. All that was trained is then in a
# file that no Keras opens.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cd "$folder"
export KERAS_BACKEND=jax KERAS_HOME="$folder/keras"

"$folder/venv/bin/python" - <<'PYTHON'
import sys

import keras
from keras import layers

found = {}
for layer in (
    layers.RandomShear(0.1, 0.1),
    layers.RandomTranslation(0.1, 0.1),
    layers.RandomRotation(0.1),
    layers.RandomZoom(0.1),
):
    name = type(layer).__name__
    keras.Sequential([layers.Input((8, 8, 1)), layer]).save("model.keras")
    try:
        keras.saving.load_model("model.keras")
        found[name] = "loaded"
    except (TypeError, ValueError) as error:
        found[name] = f"{type(error).__name__} when it is loaded"
    print(f"{name}: saved, {found[name]}")

if [name for name, said in found.items() if said != "loaded"] != ["RandomShear"]:
    sys.exit("changed: RandomShear loads, or others do not either")
PYTHON
