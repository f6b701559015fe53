"""Call git."""

import subprocess
from pathlib import PurePath

from fashion_mnist.errors import GitError


def git(*arguments: str) -> bytes:
    """Return what a git command prints. Raises GitError with git's own reason when it fails."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=False)  # noqa: S603, S607
    except OSError as error:
        raise GitError(
            f"git does not start ({error.strerror}); expected git and a clone of the project. Install git"
        ) from error
    if done.returncode != 0:
        reason = " ".join(done.stderr.decode(errors="replace").split())
        raise GitError(f"git {arguments[0]} failed ({reason or f'exit code {done.returncode}'})")
    return done.stdout


def find_commit(revision: str) -> str | None:
    """Return the full id of the commit that a revision names; None if there is none in this clone."""
    return _answer("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")


def merge_base(first: str, second: str) -> str | None:
    """Return the last commit that two commits have in common; None if there is none in this clone."""
    return _answer("merge-base", first, second)


def branch_name(reference: str) -> str:
    """Return the short name of a branch, such as the one that origin/HEAD points to."""
    return git("rev-parse", "--abbrev-ref", reference).decode().strip()


def is_shallow() -> bool:
    """Tell whether this clone lacks a part of the history."""
    return _answer("rev-parse", "--is-shallow-repository") == "true"


def read_file(commit: str, path: str) -> bytes:
    """Return the content of a file at a commit; the path is relative to the current folder."""
    return git("show", f"{commit}:./{path}")


def list_folder(commit: str, folder: str) -> list[str]:
    """Return the names of the files in a folder at a commit; none if there is no such folder."""
    lines = git("ls-tree", "--name-only", commit, f"{folder}/").decode().splitlines()
    return [PurePath(line).name for line in lines]


def _answer(*arguments: str) -> str | None:
    """Return the line that a git command prints; None if the command fails. Raises GitError when git does not start."""
    try:
        return git(*arguments).decode().strip()
    except GitError as error:
        if error.__cause__ is not None:
            raise
        return None
