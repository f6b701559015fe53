"""A stage as a command: help text, errors in one line, exit codes, a progress bar."""

import argparse
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TextIO

from tqdm import tqdm

import pipeline
from fashion_mnist.errors import PipelineError
from pipeline.runtime.costs import Work, record_cost
from pipeline.runtime.edits import read_inputs, refuse_edits
from pipeline.runtime.lock import ways_back

INTERRUPTED = 130
# The stage's name in dvc.yaml; empty outside of DVC.
STAGE = os.environ.get("DVC_STAGE", "").rpartition(":")[2]
# Read here, since most of a stage's code is imported after this module.
INPUTS = read_inputs(STAGE) if STAGE else {}
# Keras imports these if they are installed, for features that nothing here uses; that takes a third of its time.
UNUSED_BY_KERAS = ("matplotlib", "sklearn")


def run(main: Callable[[], Work | None], *, refused: int = 1) -> NoReturn:
    """Run a stage's main and exit: 0 on success, `refused` with one line for a mistake of the user, 130 on Ctrl-C.

    If main returns its Work, the cost is recorded. If the reader of the output leaves, as `head` does, the files are
    still written, and the exit code is that of the result.
    """
    sys.stdout, sys.stderr = _outliving(sys.stdout, sys.__stdout__), _outliving(sys.stderr, sys.__stderr__)
    try:
        refuse_another_checkout()
        work = main()
        refuse_edits(STAGE, INPUTS)
        if work is not None:
            record_cost(work)
    except PipelineError as error:
        print(f"error: {error}{ways_back(STAGE) if STAGE else ''}", file=sys.stderr)  # noqa: T201
        sys.exit(refused)
    except KeyboardInterrupt:
        print("interrupted; no file is half-written. Run again to continue", file=sys.stderr)  # noqa: T201
        sys.exit(INTERRUPTED)
    sys.exit(0)


def refuse_another_checkout() -> None:
    """Raise PipelineError if the current folder holds code of its own: dvc.lock would record code that did not run."""
    here = Path(pipeline.__name__, "__init__.py")
    if here.is_file() and not here.samefile(pipeline.__file__):
        raise PipelineError(
            f"the code of {pipeline.CHECKOUT} runs in {Path.cwd()}, which holds code of its own; expected that to run. "
            "Unset PYTHONPATH and PYTHONSAFEPATH"
        )


class Unread(io.FileIO):
    """A stream whose reader may leave: later output is discarded."""

    def write(self, content: Any) -> int:
        """Write bytes, or discard them if nobody reads; return their number."""
        try:
            return super().write(content)
        except BrokenPipeError:
            return memoryview(content).nbytes


def _outliving(stream: TextIO | None, original: TextIO | None) -> TextIO:
    """Return a stream to the same file that may lose its reader, or be closed from the start, without an error."""
    if stream is None:
        return open(os.devnull, "w")  # noqa: PTH123 - devnull is no path of ours; it stays open to the end
    if stream is not original or not isinstance(stream, io.TextIOWrapper):
        return stream  # what a test has put there
    raw = Unread(stream.fileno(), "w", closefd=False)
    buffer = raw if stream.write_through else io.BufferedWriter(raw)  # the former with python -u
    return io.TextIOWrapper(
        buffer, stream.encoding, stream.errors, line_buffering=stream.line_buffering, write_through=stream.write_through
    )


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """Return a parser whose --help prints the description with its line breaks."""
    return argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)


def parse_arguments(argv: Sequence[str] | None, *, description: str | None, **arguments: str) -> argparse.Namespace:
    """Parse positional arguments, given as name=help; --help prints the description."""
    parser = parser_of(description)
    for name, text in arguments.items():
        parser.add_argument(name, help=text)
    return parser.parse_args(argv)


def progress_bar(*, total: int, label: str, unit: str) -> "tqdm[NoReturn]":
    """Return a progress bar on stderr; silent if stderr is not a terminal, such as in CI."""
    return tqdm(total=total, desc=label, unit=unit, unit_scale=unit == "B", disable=None, dynamic_ncols=True)


@contextmanager
def quiet_import() -> Iterator[None]:
    """Import Keras without unused packages, and discard what is written to stderr, even by compiled code.

    TensorFlow describes the machine at each import, before any log level takes effect. Exceptions still propagate.
    """
    hidden = [name for name in UNUSED_BY_KERAS if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # as if they were not installed
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - devnull is no path of ours
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        for name in hidden:
            del sys.modules[name]


def say(line: str) -> None:
    """Print a line to stdout without tearing a progress bar."""
    tqdm.write(line)
