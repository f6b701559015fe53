"""Check params.yaml, the installed packages, the limit on workers, DVC's files and a folder of images.

`make repro` does so first, since DVC removes the outputs of a stage before it runs.
"""

from collections.abc import Sequence
from pathlib import Path

from fashion_mnist.errors import ArtifactError
from pipeline.bytes.formats import read_json
from pipeline.runtime.command import parse_arguments, run
from pipeline.runtime.image_folder import list_images
from pipeline.runtime.lock import read_lock
from pipeline.runtime.machine import available_workers
from pipeline.runtime.packages import check_packages
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import DVC_LOCK, REQUIREMENTS

# Lists which DVC process reads or writes what. DVC does not write it atomically.
RWLOCK = Path(".dvc/tmp/rwlock")


def main(argv: Sequence[str] | None = None) -> None:
    """Check each in turn; the first mistake ends in one line."""
    parse_arguments(argv, description=__doc__)
    params = read_params().download
    check_packages(REQUIREMENTS)
    available_workers()
    if params.dataset == "folder":
        list_images(Path(params.folder))
    if DVC_LOCK.is_file():
        read_lock()
    try:
        if RWLOCK.is_file():
            read_json(RWLOCK)
    except ArtifactError as error:  # no DVC would start
        raise ArtifactError(
            f"{RWLOCK}: is cut off, since DVC was killed while it wrote; if no other dvc is running, run `rm {RWLOCK}`"
        ) from error


if __name__ == "__main__":
    run(main)
