"""Folders of images through download and normalize: what is read, and what is refused in one line, with real files."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fashion_mnist.errors import PipelineError
from pipeline import download, normalize
from pipeline.tools import check
from pipeline.tools.demo import PROJECT, change_params
from pipeline.tools.predict import read_picture

RNG = np.random.default_rng(0)
OWN = {"download.dataset": "folder", "download.name": "Own", "normalize.validation_images": 8}


@pytest.fixture
def images(workspace: Path) -> Path:
    """A folder of two classes in train and test, of 10x8 pixels in grey, that both stages take."""
    change_params(workspace / "params.yaml", OWN)
    for split, count in {"train": 12, "test": 4}.items():
        for name in ("cat", "dog"):
            for number in range(count):
                draw(workspace / f"images/{split}/{name}/{number}.png")
    return workspace / "images"


def draw(path: Path, *shape: int, **options: Any) -> None:
    """Write an image of noise, of 10x8 pixels unless a shape is given: height, width and channels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 256, shape or (10, 8), dtype=np.uint8)).save(path, **options)


def read() -> dict[str, Any]:
    """Run both stages and return what they say of the data."""
    download.main([])
    normalize.main([])
    data: dict[str, Any] = json.loads(Path("reports/data.json").read_text())
    return data


def test_folder_becomes_arrays_and_their_description(images: Path) -> None:
    data = read()
    assert (data["dataset"], data["name"], data["classes"]) == ("folder", "Own", ["cat", "dog"])
    assert data["image_shape"] == [10, 8, 1]
    assert [data[split]["images"] for split in ("train", "validation", "test")] == [16, 8, 8]
    assert data["validation"]["class_counts"] == [4, 4]
    assert np.load("data/normalized/train/images.npy").shape == (16, 10, 8, 1)
    known = {Path("data/raw/test/cat/0.png").read_bytes()}
    assert known == {(images / "test/cat/0.png").read_bytes()}


def test_folder_of_other_images_replaces_the_former_copy(images: Path) -> None:
    read()
    shutil.rmtree(images / "test")
    data = read()
    assert not Path("data/raw/test").exists()
    assert data["test"]["images"] == 5


def test_grey_colour_palette_jpeg_and_upper_case_go_together(images: Path) -> None:
    draw(images / "train/cat/colour.PNG", 10, 8, 3)
    draw(images / "train/dog/photo.JPEG", 10, 8, 3)
    Image.fromarray(RNG.integers(0, 256, (10, 8, 3), dtype=np.uint8)).quantize(8).save(images / "train/dog/palette.png")
    assert read()["image_shape"] == [10, 8, 3]


def test_sizes_are_made_one_by_the_parameter(images: Path) -> None:
    draw(images / "train/cat/large.jpg", 300, 500, 3)
    change_params(Path("params.yaml"), {"normalize.size": [12, 16]})
    data = read()
    assert (data["image_shape"], data["is_resampled"]) == ([12, 16, 3], True)


def test_unusual_names_and_left_over_files_are_no_trouble(images: Path) -> None:
    for number in range(4):
        for split in ("train", "test"):
            draw(images / split / "Größe 3 (neu)" / f"1,{number} 'x'.png")
    for left in (".DS_Store", "train/Thumbs.db", "train/cat/.hidden.png", "notes.txt"):
        (images / left).write_text("x")
    assert read()["classes"] == ["Größe 3 (neu)", "cat", "dog"]


def darken(source: Path, target: Path) -> None:
    """Write an image that is a little darker than another."""
    pixels = np.asarray(Image.open(source)).astype(int)
    Image.fromarray(np.clip(pixels * 0.98, 0, 255).astype(np.uint8)).save(target)


def test_near_duplicates_are_listed_and_exact_ones_dropped_if_asked(images: Path) -> None:
    shutil.copy(images / "train/cat/3.png", images / "test/cat/same.png")
    darken(images / "train/dog/5.png", images / "test/dog/like.png")
    change_params(Path("params.yaml"), {"normalize.duplicates": "drop"})
    data = read()
    assert data["train"]["images"] + data["validation"]["images"] == 23
    assert data["near_duplicates"] == [["test/dog/like.png", "train/dog/5.png"]]


def test_example_of_near_duplicates_is_one_pair(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    darken(images / "train/cat/3.png", images / "test/cat/like.png")
    darken(images / "train/dog/5.png", images / "test/dog/like.png")
    read()
    assert re.search(
        r"^2 images .* such as test/(cat|dog)/like.png and train/\1/", capsys.readouterr().out, re.MULTILINE
    )


def test_link_within_the_folder_is_followed(images: Path) -> None:
    draw(images / "train/cat/new.png")
    (images / "train/dog/link.png").symlink_to("../cat/more.png")
    shutil.move(images / "train/cat/new.png", images / "train/cat/more.png")
    assert read()["train"]["images"] == 18
    assert not Path("data/raw/train/dog/link.png").is_symlink()


def link_to(target: Path, link: Path) -> None:
    """Move a file and put a link in its place, as `dvc add` does with `cache.type symlink`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    link.rename(target)
    link.symlink_to(target)


@pytest.mark.parametrize("place", [".dvc/cache", "../shared cache"])
def test_links_into_the_cache_of_dvc_are_followed(images: Path, place: str) -> None:
    cache = Path(place).resolve()
    Path(".dvc").mkdir()
    Path(".dvc/config").write_text(f"[core]\n    no_scm = true\n[cache]\n    dir = {cache}\n    type = symlink\n")
    link_to(cache / "files/md5/00/1", images / "train/cat/3.png")
    link_to(cache / "files/md5/00/2", images / "test/dog/1.png")
    assert read()["train"]["images"] == 16


@pytest.mark.usefixtures("images")
def test_links_of_dvc_to_a_former_cache_do_no_harm_in_its_own_output(tmp_path: Path) -> None:
    before = read()
    link_to(tmp_path.with_name("former cache") / "1", Path("data/raw/train/cat/3.png"))
    normalize.main([])
    assert json.loads(Path("reports/data.json").read_text()) == before


def empty_class(folder: Path) -> None:
    for split in ("train", "test"):
        (folder / split / "owl").mkdir()


def file_for_train(folder: Path) -> None:
    shutil.rmtree(folder / "train")
    (folder / "train").write_text("x")


def link_out(path: Path) -> None:
    outside = path.parents[3] / "outside.png"
    draw(outside)
    path.symlink_to(outside)


def undecodable(folder: Path) -> None:
    draw(folder / "train/cat/x.png")
    (folder / "train/cat/x.png").rename(os.fsdecode(os.fsencode(folder) + b"/train/cat/\xff.png"))


# What names show is tested in tests/unit/sources/test_folder.py, what pixels show in test_images.py beside it: here is
# what only real files and links show, and that each stage passes such an error on.
BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing folder": (shutil.rmtree, "images: is missing; expected a folder with train/CLASS"),
    "train is a file": (file_for_train, "images: holds no folder"),
    "empty class": (empty_class, "images/train/owl: holds no image"),
    "mixed sizes": (
        lambda f: draw(f / "train/cat/z.png", 9, 8),
        "train/cat/z.png: 8x9 pixels, but train/cat/0.png has",
    ),
    "text in a class": (
        lambda f: (f / "train/cat/labels.csv").write_text("x"),
        "train/cat/labels.csv: is not an image",
    ),
    "not UTF-8": (undecodable, "images: the name 'train/cat/\\udcff.png' is not UTF-8"),
    "link out": (lambda f: link_out(f / "train/cat/z.png"), "images/train/cat/z.png: is a link out of the folder"),
    "link to itself": (
        lambda f: (f / "train/cat/z.png").symlink_to("z.png"),
        "images/train/cat/z.png: is a link to nothing",
    ),
    "link to nothing": (
        lambda f: (f / "train/cat/z.png").symlink_to("y.png"),
        "images/train/cat/z.png: is a link to nothing",
    ),
    "nested": (lambda f: draw(f / "train/cat/more/z.png"), "images/train/cat/more: is a folder within a class"),
    "in train and test": (
        lambda f: shutil.copy(f / "train/cat/3.png", f / "test/cat/z.png"),
        "train/cat/3.png and test/cat/z.png are the same image",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_folder_is_refused_in_one_line(images: Path, name: str) -> None:
    spoil, said = BAD[name]
    spoil(images)
    with pytest.raises(PipelineError) as error:
        read()
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


def test_file_that_may_not_be_read_is_named(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may read everything, so the answer of the operating system is pretended.
    closed = images / "train/cat/3.png"
    closed.chmod(0)
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "3.png" and allowed(path, mode))
    with pytest.raises(PipelineError, match=r"^images/train/cat/3\.png: may not be read; expected"):
        download.main([])


def test_too_few_images_for_validation_are_counted(images: Path) -> None:  # noqa: ARG001
    change_params(Path("params.yaml"), {"normalize.validation_images": 23})
    with pytest.raises(PipelineError, match=r"validation_images is 23; expected at most 22, since train holds 24"):
        read()


def test_make_repro_looks_at_the_folder_before_dvc_does(images: Path) -> None:
    check.main([])
    shutil.rmtree(images / "train/dog")
    with pytest.raises(PipelineError, match=r"^images/train: 1 classes"):
        check.main([])


def test_message_is_a_line_and_exit_code_1(images: Path) -> None:
    (images / "train/cat/z.png").write_text("x")
    download.main([])
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.normalize"],
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "error: train/cat/z.png: is not an image; expected a PNG or JPEG\n")


@pytest.mark.parametrize("size", [(9, 8), (11, 8), (10, 7), (10, 9)])
def test_picture_of_another_size_is_not_classified_unless_it_is_scaled(tmp_path: Path, size: tuple[int, int]) -> None:
    height, width = size
    draw(tmp_path / "cat.png", height, width)
    with pytest.raises(PipelineError, match=rf"cat\.png: {width}x{height} pixels; expected 8x10\. Scale it first"):
        read_picture(tmp_path / "cat.png", (10, 8, 1), False)
    assert read_picture(tmp_path / "cat.png", (10, 8, 1), True).shape == (10, 8, 1)
