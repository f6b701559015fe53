"""What benchmarks share: jobs in processes of their own, and the table of what was measured against its target."""

import argparse
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

# Taken before `pipeline` is imported, which limits instructions and garbage collection: others keep the defaults.
ENVIRONMENT, COLLECTOR = dict(os.environ), gc.get_threshold()
# Tells a process when it was started, by the clock of time.perf_counter, which all processes share.
STARTED = "BENCHMARK_STARTED"
SCRATCH = Path(".bench")
Result = dict[str, Any]


class Row(NamedTuple):
    """A measurement and its target: an upper limit, or a lower one."""

    what: str
    measured: float
    target: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the target is met."""
        return self.measured >= self.target if self.at_least else self.measured <= self.target


def parser_of(description: str | None, *, rounds: int) -> argparse.ArgumentParser:
    """Return a parser with the options that benchmarks have in common; rounds: the default."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=positive, default=rounds, help=f"turns of every contender (default: {rounds})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every measurement to FILE")
    parser.add_argument(
        "--rest", type=float, default=0, metavar="SHARE", help="pause after each process, for this share of its time"
    )
    return parser


def positive(text: str) -> int:
    """Return a whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}; expected a number from 1")
    return int(text)


def start(
    arguments: Sequence[str],
    *,
    label: str,
    rest: float = 0,
    folder: Path = Path(),
    environment: dict[str, str] | None = None,
) -> Result:
    """Run `python -m` in a process of its own; return what it prints as JSON, and its seconds. Exits when it fails."""
    print(label, end=" … ", file=sys.stderr, flush=True)
    started = time.perf_counter()
    command = [sys.executable, "-m", *arguments]
    variables = ENVIRONMENT | (environment or {}) | {STARTED: str(started)}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode:  # only now show what TensorFlow says on stderr, which no setting silences
        sys.exit(f"failed\n{done.stdout}{done.stderr}error: {label} ended with exit code {done.returncode}; see above")
    last = (done.stdout.splitlines() or [""])[-1]
    result: Result = json.loads(last) if last.startswith("{") else {}
    result["process s"] = round(seconds, 2)
    print(", ".join(f"{key} {value}" for key, value in result.items()), file=sys.stderr, flush=True)
    time.sleep(rest * seconds)
    return result


def table_of(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| what | measured | target | |", "| --- | ---: | ---: | --- |"]
    for row in rows:
        limit = f"{'≥' if row.at_least else '≤'} {row.target:.4g}"
        lines.append(f"| {row.what} | {row.measured:.3g} | {limit} | {'met' if row.met else '**missed**'} |")
    return "\n".join(lines)


def finish(rows: Sequence[Row], file: Path | None, **measurements: Any) -> int:
    """Print the table, write the file if one is asked for, and return the exit code: 1 if a target is missed."""
    print(f"\n{table_of(rows)}")
    if file:
        write_measurements(file, rows, measurements)
    return 0 if all(row.met for row in rows) else 1


def write_measurements(file: Path, rows: Sequence[Row], measurements: Mapping[str, Any]) -> None:
    """Write the processor, the rows of the table and what they were computed from, as JSON."""
    from pipeline.runtime.machine import cpu_model  # only now: see ENVIRONMENT

    table = [row._asdict() for row in rows]
    document = {"cpu": cpu_model(), "cores": os.cpu_count(), "table": table, "measurements": measurements}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document, indent=1) + "\n")
