"""Check params.yaml and dvc.lock: `make repro` does so first, since DVC removes a stage's outputs before it runs."""

from collections.abc import Sequence

from pipeline.runtime.command import parse_arguments, run
from pipeline.runtime.lock import read_outputs
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import DVC_LOCK


def main(argv: Sequence[str] | None = None) -> None:
    """Read both; a mistake in either ends in one line."""
    parse_arguments(argv, description=__doc__)
    read_params()
    if DVC_LOCK.is_file():
        read_outputs()


if __name__ == "__main__":
    run(main)
