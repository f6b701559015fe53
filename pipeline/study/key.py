"""What decides a trial's bytes besides its parameters: code, packages and data, each as a sha256.

Taken at the start of a study, since DVC hashes a stage's dependencies only when it ends, and again on each worker.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fashion_mnist.data.dataset import array_digest, restore_pixels, scale_pixels
from fashion_mnist.errors import ArtifactError
from fashion_mnist.study.plan import Trial
from pipeline.bytes.formats import read_json, read_split
from pipeline.runtime.files import file_digest
from pipeline.runtime.packages import check_packages
from pipeline.runtime.paths import COMPUTE_LOCK, DATA, NORMALIZED

# The modules that run in a trial's process, but for the network's own file and for those that only find parameters.
CODE = (
    "pipeline/__init__.py",
    "pipeline/bytes/descriptions.py",
    "pipeline/bytes/formats.py",
    "pipeline/bytes/numerics.py",
    "pipeline/study/process.py",
    "src/fashion_mnist/data/dataset.py",
    "src/fashion_mnist/data/description.py",
    "src/fashion_mnist/data/split.py",
    "src/fashion_mnist/training/determinism.py",
    "src/fashion_mnist/training/inference.py",
    "src/fashion_mnist/training/loop.py",
    "src/fashion_mnist/training/objective.py",
    "src/fashion_mnist/study/trial.py",
)
NETWORKS = Path("src/fashion_mnist/networks")
SPLITS = ("train", "validation", "test")


class Fingerprint(NamedTuple):
    """sha256 by file of the code and the lock of packages, and by part of the data."""

    code: Mapping[str, str]
    data: Mapping[str, str]

    def key(self, trial: Trial) -> str:
        """Return the name under which a trial's result is stored: 32 hexadecimal digits."""
        network = (NETWORKS / f"{trial.params.network}.py").as_posix()
        code = {path: sha256 for path, sha256 in self.code.items() if Path(path).parent != NETWORKS or path == network}
        # A test split that stays closed decides nothing.
        data = {
            part: sha256 for part, sha256 in self.data.items() if trial.is_scored_on_test or not part.startswith("test")
        }
        # The kind is left out: what is the same training has the same result.
        decides = {
            "params": trial.params.model_dump(mode="json"),
            "cut": trial.cut,
            "all_images": trial.kind == "article",
            "code": code,
            "data": data,
        }
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:32]


def take_fingerprint() -> Fingerprint:
    """Hash code, lock and data in the current folder.

    Raises ArtifactError unless the installed packages are those of the lock, and the arrays those that
    reports/data.json describes.
    """
    check_packages()
    described = read_json(DATA)
    data = {}
    for split in SPLITS:
        found = _split_digests(split, _state_of(split))
        for part, sha256 in found.items():
            if sha256 != described[split][f"{part}_sha256"]:
                raise ArtifactError(
                    f"{NORMALIZED / split / part}.npy: is not what {DATA} describes; run `dvc checkout` or "
                    "`dvc repro -f normalize`"
                )
            data[f"{split} {part}"] = sha256
    return Fingerprint(take_code(), data)


def take_code() -> dict[str, str]:
    """Hash code and lock in the current folder, by file. Raises ArtifactError where a file is missing."""
    networks = (path.as_posix() for path in sorted(NETWORKS.glob("[!.]*.py")) if path.name != "__init__.py")
    return {path: file_digest(Path(path)) for path in (*CODE, *networks, COMPUTE_LOCK.as_posix())}


def describe_code(code: Mapping[str, str]) -> str:
    """Return one sha256 for all of `take_code`, as a study's description holds it."""
    return hashlib.sha256(json.dumps(code, sort_keys=True).encode()).hexdigest()


def _state_of(split: str) -> tuple[Any, ...]:
    """Return what changes when a split's files are written anew."""
    paths = sorted((NORMALIZED / split).glob("*.npy"))
    return tuple((path.as_posix(), path.stat().st_mtime_ns, path.stat().st_size) for path in paths)


@lru_cache(maxsize=len(SPLITS))
def _split_digests(split: str, _state: tuple[Any, ...]) -> dict[str, str]:
    """Hash the pixels and labels of a split, as `normalize` did; only once while its files stay as they are."""
    images, labels = read_split(split)
    pixels = restore_pixels(images)
    if not np.array_equal(scale_pixels(pixels), images):
        raise ArtifactError(f"{NORMALIZED / split}/images.npy: is damaged; run `dvc repro -f normalize`")
    return {"images": array_digest(pixels), "labels": array_digest(labels)}
