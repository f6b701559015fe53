"""Damaged, wrong and missing input: one line that names it, exit code 1, and no output that looks whole."""

import gzip
import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fashion_mnist.errors import ArtifactError, DataError, ParamsError
from fashion_mnist.sources.fashion_mnist import RAW_FILES
from fashion_mnist.sources.idx import encode_idx
from pipeline import download, normalize
from pipeline.bytes.formats import read_arrays
from pipeline.runtime.paths import RAW
from pipeline.tools.demo import PROJECT, change_params

TRAIN_IMAGES, TRAIN_LABELS = RAW_FILES["train"]
TEST_IMAGES, TEST_LABELS = RAW_FILES["test"]


def truncate(raw: Path) -> None:
    path = raw / TRAIN_IMAGES
    path.write_bytes(path.read_bytes()[:-100])


def flip_a_byte(raw: Path) -> None:
    path = raw / TEST_IMAGES
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def swap_labels_and_images(raw: Path) -> None:
    images, labels = (raw / TRAIN_IMAGES).read_bytes(), (raw / TRAIN_LABELS).read_bytes()
    (raw / TRAIN_IMAGES).write_bytes(labels)
    (raw / TRAIN_LABELS).write_bytes(images)


def drop_images(raw: Path) -> None:
    (raw / TEST_IMAGES).write_bytes(encode_idx(np.zeros((40, 28, 28), np.uint8)))


def drop_labels(raw: Path) -> None:
    (raw / TEST_LABELS).write_bytes(encode_idx(np.zeros(40, np.uint8)))


def raise_a_label(raw: Path) -> None:
    (raw / TEST_LABELS).write_bytes(encode_idx(np.full(50, 11, np.uint8)))


def unbalance_labels(raw: Path) -> None:
    (raw / TEST_LABELS).write_bytes(encode_idx(np.zeros(50, np.uint8)))


def remove(raw: Path) -> None:
    (raw / TRAIN_LABELS).unlink()


def make_unreadable(raw: Path) -> None:
    (raw / TRAIN_LABELS).unlink()
    (raw / TRAIN_LABELS).mkdir()  # even an administrator cannot read a folder as a file


def plain_text(raw: Path) -> None:
    (raw / TRAIN_LABELS).write_bytes(gzip.compress(b"<html>moved</html>"))


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (truncate, DataError, rf"{TRAIN_IMAGES}: gzip is damaged .* expected a whole file\. Delete it"),
        (flip_a_byte, DataError, rf"{TEST_IMAGES}: gzip is damaged"),
        (swap_labels_and_images, DataError, rf"{TRAIN_IMAGES}: magic number is 00000801 \(labels\); expected 00000803"),
        (drop_images, DataError, r"test images: shape is \(40, 28, 28, 1\); expected \(50, 28, 28, 1\)"),
        (drop_labels, DataError, r"test labels: 40 of them, .* expected 50"),
        (
            raise_a_label,
            DataError,
            r"test labels: 50 of them, \[(0, ){11}50\] of each class; expected 50, 5 of each of 10",
        ),
        (unbalance_labels, DataError, r"test labels: 50 of them, \[50, 0, .* expected 50, 5 of each"),
        (remove, ArtifactError, rf"data/raw/{TRAIN_LABELS}: cannot be read \(No such file .*run `dvc repro`"),
        (make_unreadable, ArtifactError, rf"data/raw/{TRAIN_LABELS}: cannot be read \(Is a directory\)"),
        (plain_text, DataError, rf"{TRAIN_LABELS}: magic number is 3c68746d; expected 00000801 \(labels\)"),
    ],
)
def test_normalize_refuses(
    workspace: Path, damage: Callable[[Path], None], error: type[Exception], message: str
) -> None:
    download.main([])
    damage(workspace / RAW)
    with pytest.raises(error, match=message) as raised:
        normalize.main([])
    assert "\n" not in str(raised.value)
    assert not (workspace / "data/normalized").exists()
    assert not (workspace / "reports/data.json").exists()


def test_normalize_names_mnist_digits(workspace: Path) -> None:
    counts = (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)
    change_params(
        workspace / "params.yaml", {"download.synthetic.test_images": 10_000, "normalize.validation_images": 40}
    )
    download.main([])
    (workspace / RAW / TEST_LABELS).write_bytes(encode_idx(np.repeat(np.arange(10, dtype=np.uint8), counts)))
    with pytest.raises(DataError, match="test labels: these are MNIST digits; expected Fashion-MNIST"):
        normalize.main([])


def test_normalize_takes_only_fashion_mnist_for_fashion_mnist(workspace: Path) -> None:
    changes = {"download.synthetic.train_images": 60_000, "download.synthetic.test_images": 10_000}
    change_params(workspace / "params.yaml", {"download.dataset": "fashion_mnist"})
    for split, images in zip(RAW_FILES.values(), changes.values(), strict=True):
        labels = (np.arange(images) % 10).astype(np.uint8)
        (workspace / RAW).mkdir(parents=True, exist_ok=True)
        (workspace / RAW / split[0]).write_bytes(encode_idx(np.zeros((images, 28, 28), np.uint8)))
        (workspace / RAW / split[1]).write_bytes(encode_idx(labels))
    with pytest.raises(DataError, match=r"train images: sha256 of the values is .* this is not Fashion-MNIST"):
        normalize.main([])


@pytest.mark.parametrize("content", [b"", b"no arrays", b"PK\x03\x04 cut short"])
def test_damaged_arrays_are_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "arrays.npz").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"arrays\.npz: cannot be read \(.+\); run `dvc repro`") as raised:
        read_arrays(tmp_path / "arrays.npz")
    assert "\n" not in str(raised.value)


def test_unwritable_target_is_named_and_nothing_is_half_written(workspace: Path) -> None:
    (workspace / "data").mkdir()
    (workspace / RAW).write_text("a file where a folder belongs")
    with pytest.raises(ArtifactError, match=r"data/raw/.*: cannot be written \(.*\); expected a writable file"):
        download.main([])
    assert (workspace / RAW).read_text() == "a file where a folder belongs"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"models: [dense\n", r"params\.yaml: is not YAML \(.*line"),
        (b"train: {}\n", r"params\.yaml: download is missing"),
        (b"", r"params\.yaml: is empty; expected the sections download"),
        (b"# nothing yet\n", r"params\.yaml: is empty"),
    ],
)
def test_broken_params_are_refused_in_one_line(workspace: Path, content: bytes, message: str) -> None:
    (workspace / "params.yaml").write_bytes(content)
    with pytest.raises(ParamsError, match=message) as raised:
        download.main([])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ("normalize", f"error: data/raw/{TRAIN_IMAGES}: cannot be read (No such file or directory); run `dvc repro`"),
        ("report", "error: reports/predictions/dense.csv: cannot be read (No such file or directory); run `dvc repro`"),
        ("train mlp", "error: params.yaml: train.mlp is missing; expected one of dense, cnn"),
    ],
)
def test_a_mistake_is_one_line_on_stderr_and_exit_code_1(workspace: Path, stage: str, message: str) -> None:
    module, *argv = stage.split()
    command = [sys.executable, "-m", f"pipeline.{module}", *argv]
    environment = {"PYTHONPATH": f"{PROJECT}:{PROJECT / 'src'}", "PATH": ""}
    done = subprocess.run(command, cwd=workspace, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1


@pytest.mark.usefixtures("tensorflow_runtime")
@pytest.mark.parametrize("stage", ["download", "normalize", "train", "evaluate", "report", "track"])
def test_every_stage_says_on_help_what_it_reads_and_writes(stage: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(f"pipeline.{stage}")
    with pytest.raises(SystemExit) as stopped:
        module.main(["--help"])
    assert stopped.value.code == 0
    said = capsys.readouterr().out
    assert "->" in said
    assert all(line in said for line in str(module.__doc__).splitlines())
