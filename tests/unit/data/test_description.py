"""Claims about the value that says what a data set is."""

import json
import re

import numpy as np
import pytest

from fashion_mnist.data.dataset import array_digest
from fashion_mnist.data.description import DataDescription, DataSet, Source, describe, parse_description
from fashion_mnist.data.split import RawSplit
from fashion_mnist.errors import DataError

TWO = DataSet(dataset="folder", name="Two", classes=("a", "b"), image_shape=(2, 2, 1), is_resampled=False)


def levels(*grey: int, labels: tuple[int, ...]) -> RawSplit:
    images = np.array(grey, np.uint8).repeat(4).reshape(-1, 2, 2, 1)
    return RawSplit(images, np.array(labels, np.uint8))


TRAIN, TEST = levels(0, 255, 0, 255, 7, labels=(0, 1, 1, 1, 0)), levels(1, 0, 255, labels=(0, 1, 0))
SPLITS = {"train": TRAIN, "validation": TEST, "test": TEST}


def test_description_holds_counts_statistics_and_digests_of_each_split() -> None:
    found = describe(Source(TWO, TRAIN, TEST), {**SPLITS, "train": levels(0, 255, 0, 255, labels=(0, 1, 1, 1))}).train
    assert (found.images, found.class_counts, found.pixel_mean, found.pixel_std) == (4, (1, 3), 0.5, 0.5)
    split = levels(0, 255, 0, 255, labels=(0, 1, 1, 1))
    assert found.images_sha256 == array_digest(split.images)
    assert found.labels_sha256 == array_digest(split.labels)


def test_duplicates_are_counted_within_train_and_listed_between_test_and_train() -> None:
    found = describe(Source(TWO, TRAIN, TEST), SPLITS)
    assert found.duplicates_within_train == 2
    assert found.test_images_in_train == (1, 2)


def test_description_comes_back_from_json_as_it_was() -> None:
    found = describe(Source(TWO, TRAIN, TEST, (("test/a/1.png", "train/a/2.png"),)), SPLITS)
    document = json.loads(json.dumps(found.model_dump(mode="json")))
    assert parse_description(DataDescription, document, name="data.json") == found


@pytest.mark.parametrize(
    ("change", "named"),
    [({"classes": ["a"]}, "classes"), ({"image_shape": [2, 2]}, "image_shape"), ({"colour": "red"}, "colour")],
)
def test_document_that_is_no_description_is_named_with_its_key(change: dict[str, object], named: str) -> None:
    document = describe(Source(TWO, TRAIN, TEST), SPLITS).model_dump(mode="json") | change
    with pytest.raises(DataError, match=rf"^data.json: {re.escape(named)}.*run `dvc repro`[^\n]*$"):
        parse_description(DataDescription, document, name="data.json")


def test_folder_is_marked_with_its_name_and_other_data_with_their_kind() -> None:
    assert TWO.label == "Two"
    assert TWO.model_copy(update={"dataset": "synthetic"}).label == "synthetic"
