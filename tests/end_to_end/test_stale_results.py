"""Results that are not those of the present parameters, code and data are not judged: with data here, and without."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.tools.demo import PROJECT, change_params
from tests.end_to_end.conftest import copy_workspace, run_dvc, run_module

pytestmark = pytest.mark.slow

Edit = Callable[[Path], None]
PASSES, CANNOT_JUDGE = 0, 2


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=tester", "-c", "user.email=tester@example.org"]
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def committed(tracked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with data, models and cache, whose results were committed before the last commit."""
    folder = copy_workspace(tracked, tmp_path_factory.mktemp("stale") / "clone")
    for name in (".gitignore", ".dvc/config", ".dvcignore"):
        shutil.copy(PROJECT / name, folder / name)
    (folder / ".dvc/.gitignore").write_text((PROJECT / ".dvc/.gitignore").read_text() + "/site-cache\n")
    # Of so few images, no floor can be shown.
    change_params(folder / "params.yaml", {"gate.floors": {}, "gate.margin": 0.5})
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", "--all")
    for message in ("results", "something else"):
        git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return folder


@pytest.fixture(scope="module")
def bare(committed: Path) -> Path:
    """A clone of that clone as CI has it: what git keeps, and nothing else."""
    folder = committed.with_name("bare")
    git(committed.parent, "clone", "--quiet", committed.as_uri(), "bare")
    assert not (folder / "data").exists()
    assert not (folder / "models").exists()
    return folder


@pytest.fixture(params=["committed", "bare"])
def folder(request: pytest.FixtureRequest) -> Path:
    """Each of the two, as committed."""
    return restored(request.getfixturevalue(request.param))


def restored(folder: Path) -> Path:
    """Take every edit back."""
    git(folder, "checkout", "--quiet", "--force", "main")
    git(folder, "clean", "--quiet", "--force", "-d")
    return folder


def gate(folder: Path, *options: str) -> tuple[int, str]:
    done = run_module("gate", *options, folder=folder)
    return done.returncode, done.stdout + done.stderr


def replace(path: str, old: str, new: str) -> Edit:
    def edit(folder: Path) -> None:
        text = (folder / path).read_text()
        assert old in text
        (folder / path).write_text(text.replace(old, new))

    return edit


def append(path: str, text: str = "\n# edited\n") -> Edit:
    def edit(folder: Path) -> None:
        with (folder / path).open("a") as file:
            file.write(text)

    return edit


def parameter(key: str, value: object) -> Edit:
    return lambda folder: change_params(folder / "params.yaml", {key: value})


def trained_alone(folder: Path) -> None:
    """Change dvc.lock as `dvc repro train@cnn` does, without evaluate."""
    path = folder / "dvc.lock"
    lock = YAML(typ="safe").load(path)
    lock["stages"]["train@cnn"]["outs"][0]["md5"] = "0" * 32
    YAML().dump(lock, path)


def normalized_alone(folder: Path) -> None:
    """Change dvc.lock as `dvc repro normalize` does, without the trainings."""
    path = folder / "dvc.lock"
    lock = YAML(typ="safe").load(path)
    outs = lock["stages"]["normalize"]["outs"]
    next(out for out in outs if out["path"] == "data/normalized/train")["md5"] = "0" * 32 + ".dir"
    YAML().dump(lock, path)


def third_model(folder: Path) -> None:
    """Name a model that nobody has trained."""
    trained = YAML(typ="safe").load(folder / "params.yaml")["train"]["dense"]
    change_params(folder / "params.yaml", {"train.third": trained})


STALE: dict[str, tuple[Edit, str]] = {
    "a learning rate": (parameter("train.cnn.learning_rate", 0.5), "train@cnn has run with train.cnn.learning_rate "),
    "a network": (append("src/fashion_mnist/networks/dense.py"), "train@dense has run with another src/fashion_mnist/"),
    "the cut": (parameter("normalize.seed", 7), "normalize has run with normalize.seed "),
    "the locked packages": (append("requirements/compute.txt"), "normalize has run with another requirements/"),
    "how it is scored": (parameter("evaluate.confidence", 0.9), "evaluate has run with evaluate.confidence "),
    "code that is gone": (lambda folder: (folder / "pipeline/normalize.py").unlink(), "normalize has run with another"),
    "a command": (
        replace("dvc.yaml", "pipeline.evaluate", "pipeline.evaluate -X"),
        "evaluate has run with another command",
    ),
    "a dependency": (
        replace("dvc.yaml", "      - pipeline/evaluate.py", "      - pipeline/evaluate.py\n      - .dvcignore"),
        "evaluate has run with another .dvcignore",
    ),
    "a model in addition": (third_model, "train@third has not run"),
    "predictions": (
        replace("reports/predictions/cnn.csv", ",0.", ",0.0"),
        "evaluate wrote another reports/predictions",
    ),
    "the description of the data": (
        replace("reports/data.json", '"pixel_mean": 0', '"pixel_mean": 1'),
        "normalize wrote",
    ),
    "a training without its evaluation": (trained_alone, "evaluate has run with another models than dvc.lock"),
    "a cut without the trainings": (normalized_alone, "train@dense has run with another data/normalized/train than"),
}


@pytest.mark.parametrize("edited", STALE)
def test_what_was_edited_since_the_run_is_named(bare: Path, edited: str) -> None:
    edit, named = STALE[edited]
    edit(restored(bare))
    git(bare, "checkout", "--quiet", "--detach")
    git(bare, "commit", "--quiet", "--all", "--message", edited)
    code, said = gate(bare)
    assert code == CANNOT_JUDGE, said
    assert named in said
    assert "dvc repro" in said
    assert len(said.splitlines()) == 1


def test_what_no_result_depends_on_is_judged(folder: Path) -> None:
    for edit in (
        append("src/fashion_mnist/report/templates/report.md.jinja"),
        append("src/fashion_mnist/report/page.py"),
        append("pipeline/store/runs.py"),
        append("reports/report.md", "edited by hand"),
        parameter("gate.margin", 0.4),
        parameter("study.sweep.dense.seeds", 4),
        parameter("report.language", "ru"),
    ):
        edit(folder)
    code, said = gate(folder)
    assert code == PASSES, said


def test_model_and_data_edited_by_hand_are_named(committed: Path) -> None:
    restored(committed)
    for name, named in (
        ("models/cnn/model.keras", "train@cnn wrote another models/cnn/model.keras"),
        ("data/normalized/test/labels.npy", "normalize wrote another data/normalized/test"),
    ):
        path = committed / name
        kept = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(kept + b" ")
        code, said = gate(committed)
        path.write_bytes(kept)
        assert code == CANNOT_JUDGE, said
        assert named in said


def test_dvcs_own_reason_is_told(bare: Path) -> None:
    replace("dvc.yaml", "    cmd: python -m pipeline.report\n", "")(restored(bare))
    code, said = gate(bare)
    assert code == CANNOT_JUDGE
    assert "DVC does not say whether the results are current" in said
    assert "dvc.yaml" in said


def test_run_without_a_commit_is_judged_against_the_last_one(committed: Path) -> None:
    change_params(restored(committed) / "params.yaml", {"evaluate.confidence": 0.9})
    done = run_dvc("repro", "evaluate", workspace=committed)
    assert done.returncode == 0, done.stderr
    code, said = gate(committed)
    restored(committed)
    assert code == PASSES, said
    assert "the last commit" in said
