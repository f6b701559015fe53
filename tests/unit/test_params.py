"""Claims about parameters: what params.yaml holds, and how each mistake in it is named."""

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from fashion_mnist.errors import ParamsError
from fashion_mnist.params import CnnParams, Params, parse_params

COMMITTED = YAML(typ="safe").load((Path(__file__).parents[2] / "params.yaml").read_bytes())


def committed() -> Params:
    return parse_params(COMMITTED, source="params.yaml")


def changed(key: str, value: Any) -> dict[str, Any]:
    """Return the committed document with one value set, by its dotted key."""
    document: dict[str, Any] = deepcopy(COMMITTED)
    section, last = section_of(document, key)
    section[last] = value
    return document


def without(key: str) -> dict[str, Any]:
    """Return the committed document without one key."""
    document: dict[str, Any] = deepcopy(COMMITTED)
    section, last = section_of(document, key)
    del section[last]
    return document


def section_of(document: dict[str, Any], key: str) -> tuple[dict[str, Any], str]:
    *path, last = key.split(".")
    for name in path:
        document = document[name]
    return document, last


def error_of(document: object) -> str:
    with pytest.raises(ParamsError) as refusal:
        parse_params(document, source="params.yaml")
    return str(refusal.value)


def test_committed_values_arrive_typed_and_unchanged() -> None:
    params = committed()
    assert params.models == ("dense", "cnn")
    assert params.train["cnn"] == CnnParams(**COMMITTED["train"]["cnn"])
    assert params.train.cnn.filters == (32, 64)
    assert params.report.article["dense"].train is None
    assert params.report.article["cnn"].test == 0.91


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("train.cnn.epochs", "10", "train.cnn.epochs is '10'; expected a valid integer"),
        ("train.cnn.epochs", True, "train.cnn.epochs is True; expected a valid integer"),
        ("train.cnn.epochs", 1.5, "train.cnn.epochs is 1.5; expected a valid integer"),
        ("train.cnn.epochs", None, "train.cnn.epochs is None; expected a valid integer"),
        ("train.cnn.epochs", 0, "train.cnn.epochs is 0; expected at least 1"),
        ("train.dense.jit_compile", 1, "train.dense.jit_compile is 1; expected a valid boolean"),
        ("train.dense.learning_rate", 1, "train.dense.learning_rate is 1; expected less than 1"),
        (
            "train.dense.precision",
            "float16",
            "train.dense.precision is 'float16'; expected 'float32' or 'mixed_bfloat16'",
        ),
        ("train.cnn.filters", [32, "64"], "train.cnn.filters.1 is '64'; expected a valid integer"),
        ("download.dataset", "mnist", "download.dataset is 'mnist'; expected 'fashion_mnist' or 'synthetic'"),
        (
            "download.synthetic.train_images",
            15,
            "download.synthetic.train_images is 15; expected a multiple of 10, so that classes are balanced",
        ),
        (
            "download.synthetic.test_images",
            999,
            "download.synthetic.test_images is 999; expected a multiple of 10, so that classes are balanced",
        ),
        (
            "normalize.validation_images",
            5001,
            "normalize.validation_images is 5001; expected a multiple of 10, so that classes are balanced",
        ),
        ("models", "dense", "models is 'dense'; expected a valid tuple"),
        ("evaluate.confidence", 95, "evaluate.confidence is 95; expected less than 1"),
        ("report.article.cnn.test", 91.0, "report.article.cnn.test is 91.0; expected less than 1"),
        (
            "models",
            ["dense", "lstm"],
            "models is ['dense', 'lstm']; expected models that have a section under train (dense, cnn), unlike 'lstm'",
        ),
        ("evaluate.robustness.pixels", 28, "evaluate.robustness.pixels is 28; expected less than 28"),
        (
            "evaluate.robustness.degrees",
            [],
            "evaluate.robustness.degrees is []; expected tuple should have at least 1 item after validation, not 0",
        ),
        (
            "evaluate.example",
            10_000,
            "evaluate.example is 10000; expected at most 9999, since test holds 10000 images",
        ),
        ("report.language", "de", "report.language is 'de'; expected 'en' or 'ru'"),
        ("models", ["cnn", "cnn"], "models is ['cnn', 'cnn']; expected each model once"),
    ],
)
def test_wrong_value_is_named_with_what_was_expected(key: str, value: Any, message: str) -> None:
    assert error_of(changed(key, value)) == f"params.yaml: {message}"


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("modles", "models"),
        ("train.cnn.epoch", "epochs"),
        ("report.article.cnn.tset", "test"),
        ("train.lstm", "one of dense, cnn"),
        ("download.synthetic.colour", "one of train_images, test_images, seed"),
    ],
)
def test_unknown_key_is_named_with_the_nearest_known_one_or_all(key: str, expected: str) -> None:
    assert error_of(changed(key, 3)) == f"params.yaml: {key} is unknown; expected {expected}"


def test_misspelled_key_is_answered_with_its_spelling() -> None:
    document = without("train.cnn.epochs")
    document["train"]["cnn"]["epoch"] = 3
    assert error_of(document) == "params.yaml: train.cnn.epoch is unknown; expected epochs"


@pytest.mark.parametrize("key", ["train.cnn.epochs", "normalize", "report.article.dense.train"])
def test_missing_key_is_named(key: str) -> None:
    assert error_of(without(key)) == f"params.yaml: {key} is missing; every key is required"


@pytest.mark.parametrize("document", [None, [], "epochs"])
def test_document_that_is_no_mapping_is_refused(document: object) -> None:
    assert error_of(document).startswith(f"params.yaml: the document is {document!r}; expected a valid dictionary")


@pytest.mark.parametrize(("dataset", "available"), [("fashion_mnist", 60_000), ("synthetic", 6_000)])
def test_validation_leaves_at_least_an_image_per_class_in_train(dataset: str, available: int) -> None:
    document = changed("download.dataset", dataset)
    document["normalize"]["validation_images"] = available - 10
    assert parse_params(document, source="params.yaml").normalize.validation_images == available - 10
    document["normalize"]["validation_images"] = available
    assert error_of(document) == (
        f"params.yaml: normalize.validation_images is {available}; "
        f"expected at most {available - 10}, since train holds {available} images"
    )


@pytest.mark.parametrize("role", ["baseline", "candidate"])
def test_compared_model_that_is_not_trained_is_named_by_its_key(role: str) -> None:
    message = f"params.yaml: report.{role} is 'lstm'; expected one of models (dense, cnn)"
    assert error_of(changed(f"report.{role}", "lstm")) == message


def test_model_is_not_compared_with_itself() -> None:
    message = "params.yaml: report.candidate is 'dense'; expected another model than the baseline"
    assert error_of(changed("report.candidate", "dense")) == message


def test_article_states_nothing_of_an_unknown_model() -> None:
    document = deepcopy(COMMITTED)
    document["report"]["article"]["dens"] = {"train": None, "test": 0.9}
    assert error_of(document) == "params.yaml: report.article.dens is unknown; expected dense, cnn"


def test_candidate_must_be_among_the_models_of_this_run() -> None:
    assert "report.candidate is 'cnn'; expected one of models (dense)" in error_of(changed("models", ["dense"]))


def test_data_set_decides_how_many_images_there_are() -> None:
    published = committed().download
    synthetic = parse_params(changed("download.dataset", "synthetic"), source="params.yaml").download
    assert (published.train_images, published.test_images) == (60_000, 10_000)
    assert (synthetic.train_images, synthetic.test_images) == (6_000, 1_000)


def test_values_cannot_be_changed_after_parsing() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        committed().train.cnn.epochs = 3
    with pytest.raises(TypeError):
        committed().report.article["cnn"] = None  # type: ignore[index]


def test_model_without_a_section_is_named_with_those_that_have_one() -> None:
    message = "params.yaml: train.lstm is missing; expected one of dense, cnn"
    with pytest.raises(ParamsError, match=f"^{re.escape(message)}$"):
        committed().train["lstm"]
