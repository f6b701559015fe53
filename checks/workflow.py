"""Run the steps of .github/workflows/ci.yml here, in order, as GitHub would: python -m checks.workflow [JOB ...].

Each job runs in a fresh clone of the last commit, with GitHub's variables set, as a pull request to main that adds an
empty commit. Steps that use an action are skipped: they check out, install Python and keep files.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

PROJECT = Path(__file__).parents[1]
WORKFLOW = PROJECT / ".github/workflows/ci.yml"


def jobs(workflow: Path = WORKFLOW) -> dict[str, Any]:
    """Return a workflow's jobs by name."""
    found: dict[str, Any] = YAML(typ="safe").load(workflow)["jobs"]
    return found


def run_job(name: str, folder: Path, *, path: str = "") -> list[int]:
    """Run a job's steps in a new clone below a folder; returns their exit codes. path: of programs that come first."""
    clone, runner = folder / "clone", folder / "runner"
    runner.mkdir(parents=True)
    # From a clone of any kind, also a shallow one of a pull request, which is on no branch.
    for command in (
        f"clone --quiet {PROJECT} {clone}",
        f"-C {clone} update-ref refs/remotes/origin/main HEAD",
        f"-C {clone} -c user.name=ci -c user.email=ci@localhost commit --quiet --allow-empty --message change",
    ):
        subprocess.run(["git", *command.split()], check=True)
    unwanted = ("DVC_", "MLFLOW_", "VIRTUAL", "GITHUB_")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(unwanted)}
    environment |= {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_BASE_REF": "main",
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        "RUNNER_TEMP": str(runner),
        "PATH": f"{path}{os.pathsep}{os.environ['PATH']}" if path else os.environ["PATH"],
    }
    codes: list[int] = []
    for step in jobs()[name]["steps"]:
        if "run" in step and applies(step.get("if"), clone, failed=any(codes)):
            print(f"--- {step.get('name', step['run'])}", flush=True)
            assert "${{" not in str(step), f"an expression that this script does not fill: {step}"
            codes.append(run_step(step["run"], clone, environment | step.get("env", {})))
    return codes


def applies(condition: str | None, clone: Path, *, failed: bool) -> bool:
    """Tell whether a step runs: always, or unless one before it failed and where the file that it names is there."""
    if condition == "always()":
        return True
    if condition is None:
        return not failed
    (path,) = re.findall(r"^hashFiles\('(.*)'\) != ''$", condition)
    return not failed and (clone / path).exists()


def run_step(script: str, clone: Path, environment: Mapping[str, str]) -> int:
    """Run a step as GitHub does, with bash that stops at the first error; returns its exit code."""
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(command, cwd=clone, env=dict(environment), check=False).returncode


def main(argv: Sequence[str]) -> int:
    """Run the named jobs, or all; returns 1 if a step failed."""
    with tempfile.TemporaryDirectory() as scratch:
        codes = [code for name in argv or jobs() for code in run_job(name, Path(scratch) / name)]
    print(f"{len(codes)} steps, {sum(map(bool, codes))} failed")
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
