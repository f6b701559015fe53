"""What an edit reruns: the table in docs/pipeline.md, held against what DVC says after each edit."""

import json
import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from pipeline.tools.demo import PROJECT, change_params
from tests.end_to_end.conftest import copy_workspace, environment_of_dvc, run_dvc
from tests.processes import run_python

pytestmark = pytest.mark.slow

FOLDERS = ("pipeline", "src", "requirements")
# Edits one of the files that lie in the same dependencies, asks DVC which stages have a dependency that changed, and
# takes the edit back.
ASK = """
import json, sys
from pathlib import Path
from dvc.repo import Repo
repo, answers = Repo(), {}
assert repo.status(targets=["dvc.yaml"]) == {}
stages = [stage for stage in repo.index.stages if stage.path_in_repo == "dvc.yaml"]  # not the study
# Nothing changed, so stages with the same dependency have the same hash of it: one of them speaks for all.
deps = {dep.fs_path: dep for stage in stages for dep in stage.deps if hasattr(dep, "fs_path")}.values()
alike = {}
for name in json.loads(sys.argv[1]):
    path = Path(name).resolve()
    alike.setdefault(tuple(dep.fs_path for dep in deps if path.is_relative_to(dep.fs_path)), []).append(name)
for name, *others in alike.values():
    path = Path(name).resolve()
    before = path.read_bytes()
    path.write_bytes(before + b"\\n# edited\\n")
    changed = {dep.fs_path: bool(dep.status()) for dep in deps if path.is_relative_to(dep.fs_path)}
    answers[name] = [
        stage.addressing for stage in stages if any(changed.get(getattr(dep, "fs_path", None)) for dep in stage.deps)
    ]
    path.write_bytes(before)
    answers |= dict.fromkeys(others, answers[name])
print(json.dumps(answers))
"""


def table(heading: str) -> dict[str, set[str]]:
    """Read a table of the page: by what is edited, the stages."""
    page = (PROJECT / "docs/pipeline.md").read_text()
    (rows,) = re.findall(rf"^\| {heading} \|.*\n\| ---.*\n((?:\|.*\n)+)", page, re.MULTILINE)
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows.splitlines()]
    return {
        pattern: set(stages.split(", ")) - {"nothing"}
        for edited, stages in cells
        for pattern in re.findall(r"`([^`]+)`", edited)
    }


def stages(names: list[str]) -> set[str]:
    """Name the training of every model `train`, as the table does."""
    found = set(names)
    trainings = {"train@dense", "train@cnn"}
    return (found - trainings) | {"train"} if trainings <= found else found


@pytest.fixture(scope="module")
def workspace(tracked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_workspace(tracked, tmp_path_factory.mktemp("edits") / "clone", store=True)


@pytest.fixture(scope="module")
def answers(workspace: Path) -> dict[str, set[str]]:
    """The stages that DVC would run after an edit of each file, as it says of one among those in the same folders."""
    files = [
        path.relative_to(workspace).as_posix()
        for folder in FOLDERS
        for path in sorted((workspace / folder).rglob("*.*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
    done = run_python("-c", ASK, json.dumps(files), folder=workspace, environment=environment_of_dvc(workspace))
    assert done.returncode == 0, done.stderr
    return {name: stages(found) for name, found in json.loads(done.stdout).items()}


def test_each_file_reruns_what_the_table_says(answers: dict[str, set[str]]) -> None:
    rows = table("edited file")
    for name, found in answers.items():
        fitting = [pattern for pattern in rows if fnmatch(name, pattern)]
        assert fitting, f"no row of the table is about {name}"
        assert found == rows[fitting[0]], name


def test_each_row_is_about_a_file(answers: dict[str, set[str]]) -> None:
    assert [row for row in table("edited file") if not any(fnmatch(name, row) for name in answers)] == []


VALUES = {
    "train.dense.epochs": 3,
    "recipes.cnn_one_cycle.epochs": 4,
    "download.name": "Other images",
    "normalize.seed": 21,
    "evaluate.confidence": 0.9,
    "report.language": "ru",
    "gate.margin": 0.02,
    "study.sweep.dense.seeds": 4,
}


@pytest.mark.parametrize("key", VALUES)
def test_each_parameter_reruns_what_the_table_says(workspace: Path, key: str) -> None:
    params = workspace / "params.yaml"
    before = params.read_bytes()
    change_params(params, {key: VALUES[key]})
    try:
        done = run_dvc("status", "--json", "dvc.yaml", workspace=workspace)
    finally:
        params.write_bytes(before)
    assert done.returncode == 0, done.stderr
    assert stages(list(json.loads(done.stdout))) == table("edited parameter")[key]


def test_table_of_parameters_is_tested_whole() -> None:
    assert set(table("edited parameter")) == set(VALUES)
