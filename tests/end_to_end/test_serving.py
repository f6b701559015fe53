"""The champion behind a real server and a real HTTP client, and the same model over files."""

import json
import re
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import requests
from mlflow.tracking import MlflowClient
from PIL import Image

from fashion_mnist.sources.fashion_mnist import CLASS_NAMES
from fashion_mnist.sources.idx import decode_idx, encode_idx
from pipeline.bytes.formats import parse_csv
from pipeline.runtime.tables import PREDICTION_COLUMNS
from pipeline.store.connection import TrackingError, open_store
from pipeline.store.logged_model import load_registered
from pipeline.store.serving import MOST_BYTES, THREADS, digest_folder
from pipeline.tools.demo import PROJECT
from tests.end_to_end.conftest import (
    copy_workspace,
    environment_of,
    free_port,
    run_module,
    run_real_module,
    run_script,
    running,
)
from tests.end_to_end.front import documented, nginx

pytestmark = pytest.mark.slow

IMAGES = 100
CLIENTS = 20
MEBIBYTE = 1 << 20
HUGE = 100 * MEBIBYTE
JSON = {"Content-Type": "application/json"}
KINDS = ("idx", "idx.gz", "pngs")


def champion_of(folder: Path) -> str:
    client = MlflowClient(f"sqlite:///{folder / 'tracking/mlflow.db'}")
    return str(client.get_model_version_by_alias("fashion-mnist", "champion").tags["model"])


def expected(folder: Path) -> dict[str, np.ndarray]:
    content = (folder / f"reports/predictions/{champion_of(folder)}.csv").read_bytes()
    return {key: values[:IMAGES] for key, values in parse_csv(content, columns=PREDICTION_COLUMNS, name="it").items()}


def pixels(folder: Path) -> np.ndarray:
    content = (folder / "data/raw/t10k-images-idx3-ubyte.gz").read_bytes()
    return decode_idx(content, dimensions=3, name="images")[:IMAGES, ..., np.newaxis]


# What the server imports first: it notes how many objects each collection of the old generation walks, and the threads
# that are made for requests.
NOTES = """
import concurrent.futures as futures, gc
def note(phase, info):
    if (phase, info["generation"]) == ("start", 2):
        open(FOLDER + "/walked", "a").write(f"{len(gc.get_objects())}\\n")
gc.callbacks.append(note)
class Noted(futures.ThreadPoolExecutor):
    def __init__(self, *arguments, **options):
        open(FOLDER + "/threads", "a").write(f"{arguments} {options}\\n")
        super().__init__(*arguments, **options)
futures.ThreadPoolExecutor = Noted
"""


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what the server notes."""
    folder = tmp_path_factory.mktemp("notes")
    (folder / "sitecustomize.py").write_text(f"FOLDER = {str(folder)!r}\n{NOTES}")
    return folder


@pytest.fixture(scope="module")
def server(tracked: Path, notes: Path) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/fashion-mnist@champion"]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    environment = environment_of() | {
        "MLFLOW_TRACKING_URI": f"sqlite:///{tracked / 'tracking/mlflow.db'}",
        "PYTHONPATH": str(notes),
    }
    address = f"http://127.0.0.1:{port}"
    with running(command, folder=tracked.parent, ready=f"{address}/ping", environment=environment):
        yield address


def ask(server: str, images: Any) -> requests.Response:
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


# Every kind of wrong request is tested in tests/stages/test_requests.py; here is one for each kind of answer.
def test_pixels_scaled_to_1_are_the_clients_fault_and_not_cast_to_black(server: str) -> None:
    answer = ask(server, np.full((1, 28, 28, 1), 0.5).tolist())
    assert answer.status_code == 400
    assert "images are float64, 0.5 to 0.5" in answer.text
    assert "expected whole numbers from 0 to 255, uint8, of shape (n, 28, 28, 1)" in answer.text


@pytest.mark.parametrize(
    ("data", "headers", "status"),
    [
        pytest.param(b"[" * 100_000, JSON, 400, id="open brackets"),
        pytest.param(b'{"dataframe_split": {"data": [[0]]}}', JSON, 400, id="a table"),
        pytest.param(b"{}", {}, 415, id="no content type"),
        pytest.param(bytes(MOST_BYTES + 1), JSON, 413, id="beyond the limit"),
    ],
)
def test_no_request_is_answered_with_a_traceback(
    server: str, data: bytes, headers: dict[str, str], status: int
) -> None:
    answer = requests.post(f"{server}/invocations", data=data, headers=headers, timeout=60)
    assert answer.status_code == status
    assert set(answer.json()) == {"error_code", "message"}
    assert "expected " in answer.json()["message"]
    assert "Traceback" not in answer.text
    assert len(answer.text) < 400


@pytest.fixture(scope="module")
def front(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with nginx(tmp_path_factory.mktemp("front"), server) as address:
        yield address


def test_front_lets_through_what_the_model_takes_and_nothing_else(front: str) -> None:
    assert re.findall(r"client_max_body_size (\w+);", documented()) == [f"{MOST_BYTES // MEBIBYTE}m"]
    assert requests.get(f"{front}/ping", timeout=60).status_code == 200
    for path in ("", "docs", "openapi.json", "version", "invocations/more"):
        assert requests.get(f"{front}/{path}", timeout=60).status_code == 404
    assert requests.get(f"{front}/invocations", timeout=60).status_code == 403
    large = np.full((MOST_BYTES // (5 * 784) - 10, 28, 28, 1), 7).tolist()
    assert ask(front, large).status_code == 200


def test_twenty_clients_at_a_time_get_their_own_answers_and_refusals(front: str, tracked: Path) -> None:
    images = pixels(tracked)
    alone = ask(front, images.tolist()).json()["predictions"]["probabilities"]

    def client(number: int) -> list[list[float]]:
        answered = []
        for image in images[number::CLIENTS]:
            refused = ask(front, np.full((1, 28, 28, 1), 256 + number).tolist())
            assert refused.status_code == 400
            assert f"images are int64, {256 + number} to {256 + number};" in refused.text
            answered += ask(front, image[np.newaxis].tolist()).json()["predictions"]["probabilities"]
        return answered

    with ThreadPoolExecutor(CLIENTS) as pool:
        assert list(pool.map(client, range(CLIENTS))) == [alone[number::CLIENTS] for number in range(CLIENTS)]


def test_no_collection_walks_what_was_loaded_before_the_first_request(server: str, tracked: Path, notes: Path) -> None:
    image = pixels(tracked)[:1]
    assert ask(server, image.tolist()).status_code == 200
    earlier = (notes / "walked").read_text().split()
    for _ in range(5):  # read by json, which makes a list for each pixel
        assert ask(server, np.repeat(image, 100, axis=0).astype(float).tolist()).status_code == 400
    walked = [int(count) for count in (notes / "walked").read_text().split()[len(earlier) :]]
    assert walked, "no collection of the old generation; expected one at so many lists"
    assert max(walked) < max(map(int, earlier)) / 2


def test_server_takes_in_more_requests_at_once_than_asyncios_own_threads(
    server: str, tracked: Path, notes: Path
) -> None:
    assert ask(server, pixels(tracked)[:1].tolist()).status_code == 200
    made = (notes / "threads").read_text()
    assert f"({THREADS},)" in made
    assert "asyncio" not in made


def listener(server: str) -> psutil.Process:
    """Return the process that listens at an address."""
    port = int(server.rpartition(":")[2])
    listening = [c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.laddr.port == port]
    return psutil.Process(listening[0].pid)


@pytest.mark.parametrize(("way", "most"), [("front", 20), ("server", 320)])
def test_request_of_100_megabytes_does_not_take_the_model_down(
    server: str, tracked: Path, way: str, most: int, request: pytest.FixtureRequest
) -> None:
    """most: mebibytes by which the model may grow."""
    address, process = request.getfixturevalue(way), listener(server)
    before = process.memory_info().rss
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")  # the peak, from now on
    answer = requests.post(f"{address}/invocations", data=b"[" * HUGE, headers=JSON, timeout=120)
    assert answer.status_code == 413
    peak = int(re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())[0]) * 1024
    assert peak - before < most * MEBIBYTE, f"grew by {(peak - before) / MEBIBYTE:.0f} MiB"
    assert process.is_running()
    answer = ask(address, pixels(tracked)[:1].tolist())
    assert answer.json()["predictions"]["names"] == [CLASS_NAMES[expected(tracked)["prediction"][0]]]


def test_client_that_stalls_is_cut_off_while_others_are_answered(server: str, tmp_path: Path) -> None:
    with nginx(tmp_path, server, timeout="2s") as address:
        host, _, port = address.removeprefix("http://").partition(":")
        head = b"POST /invocations HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
        for sent in (head, head + b'Content-Length: 1000\r\n\r\n{"inputs": ['):
            started = time.monotonic()
            with socket.create_connection((host, int(port)), timeout=20) as client:
                client.sendall(sent)
                assert requests.get(f"{address}/ping", timeout=20).status_code == 200
                assert b" 200 " not in client.recv(1000)
                assert client.recv(1000) == b""
            assert time.monotonic() - started < 10


def test_model_that_does_not_answer_is_reported_in_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with nginx(tmp_path, f"http://127.0.0.1:{port}", timeout="1s") as address:
            assert ask(address, [[0]]).status_code == 504


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


# How a stranger may change the files of a registered model, and what the message then names.
CHANGES = {
    "network": ("artifacts/model.keras", "artifacts/model.keras"),
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


def test_champion_loads_in_python_as_the_page_says(tracked: Path) -> None:
    page = (PROJECT / "docs/serving.md").read_text()
    code = re.findall(r"## Load it in Python\n\n```python\n(.*?)```", page, re.DOTALL)[0]
    ask = (
        "import json, numpy as np\n"
        "from fashion_mnist.sources.idx import decode_idx\n"
        "content = open('data/raw/t10k-images-idx3-ubyte.gz', 'rb').read()\n"
        f"images = decode_idx(content, dimensions=3, name='images')[:{IMAGES}, ..., np.newaxis]\n"
        "print(json.dumps(model.predict(images)['names'].tolist()))\n"
    )
    done = run_script(code + ask, folder=tracked)
    assert done.returncode == 0, done.stderr
    wanted = [CLASS_NAMES[number] for number in expected(tracked)["prediction"]]
    assert json.loads(done.stdout.splitlines()[-1]) == wanted


@contextmanager
def changed(registered: Path, path: str, marker: Path) -> Iterator[None]:
    """Change a file of both registered models until the block ends; code among them would write the marker."""
    models = list((registered / "tracking/artifacts/models").iterdir())
    assert len(models) == 2
    added = {".py": f"\nopen({str(marker)!r}, 'w')\n", "": "# changed\n", ".keras": "x"}[Path(path).suffix]
    files = [model / "artifacts" / path for model in models]
    kept = [file.read_bytes() if file.exists() else None for file in files]
    for file, content in zip(files, kept, strict=True):
        file.write_bytes((content or b"") + added.encode())
    try:
        yield
    finally:
        for file, content in zip(files, kept, strict=True):
            file.write_bytes(content) if content is not None else file.unlink()
    assert not marker.exists(), "the stranger's code ran"


@pytest.mark.parametrize("change", CHANGES)
def test_model_that_was_changed_after_it_was_registered_is_refused_by_name(
    registered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    path, named = CHANGES[change]
    monkeypatch.chdir(registered)
    champion = "models:/fashion-mnist@champion"
    said = f"^{champion}: {named}: sha256 is .* changed after it was registered"
    with (
        changed(registered, path, tmp_path / "ran"),
        open_store("fashion-mnist") as store,
        pytest.raises(TrackingError, match=said),
        load_registered(store, champion),
    ):
        pass


def test_predict_refuses_a_changed_model_in_one_line_and_writes_nothing(registered: Path, tmp_path: Path) -> None:
    Image.new("L", (28, 28)).save(tmp_path / "black.png")
    output = tmp_path / "predictions.csv"
    with changed(registered, CHANGES["copy of the library"][0], tmp_path / "ran"):
        done = run_module("tools.predict", str(tmp_path), "--output", str(output), folder=registered)
    assert done.returncode == 1, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: models:/fashion-mnist@champion: code: sha256 is ")
    assert not output.exists()


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


def test_each_registered_model_runs_its_own_copy_of_the_library(registered: Path, tmp_path: Path) -> None:
    """Two of them in one process, beside the library of a checkout: here that of the project."""
    copies = [tmp_path / name for name in ("first", "second")]
    model = next((registered / "tracking/artifacts/models").glob("*/artifacts"))
    for copy, factor in zip(copies, (1, 255), strict=True):
        shutil.copytree(model, copy)
        scaling = copy / "code/fashion_mnist/data/dataset.py"
        scaling.write_text(scaling.read_text().replace("np.float32(255)", f"np.float32({factor})"))
        config = (copy / "MLmodel").read_text()
        (copy / "MLmodel").write_text(config.replace(digest_folder(model / "code"), digest_folder(copy / "code")))
    script = """if True:
        import json, sys
        import mlflow, numpy as np
        import pipeline
        from fashion_mnist.data import dataset
        images = np.random.default_rng(1).integers(0, 256, (3, 28, 28, 1), np.uint8)
        models = [mlflow.pyfunc.load_model(path) for path in sys.argv[1:]]
        print(json.dumps([model.predict(images)["probabilities"].tolist() for model in models]))
        print(dataset.__file__, __import__("fashion_mnist.sources.images").sources.images.__file__)
    """
    done = run_script(script, *map(str, copies), folder=registered)
    assert done.returncode == 0, done.stderr
    said, files = done.stdout.splitlines()
    first, second = json.loads(said)
    assert np.array(first).shape == np.array(second).shape == (3, 10)
    assert not np.allclose(first, second)
    modules = ("data/dataset", "sources/images")
    assert files.split() == [str(registered / f"src/fashion_mnist/{name}.py") for name in modules]
