"""Run the whole pipeline on synthetic garments in .demo: it needs no network and changes no tracked file.

.demo holds a copy of what the stages need, with other parameters; its report says that the data is synthetic.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from fashion_mnist.errors import ArtifactError
from pipeline.bytes.formats import write_json
from pipeline.runtime.command import parse_arguments, run, say
from pipeline.runtime.paths import PAGE_HTML, PARAMS, STUDY

PROJECT = Path(__file__).parents[2]
CONTENT = ("dvc.yaml", "study/dvc.yaml", ".dvcignore", "images/README.md", "pipeline", "requirements", "src")
WORKSPACE = Path(".demo")
SYNTHETIC = {"download.dataset": "synthetic", "download.folder": "images", "normalize.validation_images": 1000}


def main(argv: Sequence[str] | None = None) -> None:
    """Reproduce the pipeline on synthetic data and say where its report lies."""
    parse_arguments(argv, description=__doc__)
    make_workspace(WORKSPACE, SYNTHETIC)
    if run_dvc("repro", workspace=WORKSPACE).returncode:
        raise ArtifactError(f"{WORKSPACE}: dvc repro failed; its output above says where. Correct it and run again.")
    say(f"\nSynthetic garments, not Fashion-MNIST. The report: {WORKSPACE / PAGE_HTML}")


def make_workspace(folder: Path, changes: Mapping[str, Any], *, params: Path = PROJECT / PARAMS) -> None:
    """Make an empty folder a DVC workspace with this project's code.

    changes: new values by dotted key in the copy of `params`, a params.yaml.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in CONTENT:
        (folder / name).parent.mkdir(exist_ok=True)
        copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
        copy(PROJECT / name, folder / name)
    shutil.copy(params, folder / PARAMS)
    write_json({}, folder / STUDY)  # no study: that of the project is about other data
    (folder / ".dvc").mkdir()
    # Without git, even if the folder lies in a repository.
    (folder / ".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n")
    change_params(folder / PARAMS, changes)


def change_params(path: Path, changes: Mapping[str, Any]) -> None:
    """Set parameters in a params.yaml, by dotted key; comments stay."""
    yaml = YAML()
    document = yaml.load(path)
    for key, value in changes.items():
        *sections, name = key.split(".")
        reduce(getitem, sections, document)[name] = value
    yaml.dump(document, path)


def run_dvc(*arguments: str, workspace: Path, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run DVC of this environment in a workspace."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DVC_SITE_CACHE_DIR": str(workspace.resolve() / ".dvc" / "site-cache"),
    }
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=workspace, env=environment, check=False, text=True, **options)  # noqa: S603


if __name__ == "__main__":
    run(main)
