"""Inputs that are not what dvc.lock says the stage before wrote."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from fashion_mnist.errors import ArtifactError
from fashion_mnist.sources.folder import read_layout
from pipeline.runtime.lock import CACHE, check_inputs, dvc_digest, ignored_names, read_lock
from pipeline.tools.demo import PROJECT, run_dvc

CONTENT = b"epoch,loss\n1,0.5\n"


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


MODEL, HISTORY = Path("models/dense/model.keras"), Path("reports/history/dense.csv")
OBJECT = Path("files/md5", md5(CONTENT)[:2], md5(CONTENT)[2:])
LOCK = "schema: '2.0'\nstages:\n  train@dense:\n    cmd: x\n    outs:\n" + "".join(
    f"    - path: {path}\n      md5: {md5(CONTENT)}\n" for path in (MODEL, HISTORY)
)


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace whose dvc.lock records a model and a table; DVC's cache holds both, for its cache of runs."""
    monkeypatch.chdir(tmp_path)
    for path in (MODEL, HISTORY, CACHE / OBJECT):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CONTENT)
    shutil.copy(PROJECT / "dvc.yaml", tmp_path)
    Path("dvc.lock").write_text(LOCK)
    Path(".dvc/config").write_text("[core]\n    no_scm = true\n")
    return tmp_path


def git(*arguments: str) -> None:
    identity = ("-c", "user.name=tester", "-c", "user.email=tester@example.org")
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


def commit(*paths: str) -> None:
    git("add", "--force", *paths)
    git("commit", "--quiet", "--message", "results")


def commands_in(error: ArtifactError) -> list[str]:
    return re.findall(r"`([^`]+)`", str(error))


def run_advice(command: str) -> None:
    """Type what a message says."""
    subprocess.run(["bash", "-ec", command], check=True, capture_output=True)


def test_what_the_lock_records_passes_and_so_does_all_without_a_lock(recorded: Path) -> None:
    check_inputs(MODEL, HISTORY)
    (recorded / HISTORY).write_bytes(b"other")
    check_inputs(Path("models/cnn"))  # which the lock does not know
    (recorded / "dvc.lock").unlink()
    check_inputs(HISTORY)


def test_lock_is_parsed_once_and_again_after_an_edit(recorded: Path) -> None:
    before = read_lock()
    assert read_lock() is before
    (recorded / "dvc.lock").write_text(LOCK.replace("cmd: x", "cmd: y"))
    assert read_lock()["train@dense"].command == "y"


@pytest.mark.parametrize(
    ("path", "command"),
    [
        (MODEL, f"`rm -r {MODEL}; dvc checkout {MODEL}`"),
        (HISTORY, f"`rm -r {HISTORY}; dvc repro --single-item train@dense`"),
    ],
)
def test_damaged_input_is_named_with_the_command_that_brings_it_back(recorded: Path, path: Path, command: str) -> None:
    (recorded / path).write_bytes(CONTENT[::-1])
    with pytest.raises(ArtifactError, match=rf"^{path}: md5 is ") as raised:
        check_inputs(path)
    assert command in str(raised.value)


def test_damaged_copy_in_the_cache_is_not_trusted(recorded: Path) -> None:
    for path in (MODEL, CACHE / OBJECT):
        (recorded / path).write_bytes(b"damaged")
    with pytest.raises(
        ArtifactError, match=rf"`rm -rf {MODEL} {CACHE / OBJECT}; dvc repro --single-item train@dense --force`"
    ):
        check_inputs(MODEL)


def test_damaged_object_is_found_where_dvc_keeps_its_cache(
    recorded: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cache = tmp_path_factory.mktemp("elsewhere") / "one for all"
    (recorded / CACHE).rename(cache)
    Path(".dvc/config").write_text(f"[core]\n    no_scm = true\n[cache]\n    dir = {cache}\n    type = symlink\n")
    (cache / OBJECT).write_bytes(b"damaged")
    MODEL.unlink()
    MODEL.symlink_to(cache / OBJECT)
    with pytest.raises(ArtifactError, match=r"since its copy in DVC's cache is damaged too") as raised:
        check_inputs(MODEL)
    removed, _, _ = commands_in(raised.value)[-1].partition("; ")
    run_advice(removed)
    assert not (cache / OBJECT).exists()


def test_output_whose_object_is_missing_in_the_cache_is_made_anew(recorded: Path) -> None:
    (recorded / MODEL).write_bytes(b"damaged")
    (recorded / CACHE / OBJECT).unlink()
    with pytest.raises(ArtifactError, match=rf"`rm -r {MODEL}; dvc repro --single-item train@dense`"):
        check_inputs(MODEL)


def test_damaged_lock_is_one_line_with_the_way_back(recorded: Path) -> None:
    git("init", "--quiet")
    commit("dvc.lock")
    (recorded / "dvc.lock").write_bytes(b"schema: '2.0'\nstages:\n  trai")
    with pytest.raises(ArtifactError, match=r"^dvc\.lock: is damaged; ") as raised:
        check_inputs(MODEL)
    assert "\n" not in str(raised.value)
    run_advice(commands_in(raised.value)[0])
    assert (recorded / "dvc.lock").read_text() == LOCK


def test_lock_that_git_does_not_have_whole_is_to_be_deleted(recorded: Path) -> None:
    (recorded / "dvc.lock").write_bytes(b"stages: [")
    for prepare in (lambda: None, lambda: git("init", "--quiet"), lambda: commit("dvc.lock")):
        prepare()
        with pytest.raises(ArtifactError, match=r"delete it, and then run `dvc repro`$"):
            check_inputs(MODEL)


def test_lock_in_conflict_can_be_had_back_while_merging(recorded: Path) -> None:
    git("init", "--quiet", "--initial-branch", "main")
    commit("dvc.lock")
    for branch in ("theirs", "ours"):
        git("switch", "--quiet", "--create", branch, "main")
        (recorded / "dvc.lock").write_text(LOCK.replace("cmd: x", f"cmd: {branch}"))
        commit("dvc.lock")
    with pytest.raises(subprocess.CalledProcessError):
        git("merge", "theirs")
    with pytest.raises(ArtifactError, match=r"^dvc\.lock: holds the marks of a merge; ") as raised:
        check_inputs(MODEL)
    run_advice(commands_in(raised.value)[0])
    assert (recorded / "dvc.lock").read_text() == LOCK.replace("cmd: x", "cmd: ours")


def test_folder_has_the_digest_that_dvc_gives_it(tmp_path: Path) -> None:
    for name in ("b.txt", "deep/a.txt"):
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_text(name)
    digest = dvc_digest(tmp_path / "folder")
    assert digest == "8382212b36d482357b41e36efe8c8eed.dir"
    (tmp_path / "folder/.b.txt.12.tmp").write_text("what a killed process left")
    assert dvc_digest(tmp_path / "folder") == digest


# One name for each pattern of .dvcignore, and names that look like these but are of results.
STRAYS = (
    ".DS_Store", "._1.png", ".AppleDouble/1.png", ".directory", ".fuse_hidden0001", ".nfs0001", ".~lock.a.png#",
    ".#a.png", ".a.png.swp", "a.png~", "Thumbs.db", "thumbs.db", "desktop.ini", "@eaDir/a.png", "__pycache__/a.pyc",
)  # fmt: skip
RESULTS = ("a.png", "b.txt", "deep/DS_Store", "deep/thumbs.dba", ".hidden")


def test_what_desktops_leave_changes_no_digest_here_and_none_of_dvc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(PROJECT / ".dvcignore", tmp_path)
    run_dvc("init", "--quiet", "--no-scm", workspace=tmp_path)
    digests = []
    for names in (RESULTS, [f"deep/{name}" for name in STRAYS]):
        for path in (Path("folder", name) for name in names):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(path.name)
        run_dvc("add", "--quiet", "folder", workspace=tmp_path)
        (recorded,) = YAML(typ="safe").load(Path("folder.dvc"))["outs"]
        digests += [dvc_digest(Path("folder")), recorded["md5"]]
    assert set(digests) == {digests[0]}


def test_what_is_ignored_is_no_image_either_and_git_ignores_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [f"train/{name}/{number}.png" for name in "ab" for number in "123"]
    paths += ["train/", "train/a/", "train/b/"]
    assert read_layout([*paths, *(f"train/a/{name}" for name in STRAYS[:-1])], name="x") == read_layout(paths, name="x")
    assert [name for name in STRAYS if not any(fnmatch(name.split("/")[0], known) for known in ignored_names())] == []
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "--quiet"], check=True)
    shutil.copy(PROJECT / ".gitignore", tmp_path)
    asked = subprocess.run(["git", "check-ignore", *STRAYS], capture_output=True, text=True, check=False)
    assert asked.stdout.splitlines() == list(STRAYS)


def failing_stage() -> str:
    """Return what a stage says that fails under DVC."""
    Path("params.yaml").write_text("models: {}\n")
    environment = {"PYTHONPATH": f"{PROJECT}:{PROJECT / 'src'}", "PATH": os.environ["PATH"], "DVC_STAGE": "train@dense"}
    command = [sys.executable, "-m", "pipeline.tools.check"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: params.yaml: ")
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


def test_failing_stage_says_how_to_have_back_what_dvc_removed(recorded: Path) -> None:
    git("init", "--quiet")
    commit("dvc.lock", str(HISTORY))
    for path in (MODEL, HISTORY):
        (recorded / path).unlink()
    (advice,) = re.findall(r"to have that back: `(.*)`", failing_stage())
    assert advice == f"dvc checkout {MODEL}; git checkout HEAD -- {HISTORY}"
    run_advice(advice.partition("; ")[2])
    assert (recorded / HISTORY).read_bytes() == CONTENT


def test_failing_stage_promises_nothing_that_neither_dvc_nor_git_has(recorded: Path) -> None:
    for path in (MODEL, HISTORY, CACHE / OBJECT):
        (recorded / path).unlink()
    assert "removed" not in failing_stage()


@pytest.mark.parametrize("content", ["stages: []", "- stages", "stages: {train: 1}", "stages: ["])
def test_failing_stage_with_a_damaged_dvc_yaml_says_only_its_own_line(recorded: Path, content: str) -> None:
    (recorded / MODEL).unlink()
    (recorded / "dvc.yaml").write_text(content)
    assert "removed" not in failing_stage()
