"""README's recipe for a model, followed in a workspace: it alone trains, and everything else takes it in."""

import re
from pathlib import Path

import pytest

from pipeline.tools.demo import PROJECT
from tests.end_to_end.conftest import copy_workspace, run_dvc, stages_in

pytestmark = pytest.mark.slow


def recipe() -> tuple[str, str, str]:
    """Return the recipe's name of the file, the file, and the section under train."""
    text = (PROJECT / "README.md").read_text().partition("## Add a model")[2]
    (network,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (section,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    return network.splitlines()[0].removeprefix("# "), network, section


@pytest.fixture(scope="module")
def followed(tracked: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A workspace in which the recipe was followed, and what DVC said."""
    folder = tmp_path_factory.mktemp("recipe") / "clone"
    copy_workspace(tracked, folder)
    name, network, section = recipe()
    (folder / name).write_text(network)
    params = folder / "params.yaml"
    text = params.read_text()
    section = section.replace("epochs: 5", "epochs: 1")
    params.write_text(re.sub(r"^train:.*\n", lambda found: found[0] + section, text, flags=re.MULTILINE))
    done = run_dvc("repro", workspace=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def test_the_new_model_alone_is_trained(followed: tuple[Path, str]) -> None:
    assert stages_in(followed[1]) == ["train@mlp2", "evaluate", "report", "track"]


def test_the_new_model_is_scored_compared_and_reported(followed: tuple[Path, str]) -> None:
    folder, _ = followed
    assert (folder / "models/mlp2/model.keras").is_file()
    assert (folder / "reports/metrics/mlp2.json").is_file()
    page = (folder / "reports/report.md").read_text()
    assert re.search(r"^\|  ?\|.* mlp2 ", page, re.MULTILINE)
    assert (folder / "reports/figures/confusion_mlp2.svg").is_file()
