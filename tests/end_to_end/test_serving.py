"""The champion behind a real server and a real HTTP client, and the same model over files."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image

from fashion_mnist.data.fashion_mnist import CLASS_NAMES
from fashion_mnist.data.idx import decode_idx, encode_idx
from pipeline.runtime.formats import parse_csv
from pipeline.runtime.tables import PREDICTIONS
from pipeline.store.connection import MlflowClient
from tests.end_to_end.conftest import (
    copy_workspace,
    environment_of,
    free_port,
    run_module,
    run_real_module,
    run_script,
    running,
)

IMAGES = 100
KINDS = ("idx", "idx.gz", "pngs")


def champion_of(folder: Path) -> str:
    client = MlflowClient(f"sqlite:///{folder / 'tracking/mlflow.db'}")
    return str(client.get_model_version_by_alias("fashion-mnist", "champion").tags["model"])


def expected(folder: Path) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    content = (folder / f"reports/predictions/{champion_of(folder)}.csv").read_bytes()
    return {key: values[:IMAGES] for key, values in parse_csv(content, columns=PREDICTIONS, name="it").items()}


def pixels(folder: Path) -> np.ndarray:  # type: ignore[type-arg]
    content = (folder / "data/raw/t10k-images-idx3-ubyte.gz").read_bytes()
    return decode_idx(content, dimensions=3, name="images")[:IMAGES, ..., np.newaxis]


@pytest.fixture(scope="module")
def server(tracked: Path) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/fashion-mnist@champion"]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    environment = environment_of(tracked) | {"MLFLOW_TRACKING_URI": f"sqlite:///{tracked / 'tracking/mlflow.db'}"}
    address = f"http://127.0.0.1:{port}"
    with running(command, folder=tracked.parent, ready=f"{address}/ping", environment=environment):
        yield address


def ask(server: str, images: object) -> requests.Response:
    return requests.post(f"{server}/invocations", json={"inputs": images}, timeout=60)


def test_server_answers_with_the_pipelines_own_predictions(server: str, tracked: Path) -> None:
    answer = ask(server, pixels(tracked).tolist())
    assert answer.status_code == 200, answer.text
    found, wanted = answer.json()["predictions"], expected(tracked)
    probabilities = np.array(found["probabilities"])
    assert probabilities.shape == (IMAGES, 10)
    assert np.array_equal(probabilities.argmax(axis=1), wanted["prediction"])
    assert np.allclose(probabilities.max(axis=1), wanted["confidence"], atol=2e-6)
    assert found["names"] == [CLASS_NAMES[number] for number in wanted["prediction"]]


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (np.zeros((1, 28, 27, 1), int).tolist(), "images have shape (1, 28, 27, 1)"),
        (np.zeros((1, 28, 28), int).tolist(), "images have shape (1, 28, 28)"),
        (np.full((1, 28, 28, 1), 0.5).tolist(), "images are float64, 0.5 to 0.5"),
        (np.full((1, 28, 28, 1), 256).tolist(), "images are int64, 256 to 256"),
        (np.full((1, 28, 28, 1), "shoe").tolist(), "images are <U4, no numbers"),
    ],
)
def test_wrong_shape_or_dtype_is_the_clients_fault_and_says_what_was_expected(
    server: str, images: object, said: str
) -> None:
    answer = ask(server, images)
    assert 400 <= answer.status_code < 500
    assert said in answer.text
    assert "expected whole numbers from 0 to 255, uint8, of shape (n, 28, 28, 1)" in answer.text


@pytest.fixture(scope="module")
def predicted(tracked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same images in every kind of file, and beside each what `predict` says of it."""
    folder, images = tmp_path_factory.mktemp("predicted"), pixels(tracked)[..., 0]
    (folder / "pngs").mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / "pngs" / f"{number:03}.png")
    (folder / "idx").write_bytes(bytes([0, 0, 8, 3]) + np.array(images.shape, ">u4").tobytes() + images.tobytes())
    (folder / "idx.gz").write_bytes(encode_idx(images))
    script = (
        "import sys\n"
        "from pipeline.tools.predict import main\n"
        "for path in sys.argv[1:]: main([path, '--output', f'{path}.csv'])\n"
    )
    done = run_script(script, *(str(folder / kind) for kind in KINDS), folder=tracked)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_files_get_the_same_predictions(tracked: Path, predicted: Path, kind: str) -> None:
    lines = (predicted / f"{kind}.csv").read_text().splitlines()
    assert lines[0] == "image,prediction,name,confidence"
    assert [int(line.split(",")[1]) for line in lines[1:]] == expected(tracked)["prediction"].tolist()


def test_picture_of_another_size_is_named(tracked: Path, tmp_path: Path) -> None:
    Image.new("L", (30, 28)).save(tmp_path / "wide.png")
    output = str(tmp_path / "predictions.csv")
    done = run_real_module("tools.predict", str(tmp_path), "--output", output, folder=tracked)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("wide.png: 30x28 pixels; expected 28x28. Scale it first")


def predict_line(clone: Path, folder: Path) -> str:
    """Return the one line in which `predict` refuses a model; it writes nothing."""
    Image.new("L", (28, 28)).save(folder / "black.png")
    done = run_module("tools.predict", str(folder), "--output", str(folder / "predictions.csv"), folder=clone)
    assert done.returncode == 1, done.stdout + done.stderr
    assert not (folder / "predictions.csv").exists()
    (line,) = done.stderr.splitlines()
    return line


# How a stranger may change the files of a registered model, and what the message then names.
CHANGES = {
    "network": ("model.keras", "artifacts/model.keras"),
    "copy of the library": ("code/fashion_mnist/data/dataset.py", "code"),
    "module beside it": ("code/numpy.py", "code"),
    "served code": ("serving.py", "serving.py"),
    "description": ("MLmodel", "MLmodel"),
}


@pytest.fixture(scope="module")
def registered(tracked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a store of its own."""
    workspace = copy_workspace(tracked, tmp_path_factory.mktemp("registered") / "clone")
    assert run_module("track", folder=workspace).returncode == 0
    return workspace


@pytest.mark.parametrize("change", CHANGES)
def test_model_that_was_changed_after_it_was_registered_is_refused_by_name(
    registered: Path, tmp_path: Path, change: str
) -> None:
    path, named = CHANGES[change]
    marker = tmp_path / "ran"
    added = b"x" if path.endswith(".keras") else f"\nopen({str(marker)!r}, 'w')\n".encode()
    models = list((registered / "tracking/artifacts/models").iterdir())
    assert len(models) == 2
    files = [model / "artifacts" / ("artifacts" if path.endswith(".keras") else "") / path for model in models]
    kept = [file.read_bytes() if file.exists() else None for file in files]
    for file, content in zip(files, kept, strict=True):
        file.write_bytes((content or b"") + (b"# changed\n" if path == "MLmodel" else added))
    try:
        line = predict_line(registered, tmp_path)
    finally:
        for file, content in zip(files, kept, strict=True):
            file.write_bytes(content) if content is not None else file.unlink()
    assert line.startswith(f"error: models:/fashion-mnist@champion: {named}: sha256 is ")
    assert "changed after it was registered" in line
    assert not marker.exists(), "the stranger's code ran"


def test_served_model_with_changed_code_does_not_load(registered: Path, tmp_path: Path) -> None:
    """As `mlflow models serve` loads it, which knows nothing of this project."""
    for code in (registered / "tracking/artifacts/models").glob("*/artifacts/code/fashion_mnist/data/dataset.py"):
        shutil.copytree(code.parents[3], tmp_path / "model", dirs_exist_ok=True)
    with (tmp_path / "model/code/fashion_mnist/data/dataset.py").open("a") as file:
        file.write(f"\nopen({str(tmp_path / 'ran')!r}, 'w')\n")
    script = "import mlflow; mlflow.pyfunc.load_model('model')"
    done = run_script(script, folder=tmp_path)
    assert done.returncode == 1
    assert "code: sha256 is " in done.stderr
    assert not (tmp_path / "ran").exists(), "the stranger's code ran"
