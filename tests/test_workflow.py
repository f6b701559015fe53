"""The workflow's steps, run in a fresh clone; `make` is only noted down, since its words are tested elsewhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from checks.workflow import PROJECT, jobs, run_job

# Stands in for make: notes its words and makes what the steps after it need.
MAKE = f"""#!/bin/sh
echo "$@" >> "$NOTED"
mkdir -p .venv/bin
case "$1" in
  repro) mkdir -p data/raw; cd data/raw; touch train-images.gz train-labels.gz t10k-images.gz t10k-labels.gz; cd ../..;;
  verify) rm -r data;;  # for the gate: the results are not of such files
esac
mkdir -p .venv-remotes/bin
printf '#!/bin/sh\\n' > .venv-remotes/bin/dvc
chmod +x .venv-remotes/bin/dvc
for tool in python dvc; do
  printf '#!/bin/sh\\nexec {Path(sys.executable).parent}/%s "$@"\\n' $tool > .venv/bin/$tool
  chmod +x .venv/bin/$tool
done
"""


# Before the first results of one's own, their steps are left out.
RESULTS = not subprocess.run(["git", "cat-file", "-e", "HEAD:dvc.lock"], cwd=PROJECT, check=False).returncode


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ("test", ["check", "test-all"]),
        ("repro", [".venv/run", *(["repro", "verify"] if RESULTS else []), "emulate"]),
    ],
)
def test_steps_of_the_workflow_run_in_order(
    job: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/make").write_text(MAKE)
    (tmp_path / "bin/apt-get").write_text("#!/bin/sh\n")
    for program in (tmp_path / "bin").iterdir():
        program.chmod(0o755)
    noted = tmp_path / "noted"
    monkeypatch.setenv("NOTED", str(noted))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["src", "."]))
    codes = run_job(job, tmp_path / job, path=str(tmp_path / "bin"))
    assert codes
    assert not any(codes)
    assert [line for line in noted.read_text().splitlines() if line in words] == words
    if job == "repro" and RESULTS:
        assert len(list((tmp_path / job / "runner/mirror").iterdir())) == 4
        assert "## Gate: passes" in (tmp_path / job / "summary.md").read_text()


def test_every_action_is_pinned_to_a_commit() -> None:
    workflows = sorted((PROJECT / ".github/workflows").glob("*.yml"))
    assert len(workflows) > 1
    used = [
        step["uses"] for path in workflows for job in jobs(path).values() for step in job["steps"] if "uses" in step
    ]
    assert used
    assert all(len(action.partition("@")[2]) == 40 for action in used)
