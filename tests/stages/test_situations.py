"""The commands of docs/situations.md, typed where they matter."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from pipeline.tools.demo import PROJECT

MERGED, STUDY = "dvc.lock reports ':!reports/study*'", "reports/study reports/study.json study/dvc.lock"
FILES = ("dvc.lock", "reports/report.md", "reports/study.json", "reports/study/trials.csv", "study/dvc.lock")


def git(*arguments: str, code: int = 0) -> str:
    """Return what a git command says, which ends with a code."""
    identity = ("-c", "user.name=tester", "-c", "user.email=tester@example.org")
    done = subprocess.run(["git", *identity, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout


def write(content: str, *paths: str) -> None:
    """Write the same content into files, and commit all."""
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(content)
    git("add", "--all")
    git("commit", "--message", content)


def arguments(ending: str) -> list[str]:
    """Return the arguments of git in the command of the page that ends so."""
    page = (PROJECT / "docs/situations.md").read_text()
    (found,) = re.findall(rf"^(git .* {re.escape(ending)})$", page, re.MULTILINE)
    return shlex.split(found)[1:]


@pytest.fixture(autouse=True)
def merging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository in the middle of a merge in which all results conflict, and two figures are on one side only."""
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet", "--initial-branch", "main")
    write("begin", *FILES, "params.yaml", "reports/gone.svg")
    git("switch", "--quiet", "--create", "other")
    write("other", *FILES, "reports/other.svg", "reports/gone.svg")
    git("switch", "--quiet", "main")
    Path("reports/gone.svg").unlink()
    write("main", *FILES)
    git("merge", "other", code=1)


def test_results_are_those_of_one_side_and_a_merge_of_the_study_stays_open() -> None:
    git(*arguments(MERGED))
    assert {path: Path(path).read_text() for path in FILES[:2]} == dict.fromkeys(FILES[:2], "main")
    # The report stage decides which figures there are; `git add` then ends what is open of them.
    open_files = {path for path in git("diff", "--name-only", "--diff-filter=U").split() if path != "reports/gone.svg"}
    assert open_files == set(FILES[2:])


def test_study_is_taken_whole_from_one_side_and_the_merge_ends() -> None:
    for ending in (MERGED, STUDY):
        git(*arguments(ending))
    assert {path: Path(path).read_text() for path in FILES[2:]} == dict.fromkeys(FILES[2:], "other")
    for figure in ("gone", "other"):
        Path(f"reports/{figure}.svg").unlink()
    git("add", "--all")
    git("commit", "--no-edit")
    assert git("status", "--porcelain") == ""
