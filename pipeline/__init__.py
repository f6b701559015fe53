"""The stages of dvc.yaml, one module for each, and the rooms of what they share: runtime, store and tools."""

import atexit
import gc
import os

from pipeline.runtime.numerics import fix_numerics

# Every process of the pipeline begins here, before anything imports NumPy or TensorFlow.
fix_numerics(os.environ)

# TensorFlow and MLflow make millions of objects at import, all of which stay. By default, a quarter of that time goes
# into looking for garbage among them.
gc.set_threshold(50_000)
# Without this, Python looks for garbage among them once more before it ends, for about a second.
atexit.register(gc.freeze)
