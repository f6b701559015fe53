"""The verdicts as a table in a page."""

from collections.abc import Sequence
from pathlib import Path

from checks.faults.cases import CASES
from checks.faults.damage import DAMAGE, PLACES
from checks.faults.judge import KILL, Verdict
from checks.faults.together import KILLINGS, MEETINGS, TOGETHER
from pipeline.runtime.machine import cpu_model

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
    disturbed = [verdict for verdict in verdicts if verdict.case not in (DAMAGE, TOGETHER) and not verdict.missed]
    lines = [
        "| disturbed | killed | of these by `dvc repro` | failing calls | answered in a line | harmless | wrong |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for case in dict.fromkeys(verdict.case for verdict in disturbed):
        lines.append(row([verdict for verdict in disturbed if verdict.case == case], case))
    lines += [
        row(disturbed, "**all**"),
        "",
        "| flipped in | files | refused and mended | wrong |",
        "| --- | ---: | ---: | ---: |",
    ]
    for place in PLACES:
        flipped = [verdict for verdict in verdicts if verdict.case == DAMAGE and verdict.fault.startswith(f"{place},")]
        wrong = sum(bool(verdict.wrong) for verdict in flipped)
        lines.append(f"| the {place} | {len(flipped)} | {len(flipped) - wrong} | {wrong} |")
    lines += list_meetings([verdict for verdict in verdicts if verdict.case == TOGETHER])
    restored, deleted = (
        sum(verdict.recovery.startswith(done) for verdict in disturbed) for done in ("dvc.lock", "rwlock")
    )
    missed = sum(verdict.missed for verdict in verdicts)
    return "\n".join(
        [
            *lines,
            "",
            f"DVC itself, killed: after {restored} of these kills, `dvc.lock` had to be restored and after "
            f"{deleted} `.dvc/tmp/rwlock` deleted as said above. "
            f"{missed} points were not reached in a second run and count nowhere.",
            "",
            *name_missing(verdicts),
            f"{len(verdicts) - missed} points in all. Made on {cpu_model()}.",
            "",
        ]
    )


def name_missing(verdicts: Sequence[Verdict]) -> list[str]:
    """Say which cases a run did not reach, such as one that was stopped."""
    wanted = [*(case.name for case in CASES), DAMAGE, *(meeting.name for meeting in MEETINGS), *KILLINGS]
    found = {verdict.fault if verdict.case == TOGETHER else verdict.case for verdict in verdicts}
    missing = [name for name in wanted if name not in found]
    return (
        [f"A part of the whole: {', '.join(missing)} were not reached yet. `make faults` goes on.", ""]
        if missing
        else []
    )


def list_meetings(verdicts: Sequence[Verdict]) -> list[str]:
    """Return the table of what happened at the same time."""
    lines = [
        "",
        "| at the same time | times | all succeed | one says in a line why not | lost, twice or wrong |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name in dict.fromkeys(verdict.fault for verdict in verdicts):
        met = [verdict for verdict in verdicts if verdict.fault == name]
        counts = (
            len(met),
            sum(verdict.code == 0 for verdict in met),
            sum(verdict.code != 0 for verdict in met),
            sum(bool(verdict.wrong) for verdict in met),
        )
        lines.append(f"| {name} | {' | '.join(map(str, counts))} |")
    return lines


def row(verdicts: Sequence[Verdict], name: str) -> str:
    """Return one row of the table."""
    kills = [verdict for verdict in verdicts if verdict.fault == KILL]
    failures = [verdict for verdict in verdicts if verdict.fault != KILL]
    counts = (
        len(kills),
        sum(verdict.recovery != "command" for verdict in kills),
        len(failures),
        sum(verdict.code == 1 for verdict in failures),
        sum(verdict.code == 0 for verdict in failures),
        sum(bool(verdict.wrong) for verdict in verdicts),
    )
    return f"| {name} | {' | '.join(map(str, counts))} |"
