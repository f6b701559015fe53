"""From a clone to a repository of one's own: docs/make-it-yours.md, README's new model, .ci/run; on drawn pictures."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.tools.demo import PROJECT
from tests.end_to_end.conftest import environment_of, free_port
from tests.end_to_end.own_images import write_shapes
from tests.end_to_end.test_recipe import recipe

pytestmark = pytest.mark.slow

# Stands in for make: what takes many minutes, or a machine of another kind, is left out.
MAKE = """#!/bin/sh
case "$1" in test-all|emulate) echo "left out: make $1";; *) exec {make} "$@";; esac
"""
# The tests that read the project's own files, whose content `make own` and a new model change.
TESTS = (
    "tests/test_docs.py",
    "tests/test_architecture.py",
    "tests/test_calibration.py",
    "tests/test_workflow.py",
    "tests/unit/test_params.py",
    "tests/unit/networks",
    "tests/stages/test_own.py",
)
FEW: dict[str, dict[str, Any]] = {
    "normalize": {"validation_images": 40},
    "train": {"dense": {"epochs": 2}, "cnn": {"epochs": 2}},
}


class Clone:
    """A clone with an environment, in which commands are typed."""

    def __init__(self, folder: Path) -> None:
        """Clone the last commit; the environment is that of the tests, and said to be up to date."""
        self.folder = folder / "pictures"
        subprocess.run(["git", "clone", "--quiet", str(PROJECT), str(self.folder)], check=True)
        (self.folder / ".venv").mkdir()
        for part in ("bin", "lib", "lib64", "pyvenv.cfg"):
            (self.folder / ".venv" / part).symlink_to(Path(sys.prefix) / part)
        for stamp in ("uv", "run", "dev"):
            (self.folder / ".venv" / stamp).touch()
        tools = folder / "tools"
        tools.mkdir()
        make = subprocess.run(["which", "make"], capture_output=True, text=True, check=True).stdout.strip()
        (tools / "make").write_text(MAKE.format(make=make))
        (tools / "apt-get").write_text("#!/bin/sh\n")
        for tool in tools.iterdir():
            tool.chmod(0o755)
        names = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        path = f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = environment_of() | names | {"PATH": path}
        self.environment |= {"DVC_SITE_CACHE_DIR": str(self.folder / ".dvc/tmp/site-cache")}

    def type(self, *command: str) -> str:
        """Return what a command says; it must succeed."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone of which the images are pictures now, committed."""
    made = Clone(tmp_path_factory.mktemp("own"))
    made.type("make", "own", "NAME=Pictures", "YES=1")
    made.type("bash", "-ec", "git add -A && git commit --quiet -m Pictures")
    return made


def test_ci_passes_before_the_first_results(clone: Clone) -> None:
    said = clone.type(".ci/run")
    assert "left out: make test-all" in said
    assert "no results are committed yet" in said


def test_ci_reproduces_and_judges_the_first_results(clone: Clone) -> None:
    write_shapes(clone.folder / "images")
    yaml = YAML()
    params = yaml.load(clone.folder / "params.yaml")
    for section, changes in FEW.items():
        for key, change in changes.items():
            params[section][key] = {**params[section][key], **change} if isinstance(change, dict) else change
    name, network, section = recipe()  # of a model that README adds
    (clone.folder / name).write_text(network)
    params["train"] |= yaml.load(section)
    yaml.dump(params, clone.folder / "params.yaml")
    clone.type("make", "repro")
    page = (PROJECT / "docs/make-it-yours.md").read_text()
    (commit,) = re.findall(r"^(git add -A && git commit .*Gate-Accept.*)$", page, re.MULTILINE)
    clone.type("bash", "-ec", commit)
    said = clone.type(".ci/run")
    assert "reproduced: the committed results, bit for bit" in said
    assert "gate: passes" in said
    shown = clone.type("make", "-n", "ui", f"PORT={free_port()}")
    (script,) = re.findall(r"python -m (pipeline\.tools\.\w+)\)", shown)
    assert clone.type("python", "-m", script).strip() == "experiments/1/runs"


def test_tests_that_read_the_project_pass_with_it(clone: Clone) -> None:
    clone.type("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS)
    assert not (clone.folder / "tests/published").exists()
    assert (clone.folder / "README.md").read_text().startswith("# Pictures\n")


def test_remark_about_images_reruns_nothing(clone: Clone) -> None:
    (clone.folder / "images/README.md").write_text("Where these come from.\n")
    assert "up to date" in clone.type("dvc", "status", "dvc.yaml")
