"""A stage as a command: help text, errors in one line, exit codes, a progress bar."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from tqdm import tqdm

from fashion_mnist.errors import ArtifactError, PipelineError
from pipeline.runtime.costs import Work, record_cost

INTERRUPTED = 130


def run(main: Callable[[], Work | None]) -> NoReturn:
    """Run a stage's main and exit: 0 when it succeeds, 1 with one line when the user can mend it, 130 on Ctrl-C.

    What the work cost is recorded if main says what that was.
    """
    try:
        work = main()
        if work is not None:
            keep_cost(work)
    except PipelineError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("interrupted: nothing was half-written, run again to go on", file=sys.stderr)  # noqa: T201
        sys.exit(INTERRUPTED)
    sys.exit(0)


def keep_cost(work: Work) -> None:
    """Record what a stage cost; where that fails, say so, for the stage itself has succeeded."""
    try:
        record_cost(work)
    except ArtifactError as error:
        print(f"warning: what this stage cost is not recorded. {error}", file=sys.stderr)  # noqa: T201


def parse_arguments(argv: Sequence[str] | None, *, description: str | None, **arguments: str) -> argparse.Namespace:
    """Parse positional arguments, given as name=help; --help prints the description."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, text in arguments.items():
        parser.add_argument(name, help=text)
    return parser.parse_args(argv)


def progress_bar(*, total: int, label: str, unit: str) -> "tqdm[NoReturn]":
    """Return a progress bar on stderr; where stderr is no terminal, such as in CI, it stays silent."""
    return tqdm(total=total, desc=label, unit=unit, disable=None, dynamic_ncols=True)


@contextmanager
def quiet_import() -> Iterator[None]:
    """Drop what is written to stderr, also by compiled code; an exception still leaves with its traceback.

    TensorFlow describes the machine at each import, before it heeds any setting of how much to say.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - devnull is no path of ours
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def say(line: str) -> None:
    """Print a line to stdout without tearing a progress bar."""
    tqdm.write(line)
