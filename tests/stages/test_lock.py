"""Inputs that are not what dvc.lock says the stage before wrote."""

import hashlib
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from fashion_mnist.data.folder import read_layout
from fashion_mnist.errors import ArtifactError
from pipeline.runtime.lock import CACHE, check_inputs, dvc_digest, ignored_names
from pipeline.tools.demo import PROJECT, run_dvc

CONTENT = b"epoch,loss\n1,0.5\n"


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace whose dvc.lock records a model, which is in the cache too, and a table."""
    monkeypatch.chdir(tmp_path)
    cached = CACHE / md5(CONTENT)[:2] / md5(CONTENT)[2:]
    for path in (Path("models/dense/model.keras"), Path("models/dense/history.csv"), cached):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CONTENT)
    outs = "".join(
        f"    - path: models/dense/{name}\n      md5: {md5(CONTENT)}\n" for name in ("model.keras", "history.csv")
    )
    Path("dvc.lock").write_text(f"schema: '2.0'\nstages:\n  train@dense:\n    cmd: x\n    outs:\n{outs}")
    return tmp_path


def test_what_the_lock_records_passes_and_so_does_all_without_a_lock(recorded: Path) -> None:
    check_inputs(Path("models"))
    (recorded / "models/dense/history.csv").write_bytes(b"other")
    check_inputs(Path("models/cnn"))  # which the lock does not know
    (recorded / "dvc.lock").unlink()
    check_inputs(Path("models"))


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("model.keras", "`rm -r models/dense/model.keras; dvc checkout models/dense/model.keras`"),
        ("history.csv", "`rm -r models/dense/history.csv; dvc repro --single-item train@dense`"),
    ],
)
def test_damaged_input_is_named_with_the_command_that_brings_it_back(recorded: Path, name: str, command: str) -> None:
    (recorded / "models/dense" / name).write_bytes(CONTENT[::-1])
    with pytest.raises(ArtifactError, match=rf"^models/dense/{name}: md5 is ") as raised:
        check_inputs(Path("models"))
    assert command in str(raised.value)


def test_damaged_copy_in_the_cache_is_not_trusted(recorded: Path) -> None:
    cached = CACHE / md5(CONTENT)[:2] / md5(CONTENT)[2:]
    for path in (Path("models/dense/model.keras"), cached):
        (recorded / path).write_bytes(b"damaged")
    with pytest.raises(ArtifactError, match=rf"`rm -f {cached}; dvc repro --single-item train@dense --force`"):
        check_inputs(Path("models"))


@pytest.mark.parametrize(
    "content", [b"", b"schema: '2.0'\nstages:\n  trai", b"\xff\xfe", b"stages: [", b"stages: {a: {outs: [{}]}}"]
)
def test_damaged_lock_is_one_line_with_the_way_back(recorded: Path, content: bytes) -> None:
    (recorded / "dvc.lock").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"^dvc\.lock: is .*`git checkout -- dvc\.lock`") as raised:
        check_inputs(Path("models"))
    assert "\n" not in str(raised.value)


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


def test_failing_stage_says_how_to_have_back_what_dvc_removed(recorded: Path) -> None:
    for path in (recorded / "models/dense").iterdir():
        path.unlink()
    (recorded / "params.yaml").write_text("models: {}\n")
    environment = {"PYTHONPATH": f"{PROJECT}:{PROJECT / 'src'}", "PATH": "", "DVC_STAGE": "train@dense"}
    command = [sys.executable, "-m", "pipeline.tools.check"]
    done = subprocess.run(command, cwd=recorded, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: params.yaml: ")
    assert "dvc checkout models/dense/model.keras; git checkout -- models/dense/history.csv" in done.stderr
    assert len(done.stderr.splitlines()) == 1
