"""The plan of a study."""

import json

import numpy as np
import pytest
from ruamel.yaml import YAML

from fashion_mnist.errors import ParamsError
from fashion_mnist.params import Params
from fashion_mnist.params.parsing import parse_params
from fashion_mnist.study.plan import plan, read_trial
from pipeline.tools.demo import PROJECT


@pytest.fixture(scope="module")
def params() -> Params:
    document = YAML(typ="safe").load(PROJECT / "tests/params.yaml")
    document["study"] = {
        "replicates": {"dense": 3, "cnn": 2},
        "sweep": {"dense": {"units": [16, 64], "epochs": 7, "seeds": 2}},
    }
    return parse_params(document, source="params.yaml")


def test_plan_holds_every_kind_of_every_model_once(params: Params) -> None:
    trials = plan(params)
    found = [(trial.kind, trial.model, trial.params.seed) for trial in trials if trial.kind != "sweep"]
    expected = [
        (kind, model, seed)
        for kind in ("replicate", "other_cut", "article")
        for model, count in (("dense", 3), ("cnn", 2))
        for seed in range(1, count + 1)
    ]
    assert sorted(found) == sorted(expected)
    swept = {(trial.model, trial.params.units, trial.params.seed) for trial in trials if trial.kind == "sweep"}  # type: ignore[attr-defined]
    assert swept == {("dense", units, seed) for units in (16, 64) for seed in (1, 2)}
    assert len(trials) == len(expected) + len(swept)


def test_replicates_differ_from_the_model_in_seed_alone(params: Params) -> None:
    for trial in plan(params):
        if trial.kind != "sweep":
            assert trial.params == params.train[trial.model].model_copy(update={"seed": trial.params.seed})


def test_each_other_cut_is_another_one(params: Params) -> None:
    cuts = [trial.cut for trial in plan(params) if trial.kind == "other_cut" and trial.model == "dense"]
    assert len(set(cuts)) == 3
    assert {trial.cut for trial in plan(params) if trial.kind != "other_cut"} == {None}


def test_recipe_is_only_trained_with_other_seeds(params: Params) -> None:
    chosen = params.study.model_copy(update={"replicates": {"cnn_one_cycle": 2}, "sweep": {}})
    trials = plan(params.model_copy(update={"study": chosen}))
    assert [(trial.kind, trial.model, trial.params.seed) for trial in trials] == [
        ("replicate", "cnn_one_cycle", 1),
        ("replicate", "cnn_one_cycle", 2),
    ]


def test_sweep_is_never_scored_on_test(params: Params) -> None:
    assert {trial.kind for trial in plan(params) if not trial.is_scored_on_test} == {"sweep"}


def test_long_trials_come_first(params: Params) -> None:
    order = [(trial.model, trial.params.epochs) for trial in plan(params)]
    assert order == sorted(order, key=lambda item: (item[0] != "cnn", -item[1]))


def test_trial_survives_json(params: Params) -> None:
    for trial in plan(params):
        assert read_trial(json.loads(json.dumps(trial.document()))) == trial


def test_trial_with_a_wrong_parameter_is_refused(params: Params) -> None:
    document = plan(params)[0].document()
    document["params"]["units"] = 0
    with pytest.raises(ParamsError, match="units"):
        read_trial(document)


def test_accuracy_of_a_training_is_the_share_of_its_right_predictions() -> None:
    from tests.small_study import small_study

    document = YAML(typ="safe").load(PROJECT / "tests/params.yaml")
    labels = np.array([0, 1, 2, 3], np.uint8)
    study = small_study(parse_params(document, source="params.yaml"), labels, seeds=2)
    study.predictions["article", "cnn"][:] = [[0, 1, 2, 3], [0, 0, 2, 0]]
    assert study.accuracies("article", "cnn").tolist() == [1.0, 0.5]
