"""docs/networks.md's network of keras.applications, and the residual one, on pictures of 96x96 in colour."""

import json
import re
from pathlib import Path

import keras
import numpy as np
import pytest
from ruamel.yaml import YAML

from fashion_mnist.training.archive import from_archive
from pipeline.tools.demo import PROJECT, make_workspace
from tests.end_to_end.conftest import run_dvc
from tests.end_to_end.own_images import draw_shape, save

pytestmark = pytest.mark.slow

SIDE = 96
RESIDUAL = {
    "network": "residual",
    "filters": [4, 8, 8],
    "blocks": [1, 1],
    "shift": 4,
    "mirror": True,
    "epochs": 1,
    "shares": 2,
}


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which the page was followed, with weights that were drawn with a seed."""
    folder = tmp_path_factory.mktemp("applications") / "clone"
    make_workspace(folder, {}, params=PROJECT / "tests/params.yaml")
    rng = np.random.default_rng(0)
    for kind in ("bar", "round disc"):
        for split, count in (("train", 30), ("val", 6), ("test", 12)):
            for number in range(count):
                save(draw_shape(kind, rng), folder / f"images/{split}/{kind}/{number}.png")
    text = (PROJECT / "docs/networks.md").read_text()
    (network,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (folder / network.splitlines()[0].removeprefix("# ")).write_text(network)
    (section,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    chosen = YAML(typ="safe").load(section)["mobilenet"] | {"epochs": 1}
    (folder / "weights").mkdir()
    keras.utils.set_random_seed(5)
    weights = keras.applications.MobileNetV2(
        input_shape=(SIDE, SIDE, 3), alpha=chosen["alpha"], include_top=False, weights=None, pooling="avg"
    )
    weights.save_weights(folder / chosen["weights"])
    params = YAML(typ="safe").load(folder / "params.yaml")
    params["download"] |= {"dataset": "folder", "name": "Pictures"}
    params["normalize"] |= {"validation_images": None, "size": [SIDE, SIDE]}
    params["train"] = {"mobilenet": chosen, "residual": RESIDUAL}
    params["report"] |= {"baseline": "residual", "candidate": "mobilenet", "article": {}}
    params["gate"]["floors"] = {}
    params["study"] = {"replicates": {}, "sweep": {}}
    YAML().dump(params, folder / "params.yaml")
    done = run_dvc("repro", workspace=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_weights_come_from_the_file_and_stay_where_they_are_frozen(followed: Path) -> None:
    trained = from_archive((followed / "models/mobilenet/model.keras").read_bytes(), name="mobilenet")
    given = keras.applications.MobileNetV2(
        input_shape=(SIDE, SIDE, 3), alpha=0.35, include_top=False, weights=None, pooling="avg"
    )
    given.load_weights(followed / "weights/mobilenet_1.weights.h5")
    base = trained.get_layer("base")
    kept = zip(base.weights, given.weights, strict=True)
    assert all(np.array_equal(here, there) for here, there in kept)


def test_both_are_scored_and_shown(followed: Path) -> None:
    for model in ("mobilenet", "residual"):
        scores = json.loads((followed / f"reports/metrics/{model}.json").read_text())
        assert scores["multiply_adds"] > 1_000_000
        assert 0 <= scores["accuracy"] <= 1
    page = (followed / "reports/report.md").read_text()
    assert "residual" in page
    assert "mobilenet" in page


def test_folder_val_is_validation(followed: Path) -> None:
    data = json.loads((followed / "reports/data.json").read_text())
    assert [data[split]["images"] for split in ("train", "validation", "test")] == [60, 12, 24]
