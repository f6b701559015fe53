"""`make own`: what is deleted, and when it is refused."""

import subprocess
from pathlib import Path

import pytest

from fashion_mnist.errors import GitError
from pipeline.tools import own

COMMITTED = ("dvc.lock", "params.yaml", "reports/history/dense.csv", "reports/report.md", "reports/study/trials.csv")


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small clone with committed results and ignored data, as the current folder."""
    for name in (*COMMITTED, "data/raw/x.gz", "models/dense/model.keras", "tracking/mlflow.db"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
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
    own.main(["--yes"])
    assert "dvc.lock, models, reports, data" in capsys.readouterr().out
    assert files(clone) == {".gitignore", "params.yaml", "reports/study.json", "tracking/mlflow.db"}
    assert (clone / "reports/study.json").read_text() == "{}\n"


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
