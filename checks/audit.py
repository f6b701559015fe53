"""Look up the locked packages among known vulnerabilities: python -m checks.audit. Needs a network.

Fails on each that requirements/exceptions.toml does not except, with a reason and a last day:

    [[exception]]
    id = "GHSA-xxxx-xxxx-xxxx"
    reason = "only the Windows installer is concerned"
    until = 2027-01-31
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TypeGuard

REQUIREMENTS = Path(__file__).parents[1] / "requirements"
# dev.txt holds run.txt and compute.txt. Nothing of older/ runs but to load archives that the tests have made.
LOCKS = tuple(REQUIREMENTS / name for name in ("dev.txt", "remotes.txt", "uv.txt"))
EXCEPTIONS = REQUIREMENTS / "exceptions.toml"
KEYS = ("id", "reason", "until")
ID = re.compile(r"(CVE|GHSA|PYSEC)-[\w-]+")


def main(options: Sequence[str] = (), *, locks: Sequence[Path] = LOCKS, exceptions: Path = EXCEPTIONS) -> int:
    """Audit the locks; returns 1 if one holds a vulnerability without a valid exception, or an exception is wrong.

    options: given to pip-audit as they are.
    """
    try:
        excepted = read_exceptions(exceptions.read_text(), today=datetime.now(UTC).date())
    except ValueError as error:
        print(f"error: {exceptions.name}: {error}", file=sys.stderr)
        return 1
    ignored = [argument for name in excepted for argument in ("--ignore-vuln", name)]
    failed = []
    for lock in locks:
        print(f"--- {lock.name}", flush=True)
        command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--require-hashes", "--disable-pip"]
        command += ["--progress-spinner", "off", *ignored, *options]
        if subprocess.run(command, check=False).returncode:
            failed.append(lock.name)
    if failed:
        print(
            f"error: {', '.join(failed)}: a known vulnerability, or no answer; expected neither. Run `make lock` for "
            f"newer versions, or write an exception with its reason into {exceptions.name}",
            file=sys.stderr,
        )
    return int(bool(failed))


def read_exceptions(text: str, *, today: date) -> list[str]:
    """Return the ids that are excepted. Raises ValueError for what is no exception, or one after its last day."""
    document = tomllib.loads(text)
    entries = document.pop("exception", [])
    if document or not isinstance(entries, list):
        raise ValueError(f"holds {', '.join(document) or 'one [exception]'}; expected tables [[exception]] alone")
    found: list[str] = []
    for entry in entries:
        name, reason, until = (entry.get(key) for key in KEYS) if isinstance(entry, dict) else (entry, None, None)
        if not isinstance(entry, dict) or set(entry) != set(KEYS) or not is_text(reason) or type(until) is not date:
            raise ValueError(f"{name} holds {entry}; expected an id, a reason and a day until when it holds")
        if not is_text(name) or not ID.fullmatch(name) or name in found:
            raise ValueError(f"id is {name!r}; expected a vulnerability's, once, such as GHSA-xxxx-xxxx-xxxx")
        if until < today:
            raise ValueError(f"{name} ended on {until}; expected a later day. Is there a newer version by now?")
        found.append(name)
    return found


def is_text(value: object) -> TypeGuard[str]:
    """Say whether a value is text that says something."""
    return isinstance(value, str) and bool(value.strip())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
