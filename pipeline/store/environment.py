"""Describe where a run was made: code, packages, machine."""

import os
import platform
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from fashion_mnist.errors import GitError
from pipeline.runtime.files import file_digest
from pipeline.runtime.git import git
from pipeline.runtime.machine import cpu_model
from pipeline.runtime.paths import REQUIREMENTS

PACKAGES = ("dvc", "keras", "mlflow", "numpy", "tensorflow")


def environment_tags() -> dict[str, str]:
    """Describe code, packages and machine as tags of a run; unknown values are tagged as such."""
    commit = git_output("rev-parse", "HEAD")
    tags = {
        "git.commit": commit or "none: not a git clone",
        "git.dirty": str(bool(git_output("status", "--porcelain", "--untracked-files=no"))).lower()
        if commit
        else "unknown",
        "dvc.experiment": os.environ.get("DVC_EXP_NAME") or "none",
        "requirements": file_digest(REQUIREMENTS) if REQUIREMENTS.is_file() else "none: no lock here",
        "python": platform.python_version(),
        "cpu": cpu_model(),
        "cpu.threads": str(os.cpu_count()),
        **{f"package.{package}": version(package) for package in PACKAGES},
    }
    return tags | ({"mlflow.source.git.commit": commit} if commit else {})


def git_output(*arguments: str) -> str:
    """Return what a git command prints; empty unless this folder is the top of a clone."""
    if Path(".git").exists():
        with suppress(GitError):
            return git(*arguments).decode().strip()
    return ""
