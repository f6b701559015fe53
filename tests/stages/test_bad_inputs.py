"""Damaged, wrong and missing input: one line that names it, exit code 1, and no output that looks whole."""

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
from pipeline.runtime.paths import RAW
from pipeline.tools.demo import PROJECT, change_params

TRAIN_IMAGES, TRAIN_LABELS = RAW_FILES["train"]
TEST_IMAGES, TEST_LABELS = RAW_FILES["test"]


def swap_labels_and_images(raw: Path) -> None:
    images, labels = (raw / TRAIN_IMAGES).read_bytes(), (raw / TRAIN_LABELS).read_bytes()
    (raw / TRAIN_IMAGES).write_bytes(labels)
    (raw / TRAIN_LABELS).write_bytes(images)


def drop_labels(raw: Path) -> None:
    (raw / TEST_LABELS).write_bytes(encode_idx(np.zeros(40, np.uint8)))


def make_unreadable(raw: Path) -> None:
    (raw / TRAIN_LABELS).unlink()
    (raw / TRAIN_LABELS).mkdir()  # even an administrator cannot read a folder as a file


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (swap_labels_and_images, DataError, rf"{TRAIN_IMAGES}: magic number is 00000801 \(labels\); expected 00000803"),
        (drop_labels, DataError, r"test labels: 40 of them, .* expected 50"),
        (make_unreadable, ArtifactError, rf"data/raw/{TRAIN_LABELS}: cannot be read \(Is a directory\)"),
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


def test_unwritable_target_is_named_and_nothing_is_half_written(workspace: Path) -> None:
    (workspace / "data").mkdir()
    (workspace / RAW).write_text("a file where a folder belongs")
    with pytest.raises(ArtifactError, match=r"data/raw/.*: cannot be written \(.*\); expected a writable file"):
        download.main([])
    assert (workspace / RAW).read_text() == "a file where a folder belongs"


def test_params_that_are_no_yaml_stop_a_stage_which_names_the_line(workspace: Path) -> None:
    (workspace / "params.yaml").write_bytes(b"models: [dense\n")
    with pytest.raises(ParamsError, match=r"^params\.yaml: is not YAML \(.*line") as raised:
        download.main([])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ("normalize", f"error: data/raw/{TRAIN_IMAGES}: cannot be read (No such file or directory); run `dvc repro`"),
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


def test_every_stage_says_on_help_what_it_reads_and_writes(capsys: pytest.CaptureFixture[str]) -> None:
    silent = []
    for stage in ("download", "normalize", "train", "evaluate", "report", "track"):
        module = importlib.import_module(f"pipeline.{stage}")
        with pytest.raises(SystemExit) as stopped:
            module.main(["--help"])
        said = capsys.readouterr().out
        if stopped.value.code or "->" not in said or not all(line in said for line in str(module.__doc__).splitlines()):
            silent.append(stage)
    assert silent == []
