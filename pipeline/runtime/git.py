"""Call git."""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePath

from fashion_mnist.errors import GitError

ABSENT = 1  # the exit code by which git says that there is no such thing


class NotThereError(GitError):
    """A commit or file that git does not find."""


def git(*arguments: str) -> bytes:
    """Return what a git command prints. Raises GitError with git's reason if it fails or does not start."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=False)  # noqa: S603, S607
    except OSError as error:
        raise GitError(
            f"git does not start ({error.strerror}); expected git and a clone of the project. Install git"
        ) from error
    if done.returncode == 0:
        return done.stdout
    reason = " ".join(done.stderr.decode(errors="replace").split()) or f"exit code {done.returncode}"
    # Some commands say nothing, such as rev-parse of HEAD@{7} if the log has one entry.
    is_absent = done.returncode == ABSENT or not done.stderr
    raise (NotThereError if is_absent else GitError)(f"git {arguments[0]} failed ({reason})")


def is_tracked(path: str = ".") -> bool:
    """Tell whether git tracks a file or anything in a folder, such as the current one.

    It tracks nothing of a workspace that lies in a clone without being a part of it, such as .demo.
    """
    return bool(git("ls-files", "--", path))


def is_committed(path: Path) -> bool:
    """Tell whether the last commit holds a file or folder; False without git or a clone."""
    with suppress(GitError):
        return path.name in list_folder("HEAD", path.parent.as_posix())
    return False


def changed_files(*paths: PurePath) -> list[str]:
    """List what differs from the last commit as `git status` does, in some paths or else in the current folder."""
    return git("status", "--porcelain", "--", *(map(str, paths) if paths else ["."])).decode().splitlines()


def find_commit(revision: str) -> str | None:
    """Return the full id of the commit that a revision names; None if there is none in this clone."""
    with suppress(NotThereError):
        return _line("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    return None


def merge_base(first: str, second: str) -> str | None:
    """Return the last commit that two commits have in common; None if there is none in this clone."""
    with suppress(NotThereError):
        return _line("merge-base", first, second)
    return None


def branch_name(reference: str) -> str:
    """Return the short name of a branch, such as the one that origin/HEAD points to."""
    return _line("rev-parse", "--abbrev-ref", reference)


def is_shallow() -> bool:
    """Tell whether this clone lacks a part of the history."""
    return _line("rev-parse", "--is-shallow-repository") == "true"


def remote() -> str:
    """Return the name of this clone's remote: origin, or the only one; empty without either."""
    names = git("remote").decode().split()
    return "origin" if "origin" in names else names[0] if len(names) == 1 else ""


def branches() -> list[str]:
    """Return the full names of the branches of this clone, such as refs/heads/main."""
    return git("for-each-ref", "--format=%(refname)", "refs/heads").decode().split()


def messages_since(commit: str) -> Iterator[tuple[str, str]]:
    """List the commits since another one, the last first: id and message."""
    for entry in git("log", "-z", "--format=%H%n%B", f"{commit}..HEAD").decode(errors="replace").split("\0"):
        if entry:
            found, _, message = entry.partition("\n")
            yield found, message


def read_file(commit: str, path: str) -> bytes:
    """Return the content of a file at a commit; the path is relative to the current folder."""
    return git("show", f"{commit}:./{path}")


def list_folder(commit: str, folder: str) -> list[str]:
    """Return the names of the files in a folder at a commit; none if there is no such folder."""
    lines = git("ls-tree", "--name-only", commit, f"{folder}/").decode().splitlines()
    return [PurePath(line).name for line in lines]


def _line(*arguments: str) -> str:
    return git(*arguments).decode().strip()
