"""Delete the committed results of Fashion-MNIST, so that a clone can be about other images: docs/make-it-yours.md.

It lists what it deletes and asks first; --yes answers. Git keeps what was committed, DVC's cache the data and models.
"""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from fashion_mnist.errors import GitError
from pipeline.bytes.formats import write_json
from pipeline.runtime import git
from pipeline.runtime.command import parser_of, run, say
from pipeline.runtime.paths import DVC_LOCK, MODELS, RAW, RECIPES, REPORTS, STUDY, STUDY_LOCK

RESULTS = (DVC_LOCK, STUDY_LOCK, Path("study/trials"), MODELS, RECIPES, REPORTS, RAW.parent)


def main(argv: Sequence[str] | None = None) -> None:
    """List what is there, ask, and delete it."""
    parser = parser_of(__doc__)
    parser.add_argument("--yes", action="store_true", help="delete without asking")
    options = parser.parse_args(argv)
    if not git.is_tracked():
        raise GitError(
            "git keeps no file of this folder; expected a clone, so that git can bring back what is deleted. "
            "Commit the project first"
        )
    if changed := git.changed_files():
        raise GitError(
            f"{len(changed)} files have uncommitted changes, such as {changed[0][3:]}; expected none, so that git can "
            "bring back what is deleted. Commit or stash them first"
        )
    found = [path for path in RESULTS if path.exists()]
    say(f"to be deleted, the results of Fashion-MNIST: {', '.join(map(str, found))}")
    say("what stays: the code, params.yaml, your images, the runs in tracking/, DVC's cache")
    if not options.yes and not is_agreed():
        say("nothing was deleted")
        return
    for path in found:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    write_json({}, STUDY)  # there is no study
    say("deleted. Next: git add -A && git commit, then docs/make-it-yours.md, step 2")


def is_agreed() -> bool:
    """Ask in a terminal. Raises GitError if nobody can answer."""
    if not sys.stdin.isatty():
        raise GitError("nobody to ask: stdin is no terminal; add --yes, or make own YES=1, to delete without asking")
    return input("delete? [y/N] ").strip().lower() in ("y", "yes")


if __name__ == "__main__":
    run(main)
