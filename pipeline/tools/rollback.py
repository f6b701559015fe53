"""Give the alias `champion` back to the version that had it before."""

from collections.abc import Sequence

from fashion_mnist.sources.known import registered_name
from pipeline.runtime.command import parse_arguments, run, say
from pipeline.runtime.parameters import read_params
from pipeline.store.connection import open_store
from pipeline.store.registry import roll_back


def main(argv: Sequence[str] | None = None) -> None:
    """Roll the champion back by one step and say which version it is now."""
    parse_arguments(argv, description=__doc__)
    with open_store(registered_name(read_params().download)) as store:
        say(roll_back(store))


if __name__ == "__main__":
    run(main)
