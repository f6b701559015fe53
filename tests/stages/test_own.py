"""`make own`: what is deleted and changed, and when it is refused."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from fashion_mnist.errors import GitError, ParamsError
from pipeline.runtime.parameters import read_params
from pipeline.tools import own
from pipeline.tools.demo import PROJECT

COMMITTED = (
    "dvc.lock",
    "reports/history/dense.csv",
    "reports/report.md",
    "reports/study/trials.csv",
    "tests/published/test_readme.py",
    "tests/test_other.py",
)


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small clone with committed results and ignored data, as the current folder."""
    for name in (*COMMITTED, "data/raw/x.gz", "models/dense/model.keras", "tracking/mlflow.db"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    for name in ("tests/params.yaml", "README.md"):
        shutil.copy(PROJECT / name, tmp_path)
    (tmp_path / ".gitignore").write_text("/data/\n/models/\n/tracking/\n")
    for arguments in (
        ("init", "-q"),
        ("add", "."),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "results"),
    ):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts
    }


def test_results_are_listed_and_deleted_and_the_rest_stays(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own.main(["--yes", "--name", "Digits"])
    assert "dvc.lock, models, reports, data, tests/published" in capsys.readouterr().out
    assert files(clone) == {
        ".gitignore", "README.md", "params.yaml", "reports/report.html", "reports/report.md", "reports/study.json",
        "tests/test_other.py", "tracking/mlflow.db",
    }  # fmt: skip
    assert (clone / "reports/study.json").read_text() == "{}\n"


def test_readme_and_parameters_are_about_the_images(clone: Path) -> None:
    own.main(["--yes", "--name", "Digits"])
    readme = (clone / "README.md").read_text()
    assert readme.startswith("# Digits\n")
    assert "make repro" in readme
    assert not re.search(r"\d\d\.\d\d %", readme)
    params = read_params()
    assert (params.download.dataset, params.download.name) == ("folder", "Digits")
    assert not any((params.report.article, params.gate.floors, params.study.replicates, params.study.sweep))


def test_other_parameters_and_remarks_stay(clone: Path) -> None:
    before = (clone / "params.yaml").read_text().splitlines()
    own.main(["--yes"])
    after = (clone / "params.yaml").read_text().splitlines()
    assert len(before) - len(after) == 8  # of article, floors and study
    assert all(line.partition("#")[2] in (clone / "params.yaml").read_text() for line in before if "reports" in line)
    kept = [line for line in before if line in after]
    assert len(kept) > 80


def test_name_that_cannot_be_one_is_refused_and_nothing_is_changed(clone: Path) -> None:
    before = {path: (clone / path).read_bytes() for path in files(clone)}
    with pytest.raises(ParamsError, match=r"^params\.yaml: download\.name is '-x'; expected"):
        own.main(["--yes", "--name=-x"])
    assert {path: (clone / path).read_bytes() for path in files(clone)} == before


@pytest.mark.parametrize(("answer", "deleted"), [("y", True), ("n", False), ("", False)])
def test_terminal_is_asked(clone: Path, answer: str, deleted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    own.main([])
    assert (clone / "dvc.lock").exists() is not deleted


def test_without_a_terminal_nothing_is_deleted(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    before = files(clone)
    with pytest.raises(GitError, match=r"^nobody to ask: .* add --yes"):
        own.main([])
    assert files(clone) == before


def test_uncommitted_changes_are_named_and_nothing_is_deleted(clone: Path) -> None:
    (clone / "params.yaml").write_text("changed")
    before = files(clone)
    with pytest.raises(GitError, match=r"^1 files have uncommitted changes, such as params\.yaml; expected none"):
        own.main(["--yes"])
    assert files(clone) == before
