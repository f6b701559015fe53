"""git's own reason is told wherever git is asked; a folder is tagged with the commit that holds it, or with none."""

import shutil
import subprocess
from pathlib import Path

import pytest

from fashion_mnist.errors import GitError
from pipeline.gate import __main__ as gate
from pipeline.gate import reproduction
from pipeline.runtime import git
from pipeline.store.environment import commit_tags
from pipeline.tools import own
from pipeline.tools.demo import PROJECT


def run_git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with one commit that ignores a folder, as the current folder."""
    folder = tmp_path / "clone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    shutil.copy(PROJECT / "tests/params.yaml", "params.yaml")
    for name in ("dvc.lock", "project/dvc.lock", "other/file"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("stages: {}\n")
    Path(".gitignore").write_text("/.demo/\n")
    run_git(folder, "init", "--quiet")
    run_git(folder, "add", "--all")
    run_git(folder, "commit", "--quiet", "--message", "one")
    return folder


@pytest.fixture(params=["another owner", "no clone", "damaged settings"])
def reason(request: pytest.FixtureRequest, clone: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """git refuses to look; what it says."""
    if request.param == "another owner":
        monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
        return "git config --global --add safe.directory"
    if request.param == "no clone":
        shutil.rmtree(clone / ".git")
        return "not a git repository"
    (clone / ".git/config").write_text("[core\n")
    return "bad config line 1"


def test_reason_is_raised_by_every_question(reason: str) -> None:
    for question in (
        lambda: git.find_commit("HEAD"),
        lambda: git.merge_base("HEAD", "HEAD"),
        git.is_shallow,
        git.is_tracked,
        git.changed_files,
    ):
        with pytest.raises(GitError, match="failed") as raised:
            question()
        assert reason in str(raised.value)


@pytest.mark.parametrize("reason", ["another owner"], indirect=True)
def test_gate_own_and_reproduction_tell_the_reason(reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        gate.main([])
    assert ended.value.code == 2
    with pytest.raises(SystemExit) as ended:
        reproduction.main(["--strict"])
    assert ended.value.code == 1
    judged, compared = capsys.readouterr().out.splitlines()
    assert judged.startswith("gate: cannot judge. git ")
    assert reason in judged
    assert compared.startswith("nothing to compare with: git ")
    assert reason in compared
    with pytest.raises(GitError) as raised:
        own.main(["--yes"])
    assert reason in str(raised.value)


@pytest.mark.parametrize("reason", ["another owner"], indirect=True)
def test_reason_is_in_the_tag(reason: str) -> None:
    tags = commit_tags()
    assert tags["git.commit"].startswith("none: ")
    assert reason in tags["git.commit"]
    assert tags["git.dirty"] == "unknown"


@pytest.mark.usefixtures("clone")
def test_what_is_not_there_is_none() -> None:
    assert git.find_commit("nothing") is None
    assert git.find_commit("0" * 40) is None
    assert git.find_commit("HEAD^1") is None
    assert git.find_commit("HEAD@{7}") is None


def test_project_in_a_folder_of_a_clone_is_tagged_with_its_commit(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clone / "project")
    tags = commit_tags()
    assert tags["git.commit"] == tags["mlflow.source.git.commit"] == run_git(clone, "rev-parse", "HEAD")
    (clone / "other/file").write_text("edited")
    assert commit_tags()["git.dirty"] == "false"
    Path("dvc.lock").write_text("edited")
    assert commit_tags()["git.dirty"] == "true"


@pytest.mark.parametrize("name", [".demo", "not yet added"])
def test_workspace_in_a_clone_but_not_of_it_has_no_commit(
    clone: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (clone / name).mkdir()
    monkeypatch.chdir(clone / name)
    Path("dvc.lock").write_text("stages: {}\n")
    tags = commit_tags()
    assert tags["git.commit"].startswith("none: ")
    assert "mlflow.source.git.commit" not in tags
    with pytest.raises(GitError, match="keeps no file of this folder"):
        own.main(["--yes"])
    assert Path("dvc.lock").exists()


def test_clone_before_its_first_commit_has_none(clone: Path) -> None:
    run_git(clone, "update-ref", "-d", "HEAD")
    assert commit_tags()["git.commit"].startswith("none: ")


def test_worktree_and_detached_checkout_are_tagged(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_git(clone, "worktree", "add", "--quiet", "--detach", "../worktree")
    monkeypatch.chdir(clone.parent / "worktree")
    assert commit_tags()["git.commit"] == run_git(clone, "rev-parse", "HEAD")
