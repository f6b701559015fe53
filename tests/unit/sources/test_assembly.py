"""Claims about how a folder's pictures become train and test."""

from typing import Any

import numpy as np
import pytest

from fashion_mnist.data.description import Source
from fashion_mnist.data.split import Bytes
from fashion_mnist.errors import DataError
from fashion_mnist.params import NormalizeParams
from fashion_mnist.sources.assembly import assemble
from fashion_mnist.sources.folder import Layout

RNG = np.random.default_rng(0)
CLASSES = ("cat", "dog", "owl")
COUNTS = (60, 20, 3)


def pictures(split: str, counts: tuple[int, ...]) -> tuple[list[tuple[str, int]], dict[str, Bytes]]:
    """Return files with their labels, and an image of each that shows its class in its first pixel."""
    files, images = [], {}
    for label, count in enumerate(counts):
        for number in range(count):
            name = f"{split}/{CLASSES[label]}/{number:03}.png"
            images[name] = RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)
            images[name][0, 0] = label
            files.append((name, label))
    return files, images


def assembled(layout: Layout, images: dict[str, Bytes], **changed: Any) -> Source:
    settings = {"validation_images": 10, "seed": 1, "size": None, "test_share": 0.2, "duplicates": "refuse"} | changed
    return assemble(layout, images, NormalizeParams(**settings), name="Pets")


TRAIN, TRAIN_IMAGES = pictures("train", COUNTS)
TEST, TEST_IMAGES = pictures("test", (10, 5, 1))


def test_share_is_cut_for_test_with_every_class_in_it() -> None:
    found = assembled(Layout(CLASSES, TRAIN, None), TRAIN_IMAGES)
    assert len(found.test.labels) == round(0.2 * 83)
    assert np.bincount(found.test.labels).min() >= 1
    assert (np.bincount(found.train.labels) + np.bincount(found.test.labels)).tolist() == list(COUNTS)


def test_each_label_stays_with_its_image_and_the_order_is_mixed() -> None:
    found = assembled(Layout(CLASSES, TRAIN, TEST), TRAIN_IMAGES | TEST_IMAGES)
    for split in (found.train, found.test):
        assert split.images[:, 0, 0, 0].tolist() == split.labels.tolist()
        assert split.labels.tolist() != sorted(split.labels)
    assert len(found.test.labels) == 16


VAL, VAL_IMAGES = pictures("val", (4, 3, 2))


def test_folder_val_becomes_validation_and_test_is_cut_from_train_alone() -> None:
    found = assembled(Layout(CLASSES, TRAIN, None, VAL), TRAIN_IMAGES | VAL_IMAGES)
    assert found.validation is not None
    assert np.bincount(found.validation.labels).tolist() == [4, 3, 2]
    assert found.validation.images[:, 0, 0, 0].tolist() == found.validation.labels.tolist()
    assert len(found.train.labels) + len(found.test.labels) == 83
    without = assembled(Layout(CLASSES, TRAIN, None), TRAIN_IMAGES)
    assert without.validation is None
    assert np.array_equal(without.test.images, found.test.images)


def test_image_in_val_and_in_train_or_test_is_refused_or_kept_once() -> None:
    images = TRAIN_IMAGES | VAL_IMAGES | TEST_IMAGES
    images |= {"val/cat/000.png": images["test/cat/000.png"], "train/cat/000.png": images["val/cat/001.png"]}
    layout = Layout(CLASSES, TRAIN, TEST, VAL)
    with pytest.raises(DataError, match=r"^val/cat/000\.png and test/cat/000\.png are the same image"):
        assembled(layout, images)
    found = assembled(layout, images, duplicates="drop")
    assert found.validation is not None
    assert [len(split.labels) for split in (found.train, found.validation, found.test)] == [82, 8, 16]


def test_same_seed_gives_the_same_and_another_seed_another_cut() -> None:
    cuts = [assembled(Layout(CLASSES, TRAIN, None), TRAIN_IMAGES, seed=seed).test.images for seed in (1, 1, 2)]
    assert np.array_equal(cuts[0], cuts[1])
    assert not np.array_equal(cuts[0], cuts[2])


def test_data_set_has_the_shape_and_classes_that_were_found() -> None:
    found = assembled(Layout(CLASSES, TRAIN, None), TRAIN_IMAGES, size=(6, 8)).dataset
    assert (found.dataset, found.name, found.classes, found.image_shape) == ("folder", "Pets", CLASSES, (6, 8, 3))
    assert found.is_resampled


def test_image_in_train_and_test_is_refused_with_both_names() -> None:
    images = TRAIN_IMAGES | TEST_IMAGES | {"test/cat/001.png": TRAIN_IMAGES["train/cat/007.png"]}
    with pytest.raises(
        DataError, match=r"^train/cat/007\.png and test/cat/001\.png are the same image.*normalize\.dup"
    ):
        assembled(Layout(CLASSES, TRAIN, TEST), images)


def test_image_in_train_and_test_is_dropped_from_train_if_asked() -> None:
    images = TRAIN_IMAGES | TEST_IMAGES | {"test/cat/001.png": TRAIN_IMAGES["train/cat/007.png"]}
    images["train/cat/008.png"] = images["train/cat/007.png"]  # twice
    found = assembled(Layout(CLASSES, TRAIN, TEST), images, duplicates="drop")
    assert np.bincount(found.train.labels).tolist() == [58, 20, 3]
    assert len(found.test.labels) == 16


def test_class_that_is_all_duplicates_is_named() -> None:
    images = (
        TRAIN_IMAGES
        | TEST_IMAGES
        | {f"train/owl/{number:03}.png": TEST_IMAGES["test/owl/000.png"] for number in (0, 1)}
    )
    with pytest.raises(DataError, match=r"^class owl: 1 images of train are not in test; expected at least 2"):
        assembled(Layout(CLASSES, TRAIN, TEST), images, duplicates="drop")


def test_class_must_keep_an_image_beside_a_folder_of_validation() -> None:
    images = TRAIN_IMAGES | VAL_IMAGES | TEST_IMAGES
    images |= {name: TEST_IMAGES["test/owl/000.png"] for name in TRAIN_IMAGES if name.startswith("train/owl/")}
    with pytest.raises(DataError, match=r"^class owl: 0 images of train are not in test; expected at least 1"):
        assembled(Layout(CLASSES, TRAIN, TEST, VAL), images, duplicates="drop")


def test_more_than_256_classes_have_labels_that_hold_them() -> None:
    classes = tuple(f"{number:03}" for number in range(300))
    files = [(f"train/{name}/{copy}.png", label) for label, name in enumerate(classes) for copy in range(3)]
    images = {name: RNG.integers(0, 256, (4, 4, 1), dtype=np.uint8) for name, _ in files}
    found = assembled(Layout(classes, files, None), images)
    assert found.train.labels.dtype == np.uint16
    assert {*found.train.labels.tolist()} == {*found.test.labels.tolist()} == set(range(300))
