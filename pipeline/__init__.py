"""The stages of dvc.yaml, one module for each, and the rooms of what they share: runtime, store and tools."""

import os

from pipeline.runtime.numerics import fix_numerics

# Every process of the pipeline begins here, before anything imports NumPy or TensorFlow.
fix_numerics(os.environ)
