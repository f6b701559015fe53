"""The stages of dvc.yaml, one module for each, and the folders of what they share."""

import atexit
import gc
import os
import sys
from importlib.util import find_spec
from pathlib import Path

from pipeline.bytes.numerics import fix_numerics

# Every process of the pipeline begins here, before anything imports NumPy or TensorFlow.
fix_numerics(os.environ)

# Two packages that every command needs: a Python other than the environment's has not both. Exit code 2, since 1 would
# be the gate's word for a regression.
if not all(map(find_spec, ("pydantic", "tqdm"))):
    sys.stderr.write(
        f"error: {sys.executable} has not the project's packages; expected its environment. Run `make .venv/run`, then "
        "`. .venv/bin/activate`\n"
    )
    sys.exit(2)

# The library beside this folder, wherever the environment's editable install points: a queued experiment, a worktree
# and a second clone share one environment, and each must run its own code.
CHECKOUT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CHECKOUT / "src"))
import fashion_mnist  # noqa: E402

if Path(fashion_mnist.__file__).resolve().parents[2] != CHECKOUT:
    raise ImportError(f"fashion_mnist is {fashion_mnist.__file__}; expected {CHECKOUT / 'src'}: import pipeline first")

# TensorFlow and MLflow make millions of objects at import, all of which stay. By default, a quarter of that time goes
# into looking for garbage among them. With this threshold, a full `track` spends 0.25 of its 10.4 s on it.
gc.set_threshold(50_000)
# Without this, Python looks for garbage among them once more before it ends, for about a second.
atexit.register(gc.freeze)
