"""Claims about parameters: what params.yaml holds, and how each mistake in it is named."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from fashion_mnist.errors import ParamsError
from fashion_mnist.networks import cnn, network_names
from fashion_mnist.params import Params
from fashion_mnist.params.parsing import parse_params
from fashion_mnist.params.training import TrainingParams, without_defaults

FROZEN = YAML(typ="safe").load((Path(__file__).parents[1] / "params.yaml").read_bytes())


def frozen() -> Params:
    return parse_params(FROZEN, source="params.yaml")


def changed(key: str, value: Any) -> dict[str, Any]:
    """Return the document with one value set, by its dotted key."""
    document: dict[str, Any] = deepcopy(FROZEN)
    section, last = section_of(document, key)
    section[last] = value
    return document


def without(key: str) -> dict[str, Any]:
    """Return the document without one key."""
    document: dict[str, Any] = deepcopy(FROZEN)
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
    said = str(refusal.value)
    assert "\n" not in said
    assert "Error" not in said, "names a class of Python"
    assert len(said) < 400
    return said


def test_values_arrive_typed_and_unchanged() -> None:
    params = frozen()
    assert list(params.train) == ["dense", "cnn"]
    assert params.train["cnn"] == cnn.Params(**FROZEN["train"]["cnn"])
    assert params.report.article["dense"].train is None
    assert params.report.article["cnn"].test == 0.91


def test_sections_that_share_a_network_have_its_parameters() -> None:
    params = frozen()
    assert type(params.recipes["cnn_one_cycle"]) is type(params.train["cnn"]) is cnn.Params


def test_recipe_is_found_by_its_name_and_is_no_model_of_the_run() -> None:
    params = frozen()
    assert params.training_of("cnn_one_cycle") is params.recipes["cnn_one_cycle"]
    assert "cnn_one_cycle" not in params.train


def test_recipe_with_the_name_of_a_model_is_refused() -> None:
    said = error_of(changed("recipes.cnn", FROZEN["recipes"]["cnn_one_cycle"]))
    assert said.startswith("params.yaml: recipes.cnn is also a section under train")


def test_mistake_in_a_recipe_is_named_by_its_place() -> None:
    assert error_of(changed("recipes.cnn_one_cycle.epochs", 0)).startswith(
        "params.yaml: recipes.cnn_one_cycle.epochs is 0"
    )
    assert "recipes.cnn_one_cycle.network is 'lstm'" in error_of(changed("recipes.cnn_one_cycle.network", "lstm"))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("train.cnn.epochs", "10", "a valid integer"),
        ("train.cnn.epochs", True, "a valid integer"),
        ("train.cnn.epochs", 1.5, "a valid integer"),
        ("train.cnn.epochs", None, "a valid integer"),
        ("train.cnn.epochs", 0, "at least 1"),
        ("train.cnn.shares", 0, "at least 1"),
        ("train.cnn.shares", 3, "a number that divides batch_size, which is 32"),
        ("train.cnn.shares", 64, "at most 32, since batch_size is 32"),
        ("recipes.cnn_one_cycle.shares", 7, "a number that divides batch_size, which is 256"),
        ("train.cnn.network", "lstm", f"one of {', '.join(network_names())}"),
        ("train.cnn.network", 3, f"one of {', '.join(network_names())}"),
        ("train.cnn.schedule", "linear", "'constant', 'one_cycle' or 'cosine'"),
        ("train.cnn.optimizer", "lion", "'adam', 'adamw' or 'sgd'"),
        ("train.cnn.momentum", 0.9, "0, or optimizer: sgd"),
        ("train.cnn.weight_decay", 0.01, "0, or optimizer: adamw"),
        ("train.cnn.label_smoothing", 1, "less than 1"),
        ("train.cnn.class_weights", "even", "'balanced'"),
        ("train.cnn.stop_after", 0, "at least 1"),
        ("train.cnn.keep", "first", "'best' or 'last'"),
        ("train.dense.jit_compile", 1, "a valid boolean"),
        ("train.dense.learning_rate", 1, "less than 1"),
        ("train.dense.learning_rate", -0.001, "greater than 0"),
        ("train.dense.learning_rate", float("inf"), "less than 1"),
        ("train.dense.precision", "float16", "'float32' or 'mixed_bfloat16'"),
        ("download.dataset", "mnist", "'fashion_mnist', 'synthetic' or 'folder'"),
        ("download.folder", "", "string should have at least 1 character"),
        ("download.folder", "~/pictures", "a path without ~ at its beginning"),
        ("download.name", "a/b", "string should match pattern"),
        ("normalize.test_share", 0.6, "at most 0.5"),
        ("normalize.duplicates", "keep", "'refuse' or 'drop'"),
        ("recipes", ["dense"], "keys with values"),
        ("train", "cnn", "keys with values"),
        ("train.cnn", 3, "keys with values"),
        ("evaluate.confidence", 95, "less than 1"),
        ("report.article.cnn.test", 91.0, "less than 1"),
        ("evaluate.robustness.degrees", [], "at least 1 item"),
        ("report.language", "de", "'en' or 'ru'"),
        ("study.replicates.cnn", 1, "at least 2"),
        ("study.sweep.dense.units", [], "at least 1 item"),
        ("study.sweep.dense.seeds", 0, "at least 1"),
    ],
)
def test_wrong_value_is_named_with_what_was_expected(key: str, value: Any, expected: str) -> None:
    said = error_of(changed(key, value))
    assert said.startswith(f"params.yaml: {key} is {value!r}; expected ")
    assert expected in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("key", "expected"),
    [("train.cnn.threads", "shares"), ("evaluate.threads", "nothing"), ("study.threads", "nothing")],
)
def test_threads_of_an_older_file_are_told_what_replaced_them(key: str, expected: str) -> None:
    assert error_of(changed(key, 2)).startswith(f"params.yaml: {key} is gone, since threads decide no bits")
    assert f"expected {expected}" in error_of(changed(key, 2))


def test_half_precision_demands_native_instructions_of_training_and_evaluate() -> None:
    document = changed("train.dense.precision", "mixed_bfloat16")
    assert error_of(document).startswith("params.yaml: train.dense.instructions is 'avx2'; expected native")
    document["train"]["dense"]["instructions"] = "native"
    assert error_of(document).startswith("params.yaml: evaluate.instructions is 'avx2'; expected native")
    document["evaluate"]["instructions"] = "native"
    assert parse_params(document, source="params.yaml").train["dense"].precision == "mixed_bfloat16"


def test_half_precision_of_a_recipe_demands_native_instructions_of_itself_only() -> None:
    document = changed("recipes.cnn_one_cycle.precision", "mixed_bfloat16")
    assert error_of(document).startswith("params.yaml: recipes.cnn_one_cycle.instructions is 'avx2'; expected native")
    document["recipes"]["cnn_one_cycle"]["instructions"] = "native"
    assert parse_params(document, source="params.yaml").evaluate.instructions == "avx2"


def test_wrong_value_in_a_list_is_named_by_its_place() -> None:
    assert error_of(changed("train.cnn.filters", [32, "64"])).startswith("params.yaml: train.cnn.filters.1 is '64'")


def test_at_least_one_model_is_trained() -> None:
    assert error_of(changed("train", {})).startswith("params.yaml: train is {}")


def test_old_map_of_models_is_told_what_replaced_it() -> None:
    found = error_of(changed("models", {"dense": "dense"}))
    assert found.startswith("params.yaml: models is gone; expected the models as sections under train")


def test_name_of_a_model_fits_a_file_and_a_stage() -> None:
    document = changed("train.a/b", FROZEN["train"]["cnn"])
    assert "train.a/b" in error_of(document)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("trian", "train"),
        ("train.cnn.epoch", "epochs"),
        ("report.article.cnn.tset", "test"),
        ("gate.floors.cnn.reccall", "recall"),
        ("gate.floors.cnn.strange", "one of accuracy, recall"),
        ("study.sweep.cnn.unit", "units"),
        ("study.replicate", "replicates"),
        ("download.synthetic.colour", "one of train_images, test_images, seed"),
    ],
)
def test_unknown_key_is_named_with_the_nearest_known_one_or_all(key: str, expected: str) -> None:
    assert error_of(changed(key, 3)) == f"params.yaml: {key} is unknown; expected {expected}"


def test_misspelled_key_is_answered_with_its_spelling() -> None:
    document = without("train.cnn.epochs")
    document["train"]["cnn"]["epoch"] = 3
    assert error_of(document) == "params.yaml: train.cnn.epoch is unknown; expected epochs"


@pytest.mark.parametrize("key", ["train.cnn.epochs", "train.cnn.network", "normalize", "report.article.dense.train"])
def test_missing_key_is_named(key: str) -> None:
    assert error_of(without(key)).startswith(f"params.yaml: {key} is missing; ")


@pytest.mark.parametrize("document", [7, ["models"], "epochs"])
def test_document_without_keys_is_refused(document: object) -> None:
    assert error_of(document).startswith(f"params.yaml: the document is {document!r}; expected ")


@pytest.mark.parametrize("document", [None, [], {}])
def test_empty_document_is_told_what_belongs_into_it(document: object) -> None:
    assert error_of(document).startswith("params.yaml: is empty; expected the sections download, ")


def test_stage_is_told_which_models_have_a_section() -> None:
    with pytest.raises(ParamsError, match=r"train\.lstm is missing; expected one of dense, cnn"):
        frozen().training_of("lstm")


@pytest.mark.parametrize("role", ["baseline", "candidate"])
def test_compared_model_that_is_not_trained_is_named_by_its_key(role: str) -> None:
    said = error_of(changed(f"report.{role}", "lstm"))
    assert said.startswith(f"params.yaml: report.{role} is 'lstm'")
    assert "dense, cnn" in said


def test_model_is_not_compared_with_itself() -> None:
    assert error_of(changed("report.candidate", "dense")).startswith("params.yaml: report.candidate is 'dense'")


def test_article_states_nothing_of_an_unknown_model() -> None:
    document = deepcopy(FROZEN)
    document["report"]["article"]["dens"] = {"train": None, "test": 0.9}
    assert error_of(document).startswith("params.yaml: report.article.dens is unknown; expected one of dense, cnn")


@pytest.mark.parametrize("part", ["replicates", "sweep"])
def test_study_trains_no_unknown_model(part: str) -> None:
    document = deepcopy(FROZEN)
    document["study"][part]["dens"] = document["study"][part]["dense"]
    assert (
        error_of(document)
        == "params.yaml: study." + part + ".dens is unknown; expected one of dense, cnn, cnn_one_cycle"
    )


def test_study_may_train_a_model_that_this_run_does_not() -> None:
    document = changed("study.replicates.cnn_one_cycle", 2)
    assert parse_params(document, source="params.yaml").study.replicates["cnn_one_cycle"] == 2


def test_model_whose_network_has_no_units_is_not_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    # Every network here has units, so one without is pretended: its section is parsed as any training's.
    monkeypatch.setattr(cnn, "Params", TrainingParams)
    document = deepcopy(FROZEN)
    for place, name in (("train", "cnn"), ("recipes", "cnn_one_cycle")):
        section = document[place][name]
        document[place][name] = {key: section[key] for key in TrainingParams.model_fields if key in section}
    assert error_of(document).startswith("params.yaml: study.sweep.cnn ")
    del document["study"]["sweep"]["cnn"]
    assert set(parse_params(document, source="params.yaml").study.sweep) == {"dense"}


def test_candidate_must_be_among_the_models_of_this_run() -> None:
    found = error_of(changed("train", {"dense": FROZEN["train"]["dense"]}))
    assert "report.candidate is 'cnn'; expected one under train: dense" in found


def test_size_of_images_is_a_height_and_a_width() -> None:
    assert parse_params(changed("normalize.size", [40, 32]), source="params.yaml").normalize.size == (40, 32)
    assert error_of(changed("normalize.size", [40, 3])).startswith("params.yaml: normalize.size.1 is 3; expected")
    assert error_of(changed("normalize.size", 32)).startswith("params.yaml: normalize.size is 32; expected")


def test_values_cannot_be_changed_after_parsing() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        frozen().train["cnn"].epochs = 3
    with pytest.raises(TypeError):
        frozen().report.article["cnn"] = None  # type: ignore[index]


def test_what_a_training_leaves_to_the_defaults_does_not_tell_it_apart() -> None:
    section = {"network": "cnn", "epochs": 5, "optimizer": "adam", "gone_since": 1}
    assert TrainingParams.model_fields["optimizer"].default == "adam"
    assert without_defaults(section) == {"network": "cnn", "epochs": 5, "gone_since": 1}
    assert without_defaults(section | {"optimizer": "sgd"})["optimizer"] == "sgd"
