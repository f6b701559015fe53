"""Describe where a run was made: code, packages, machine."""

import os
import platform
from importlib.metadata import version

from fashion_mnist.errors import GitError
from pipeline.runtime import git
from pipeline.runtime.files import file_digest
from pipeline.runtime.machine import cores, cpu_model
from pipeline.runtime.paths import REQUIREMENTS

PACKAGES = ("dvc", "keras", "mlflow", "numpy", "tensorflow")


def environment_tags() -> dict[str, str]:
    """Describe code, packages and machine as tags of a run; unknown values are tagged as such."""
    return {
        **commit_tags(),
        "dvc.experiment": os.environ.get("DVC_EXP_NAME") or "none",
        "requirements": file_digest(REQUIREMENTS) if REQUIREMENTS.is_file() else "none: no lock here",
        "python": platform.python_version(),
        "cpu": cpu_model(),
        "cpu.cores": str(cores()),
        **{f"package.{package}": version(package) for package in PACKAGES},
    }


def commit_tags() -> dict[str, str]:
    """Describe the commit that this folder is checked out from, or say why there is none."""
    try:
        commit = git.find_commit("HEAD") if git.is_tracked() else None
        dirty = bool(git.git("status", "--porcelain", "--untracked-files=no", "--", ".").strip())
    except GitError as error:
        return {"git.commit": f"none: {error}", "git.dirty": "unknown"}
    if commit is None:
        return {"git.commit": "none: git keeps no commit of this folder", "git.dirty": "unknown"}
    return {"git.commit": commit, "git.dirty": str(dirty).lower(), "mlflow.source.git.commit": commit}
