#!/usr/bin/env bash
# Keras 3.15.1 and 3.12.0 with JAX 0.10.2, NumPy 2.4.6 (Python 3.11, Linux).
#
# Behaviour: Keras 3.12 refuses a .keras archive of Keras 3.15, not for what the network is, but for three keys that say
# "nothing set": quantization_config in each layer with a kernel, input_axes and output_axes in its initializer, all
# null. Without these keys the older Keras loads the same archive and predicts the same.
#
# Seen:
#   Keras 3.12.0, as written: TypeError, Unrecognized keyword arguments passed to Dense: {'quantization_config': None}
#   Keras 3.12.0, without three empty keys: loaded, largest difference of predictions 0.0e+00
#
# Why it matters: an archive is exchanged between people and services that upgrade at different times. A network of one
# Dense layer, which every Keras since 3.0 can compute, cannot be handed to a release of a few months before.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cd "$folder"
export KERAS_BACKEND=jax KERAS_HOME="$folder/keras"

"$folder/venv/bin/python" - <<'PYTHON'
import json
import zipfile

import keras
import numpy as np

EMPTY = {"quantization_config", "input_axes", "output_axes"}


def drop(keys):
    """Leave out keys that are null."""
    return {key: value for key, value in keys.items() if key not in EMPTY or value is not None}


model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3)])
model.save("written.keras")
np.save("predictions.npy", model.predict(np.eye(4), verbose=0))
with zipfile.ZipFile("written.keras") as old, zipfile.ZipFile("without.keras", "w") as new:
    for name in old.namelist():
        content = old.read(name)
        if name == "config.json":
            content = json.dumps(json.loads(content, object_hook=drop))
        new.writestr(name, content)
PYTHON

"$folder/venv/bin/pip" install --quiet keras==3.12.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import keras
import numpy as np

try:
    keras.saving.load_model("written.keras")
    refused = False
    print(f"Keras {keras.__version__}, as written: loaded")
except TypeError as error:
    refused = True
    print(f"Keras {keras.__version__}, as written: TypeError, {str(error).splitlines()[-1].split(': ', 1)[1]}")

model = keras.saving.load_model("without.keras")
difference = np.abs(model.predict(np.eye(4), verbose=0) - np.load("predictions.npy")).max()
print(f"Keras {keras.__version__}, without three empty keys: loaded, largest difference of predictions {difference:.1e}")

if not refused or difference > 1e-6:
    sys.exit("changed: the archive is loaded as it is written, or not without these keys")
PYTHON
