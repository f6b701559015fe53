"""The verdicts as a table in a page."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.runtime.machine import cpu_model
from tests.faults.judge import KILL, Verdict

BEGIN, END = "<!-- make faults writes from here -->", "<!-- to here -->"


def write_table(verdicts: Sequence[Verdict], page: Path | None) -> str:
    """Return the counts as a table in Markdown; put it into a page between two marks, if one is given."""
    text = make_table(verdicts)
    if page is not None:
        before, _, rest = page.read_text().partition(BEGIN)
        _, _, after = rest.partition(END)
        page.write_text(f"{before}{BEGIN}\n{text}{END}{after}")
    return text


def make_table(verdicts: Sequence[Verdict]) -> str:
    """Count the points of each case, and those that something was wrong at."""
    lines = [
        "| disturbed | killed | of these by `dvc repro` | failing calls | answered in a line | harmless | wrong |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    cases = list(dict.fromkeys(verdict.case for verdict in verdicts))
    for case in [*cases, None]:
        lines.append(row([verdict for verdict in verdicts if case in (verdict.case, None)], case or "**all**"))
    return "\n".join([*lines, "", f"Made on {cpu_model()}.", ""])


def row(verdicts: Sequence[Verdict], name: str) -> str:
    """Return one row of the table."""
    reached = [verdict for verdict in verdicts if not verdict.missed]
    kills = [verdict for verdict in reached if verdict.fault == KILL]
    failures = [verdict for verdict in reached if verdict.fault != KILL]
    counts = (
        len(kills),
        sum(verdict.recovery == "dvc" for verdict in kills),
        len(failures),
        sum(verdict.code == 1 for verdict in failures),
        sum(verdict.code == 0 for verdict in failures),
        sum(bool(verdict.wrong) for verdict in verdicts),
    )
    return f"| {name} | {' | '.join(map(str, counts))} |"
