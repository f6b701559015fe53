"""The stages, in the order in which dvc.yaml runs them.

download    the four published files, verified -> data/raw
normalize   data/raw -> data/normalized/{train,validation,test}, reports/data.json
train       one network at a time -> models/MODEL
evaluate    every network on the test split, also on changed images -> reports/metrics, reports/predictions, …
report      all of that -> reports/report.html, reports/report.md, reports/comparison.json, reports/figures
track       all of these -> runs and registered models in MLflow, in tracking/ or on a server

Each stage is a paragraph: it reads files, calls the library and writes files. What stages share:

command     a stage as a command: its arguments, its progress, its errors in one line
files       atomic reads and writes, and where each artifact lies
costs       what a stage cost, from the stage that ran to the run that stands for it
live        a training as it is shown while it runs; watch is the process that shows it
tracking    what the pipeline does with MLflow, and the only importer of it besides
serving     the registered model, as code that MLflow keeps and runs
registry    its versions, and which of them is served

Users run `predict`, `rollback`, `gate`, `replicate` and `summary` by themselves, or by a word of the Makefile.
`demo` runs all of them on drawn garments, in a workspace of its own.
"""

import os
import time

# Set before anything imports TensorFlow or Keras: what decides the bits must not come from a user's shell or from
# Keras' own configuration file, and what TensorFlow says of itself at every start is no news to a user.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# The time of a stage counts from here, since what it imports may take longer than what it does.
STARTED = time.perf_counter()
