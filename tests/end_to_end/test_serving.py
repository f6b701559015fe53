"""The champion behind a real server and a real HTTP client, and the same model over files."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image

from fashion_mnist.dataset import CLASS_NAMES
from fashion_mnist.idx import decode_idx, encode_idx
from pipeline.files import PREDICTIONS, parse_csv
from pipeline.tracking import MlflowClient
from tests.end_to_end.conftest import free_port, run_module, running, surroundings

IMAGES = 100


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
    environment = surroundings(tracked) | {"MLFLOW_TRACKING_URI": f"sqlite:///{tracked / 'tracking/mlflow.db'}"}
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


@pytest.mark.parametrize("kind", ["idx", "idx.gz", "pngs"])
def test_files_get_the_same_predictions(tracked: Path, tmp_path: Path, kind: str) -> None:
    images, path = pixels(tracked)[..., 0], tmp_path / kind
    if kind == "pngs":
        path.mkdir()
        for number, image in enumerate(images):
            Image.fromarray(image).save(path / f"{number:03}.png")
    else:
        header = bytes([0, 0, 8, 3]) + np.array(images.shape, ">u4").tobytes()
        path.write_bytes(encode_idx(images) if kind == "idx.gz" else header + images.tobytes())
    done = run_module("predict", str(path), "--output", str(tmp_path / "predictions.csv"), folder=tracked)
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "predictions.csv").read_text().splitlines()
    assert lines[0] == "image,prediction,name,confidence"
    assert [int(line.split(",")[1]) for line in lines[1:]] == expected(tracked)["prediction"].tolist()


def test_picture_of_another_size_is_named(tracked: Path, tmp_path: Path) -> None:
    Image.new("L", (30, 28)).save(tmp_path / "wide.png")
    done = run_module("predict", str(tmp_path), "--output", str(tmp_path / "predictions.csv"), folder=tracked)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("wide.png: 30x28 pixels; expected 28x28. Scale it first")
