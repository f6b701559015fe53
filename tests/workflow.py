"""Run the steps of .github/workflows/ci.yml here, in order, as GitHub would: python tests/workflow.py [JOB ...].

Each job runs in a fresh clone of the last commit, with GitHub's variables set. Steps that use an action are skipped:
they check out, install Python and keep files.
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


def run_job(name: str, folder: Path, *, base: str = "", path: str = "") -> list[int]:
    """Run a job's steps in a new clone below a folder; returns their exit codes.

    base: the base branch of a pull request. path: a folder whose programs come first.
    """
    clone, runner = folder / "clone", folder / "runner"
    runner.mkdir(parents=True)
    subprocess.run(["git", "clone", "--quiet", str(PROJECT), str(clone)], check=True)
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("DVC_", "MLFLOW_", "VIRTUAL"))
    }
    environment |= {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_BASE_REF": base,
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        "RUNNER_TEMP": str(runner),
        "PATH": f"{path}{os.pathsep}{os.environ['PATH']}" if path else os.environ["PATH"],
    }
    codes: list[int] = []
    for step in jobs()[name]["steps"]:
        if "run" in step and (step.get("if") == "always()" or not any(codes)):
            print(f"--- {step.get('name', step['run'])}", flush=True)
            given = {key: fill(str(value), base) for key, value in step.get("env", {}).items()}
            codes.append(run_step(fill(step["run"], base), clone, environment | given))
    return codes


def run_step(script: str, clone: Path, environment: Mapping[str, str]) -> int:
    """Run a step as GitHub does, with bash that stops at the first error; returns its exit code."""
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(command, cwd=clone, env=dict(environment), check=False).returncode


def fill(text: str, base: str) -> str:
    """Fill the expressions of GitHub that the workflow uses."""
    branch = f"origin/{base}" if base else ""
    text = re.sub(r"\$\{\{ github\.base_ref && format\('origin/\{0\}', github\.base_ref\) \}\}", branch, text)
    assert "${{" not in text, f"an expression that this script does not know: {text}"
    return text


def main(argv: Sequence[str]) -> int:
    """Run the named jobs, or all; returns 1 if a step failed."""
    with tempfile.TemporaryDirectory() as scratch:
        codes = [code for name in argv or jobs() for code in run_job(name, Path(scratch) / name)]
    print(f"{len(codes)} steps, {sum(map(bool, codes))} failed")
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
