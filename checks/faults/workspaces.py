"""Small workspaces to disturb: one that is complete, kept as it is, and copies of it, always in the same place.

The run store holds absolute paths, so a copy has to lie where its original was made.
"""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from ruamel.yaml import YAML

from pipeline.tools.demo import CONTENT, PROJECT, make_workspace, run_dvc
from tests.end_to_end.conftest import SMALL, run_module

TINY = SMALL | {
    "download.synthetic.train_images": 200,
    "download.synthetic.test_images": 50,
    "normalize.validation_images": 40,
    "train.dense.epochs": 1,
    "train.cnn.epochs": 1,
    "train.dense.jit_compile": False,
    "evaluate.robustness.images": 20,
    "evaluate.robustness.pixels": 2,
    "evaluate.robustness.degrees": [10],
    "evaluate.robustness.deviations": [0.1],
    "study.replicates": {"dense": 2},
    "study.sweep": {"dense": {"units": [8], "epochs": 1, "seeds": 1}},
}
FORMER = b"former\n"
MADE = ("data", "models", "reports", "study/trials", "dvc.lock")


def make_base(folder: Path) -> None:
    """Make the complete workspace: folder/clone, kept in folder/base; with a complete study, in folder/studied.

    One that an earlier commit made is brought up to date: DVC reruns what changed, the study trains nothing again.
    """
    clone = folder / "clone"
    if (folder / "studied").exists():
        restore(folder / "studied", clone)
        renew_code(clone)
        shutil.rmtree(clone / "tracking")
    else:
        make_workspace(clone, TINY, params=PROJECT / "tests/params.yaml")
    (clone / "reports/study.json").write_text("{}\n")
    done = run_dvc("repro", workspace=clone, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    keep(clone, folder / "base")
    study = run_module("study", folder=clone)
    assert study.returncode == 0, study.stderr
    keep(clone, folder / "studied")


def renew_code(clone: Path) -> None:
    """Give a workspace the project's present code."""
    for name in CONTENT:
        if (PROJECT / name).is_dir():
            shutil.rmtree(clone / name)
            shutil.copytree(PROJECT / name, clone / name)
        else:
            shutil.copy(PROJECT / name, clone / name)


def keep(clone: Path, copy: Path) -> None:
    """Keep a copy of a workspace."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(clone, copy, symlinks=True)


def restore(copy: Path, clone: Path) -> None:
    """Put a kept copy back in its place."""
    shutil.rmtree(clone, ignore_errors=True)
    shutil.copytree(copy, clone, symlinks=True)


def outputs_of(clone: Path, stage: str) -> list[str]:
    """List the files that a stage writes, as dvc.lock knows them."""
    outs = YAML(typ="safe").load(clone / "dvc.lock")["stages"][stage]["outs"]
    paths = [clone / out["path"] for out in outs]
    files = [file for path in paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    return [file.relative_to(clone).as_posix() for file in files if file.is_file()]


def plant(clone: Path, outputs: list[str]) -> None:
    """Put other content in the place of outputs, which tells what a run has written and what it has not."""
    for name in outputs:
        (clone / name).unlink(missing_ok=True)
        (clone / name).write_bytes(FORMER)


def snapshot(clone: Path, *, without: Callable[[str], bool] = lambda _: False) -> dict[str, str]:
    """Return the sha256 of every file that stages or the study wrote, by path."""
    paths = [
        path for name in MADE for path in ([clone / name] if (clone / name).is_file() else (clone / name).rglob("*"))
    ]
    files = {path.relative_to(clone).as_posix(): path for path in paths if path.is_file()}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in sorted(files.items()) if not without(name)
    }
