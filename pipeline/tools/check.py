"""Check params.yaml, the installed packages, DVC's files and a folder of images: `make repro` does so first.

DVC removes the outputs of a stage before it runs.
"""

from collections.abc import Sequence
from pathlib import Path

from fashion_mnist.errors import ArtifactError
from pipeline.bytes.formats import parse_json
from pipeline.runtime.command import parse_arguments, run
from pipeline.runtime.files import read_bytes
from pipeline.runtime.image_folder import list_images
from pipeline.runtime.lock import read_lock
from pipeline.runtime.packages import check_packages
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import DVC_LOCK, REQUIREMENTS

# Where DVC notes which of its processes reads or writes what. It does not write this file atomically.
RWLOCK = Path(".dvc/tmp/rwlock")


def main(argv: Sequence[str] | None = None) -> None:
    """Look at each; a mistake in one ends in one line."""
    parse_arguments(argv, description=__doc__)
    params = read_params().download
    check_packages(REQUIREMENTS)
    if params.dataset == "folder":
        list_images(Path(params.folder))
    if DVC_LOCK.is_file():
        read_lock()
    if RWLOCK.is_file():
        check_rwlock()


def check_rwlock() -> None:
    """Raise ArtifactError for what a DVC that was killed while it wrote has left: no DVC would start."""
    try:
        parse_json(read_bytes(RWLOCK), name=str(RWLOCK))
    except ArtifactError as error:
        raise ArtifactError(
            f"{RWLOCK}: is cut off, since DVC was killed while it wrote; if no other dvc is running, run `rm {RWLOCK}`"
        ) from error


if __name__ == "__main__":
    run(main)
