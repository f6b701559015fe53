"""Your own images, kept by DVC: added as docs/make-it-yours.md says, and pulled in another clone."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.tools.demo import PROJECT, make_workspace
from tests.end_to_end.conftest import environment_of_dvc, run_dvc, stages_in
from tests.end_to_end.own_images import write_shapes

pytestmark = pytest.mark.slow

OWN = {"download.dataset": "folder", "download.folder": "images", "normalize.validation_images": 40}
PAGE = (PROJECT / "docs/make-it-yours.md").read_text()
(WHOLE,) = re.findall(r"## Keep your images in DVC\n.*?```\n(.*?)```", PAGE, re.DOTALL)
PARTS = "dvc add images/train images/test; git add images; git commit --quiet -m Images"


def shell(folder: Path, commands: str) -> str:
    """Type commands in a workspace, as a user who has a name."""
    names = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["bash", "-ec", commands],
        cwd=folder,
        env=environment_of_dvc(folder) | names,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of the project with three classes of images, where DVC links to a cache outside."""
    clone = tmp_path / "clone"
    make_workspace(clone, OWN, params=PROJECT / "tests/params.yaml")
    write_shapes(clone / "images")
    (clone / "images/README.txt").unlink()  # which is beside what is added, so only this clone has it
    shutil.copy(PROJECT / ".gitignore", clone)
    (clone / ".dvc/.gitignore").write_text((PROJECT / ".dvc/.gitignore").read_text() + "/site-cache\n")
    shutil.copy(PROJECT / ".dvc/config", clone / ".dvc/config")
    settings = (
        "dvc config cache.type symlink",
        f"dvc cache dir '{tmp_path}/shared cache'",
        f"dvc remote add --default storage '{tmp_path}/remote'",
        "git init --quiet; git add .; git commit --quiet -m start",
    )
    shell(clone, "; ".join(settings))
    return clone


@pytest.mark.parametrize("added", [WHOLE, PARTS], ids=["whole", "parts"])
def test_images_added_to_dvc_are_read_there_and_in_another_clone(clone: Path, tmp_path: Path, added: str) -> None:
    shell(clone, added)
    image = Path("images/train/bar/0.png")
    assert (clone / image).is_symlink()
    first = run_dvc("repro", "normalize", workspace=clone)
    assert stages_in(first.stdout) == ["download", "normalize"], first.stderr
    assert next((clone / "data/raw").rglob("*.png")).is_symlink()
    shell(clone, "git add .; git commit --quiet -m results; dvc push --quiet")

    other = tmp_path / "other"
    shell(tmp_path, "git clone --quiet clone other; rm -r 'shared cache'")
    asked = run_dvc("repro", "--allow-missing", "--dry", "normalize", workspace=other)
    assert stages_in(asked.stdout) == ([] if added == WHOLE else ["download"])
    # What the other stages make was never made here.
    shell(other, "dvc pull --quiet download normalize $(git ls-files '*.dvc')")
    assert (other / image).is_file()
    done = run_dvc("repro", "normalize", workspace=other)
    assert "Data and pipelines are up to date" in done.stdout + done.stderr
    assert shell(other, "git status --porcelain") == ""
