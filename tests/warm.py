"""Import what the pipeline's processes import of others, so that a fork of this process need not: see processes.py."""

import pipeline  # first, since it fixes the numerics before NumPy is imported

# isort: split
import gc

import dvc.repo.reproduce  # noqa: F401
import pytest  # noqa: F401 - which a fork of a test's process imports again
from dvc.cli.parser import get_main_parser

import pipeline.evaluate
import pipeline.report
import pipeline.store.watch
import pipeline.tools.gate
import pipeline.tools.predict
import pipeline.tools.study
import pipeline.track
import pipeline.train  # noqa: F401

get_main_parser()
gc.freeze()  # a fork shares these objects' memory as long as nothing counts them
