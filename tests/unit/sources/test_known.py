"""Claims about what is known of a data set before its images are read."""

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from fashion_mnist.errors import ParamsError
from fashion_mnist.params import Params
from fashion_mnist.params.parsing import parse_params
from fashion_mnist.sources.known import check_params, count_images, registered_name

FROZEN = YAML(typ="safe").load((Path(__file__).parents[2] / "params.yaml").read_bytes())


def changed(**values: Any) -> Params:
    """Return the parameters of Fashion-MNIST with other values, by their keys with __ for the dots."""
    document = deepcopy(FROZEN)
    for key, value in values.items():
        *path, last = key.split("__")
        section = document
        for name in path:
            section = section[name]
        section[last] = value
    return parse_params(document, source="params.yaml")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"download__synthetic__train_images": 15}, "download.synthetic.train_images is 15; expected a multiple of 10"),
        ({"download__synthetic__test_images": 999}, "download.synthetic.test_images is 999; expected a multiple of 10"),
        ({"normalize__validation_images": 5001}, "normalize.validation_images is 5001; expected a multiple of 10"),
        ({"normalize__validation_images": 5}, "normalize.validation_images is 5; expected at least 10, one of each"),
        ({"evaluate__robustness__pixels": 28}, "evaluate.robustness.pixels is 28; expected less than 28"),
        ({"evaluate__example": 10_000}, "evaluate.example is 10000; expected at most 9999"),
        (
            {"evaluate__example": 1000, "download__dataset": "synthetic"},
            "evaluate.example is 1000; expected at most 999, since test holds 1000 images",
        ),
    ],
)
def test_parameter_that_does_not_fit_the_data_set_is_named(values: dict[str, Any], said: str) -> None:
    check_params(changed())
    with pytest.raises(ParamsError, match=f"^{re.escape(said)}"):
        check_params(changed(**values))


@pytest.mark.parametrize(("dataset", "available"), [("fashion_mnist", 60_000), ("synthetic", 6_000)])
def test_validation_leaves_at_least_an_image_per_class_in_train(dataset: str, available: int) -> None:
    check_params(changed(download__dataset=dataset, normalize__validation_images=available - 10))
    said = (
        f"normalize.validation_images is {available}; "
        f"expected at most {available - 10}, since train holds {available} images"
    )
    with pytest.raises(ParamsError, match=f"^{said}$"):
        check_params(changed(download__dataset=dataset, normalize__validation_images=available))


def test_of_a_folder_nothing_is_known_before_one_looks() -> None:
    check_params(changed(download__dataset="folder", normalize__validation_images=7, evaluate__example=10**6))


def test_data_set_decides_how_many_images_there_are() -> None:
    assert count_images(changed().download) == {"train": 60_000, "test": 10_000}
    assert count_images(changed(download__dataset="synthetic").download) == {"train": 6_000, "test": 1_000}


def test_registered_model_is_called_by_the_name_of_a_folders_images() -> None:
    assert registered_name(changed(download__name="Größe + Art 2.0").download) == "fashion-mnist"
    named = changed(download__name="Größe + Art 2.0", download__dataset="folder")
    assert registered_name(named.download) == "größe-art-2-0"
