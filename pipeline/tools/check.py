"""Check params.yaml, dvc.lock and a folder of images: `make repro` does so first.

DVC removes the outputs of a stage before it runs.
"""

from collections.abc import Sequence
from pathlib import Path

from pipeline.runtime.command import parse_arguments, run
from pipeline.runtime.image_folder import list_images
from pipeline.runtime.lock import read_outputs
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import DVC_LOCK


def main(argv: Sequence[str] | None = None) -> None:
    """Look at each; a mistake in one ends in one line."""
    parse_arguments(argv, description=__doc__)
    params = read_params().download
    if params.dataset == "folder":
        list_images(Path(params.folder).expanduser())
    if DVC_LOCK.is_file():
        read_outputs()


if __name__ == "__main__":
    run(main)
