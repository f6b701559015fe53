"""Benchmarks answer --help and wrong arguments; and they compute ratios as their targets mean them."""

import argparse
import importlib
from typing import Any

import pytest

from benchmarks import operations, training
from benchmarks import pipeline as whole_pipeline
from benchmarks.turns import Row, table_of
from pipeline.runtime.parameters import read_params

COMMANDS = ("__main__", "gate", "operations", "pipeline", "report", "study", "tracking", "training", "trainings")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_what_is_measured(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(f"benchmarks.{name}")
    with pytest.raises(SystemExit) as ended:
        module.main(["--help"])
    assert ended.value.code == 0
    assert (module.__doc__ or "missing").splitlines()[0] in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "arguments", "named"),
    [
        ("__main__", ["--only", "nonsense"], "nonsense"),
        ("gate", ["--nonsense"], "nonsense"),
        ("operations", ["--contender", "jax"], "jax"),
        ("pipeline", ["--parts", "nonsense"], "nonsense"),
        ("pipeline", ["--rounds", "0"], "rounds"),
        ("report", [], "revision"),
        ("study", ["--trials", "many"], "many"),
        ("tracking", ["--rounds", "0"], "rounds"),
        ("training", ["--rounds", "0"], "round"),
        ("training", ["--epochs", "1"], "2 epochs"),
        ("trainings", ["fast", "1", "float16"], "float16"),
    ],
)
def test_wrong_argument_is_named(
    name: str, arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"benchmarks.{name}").main(arguments)
    assert ended.value.code == 2
    assert named in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("row", "met"), [(Row("s", 2, 2), True), (Row("s", 3, 2), False), (Row("%", 3, 2, True), True)]
)
def test_table_shows_whether_a_target_is_met(row: Row, met: bool) -> None:
    assert row.met is met
    assert ("missed" in table_of([row])) is not met


def test_ratio_is_taken_within_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second round ran at a third of the speed: a ratio of medians over rounds would not be 0.5."""
    seconds = {"article": 2.0, "pipeline": 1.0, "native": 1.0, "pytorch": 4.0}
    same = {"model": "dense", "gflop": 1.0, "sgemm": {"tensorflow": 1.0, "pytorch": 2.0}, "MiB": 1, "accuracy": 0.9}
    turns = [
        {**same, "round": number, "contender": name, "seconds": [9.0, taken * slow]}
        for number, slow in ((1, 1.0), (2, 3.0))
        for name, taken in seconds.items()
    ]
    monkeypatch.setattr(training, "version", lambda _: "1.0")  # PyTorch is installed for benchmarks alone
    assert [row.measured for row in training.report(turns)] == [0.5, 0.25]


def test_memory_may_grow_as_the_data_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(arguments: list[str], **_: Any) -> dict[str, float]:
        times = int(arguments[3])
        return {"microseconds": 1.2 if times == 4 else 1.0, "MiB": 100 + 2 * 10 * times, "data MiB": 10 * times}

    monkeypatch.setattr(whole_pipeline, "start", answer)
    rows, _ = whole_pipeline.scaling(argparse.Namespace(rounds=1, rest=0))
    assert [row.measured for row in rows] == [1.2, 2.0] * 2


def test_mean_of_the_seeds_is_held_against_ten_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(arguments: list[str], **_: Any) -> dict[str, float]:
        seed = int(arguments[2]) if arguments[1] == "fast" else 0
        return {"seconds": float(seed or 20), "accuracy": 0.9 + seed / 100}

    monkeypatch.setattr(whole_pipeline, "start", answer)
    monkeypatch.setattr(whole_pipeline, "has_bfloat16", lambda: False)
    whole_pipeline.article.cache_clear()
    rows, _ = whole_pipeline.fast(argparse.Namespace(rounds=1, rest=0))
    whole_pipeline.article.cache_clear()
    assert [row.measured for row in rows] == [pytest.approx(0.1), pytest.approx(0.92)]


def test_each_operation_of_a_step_is_counted_once_and_the_rest_is_what_remains() -> None:
    steps = operations.STEPS
    events = [
        ("while/cnn_1/convolution_1_1/Relu:_MklNativeFusedConv2D", 1.0 * steps),
        ("gradient_tape/while/cnn_1/convolution_1_1/convolution/Conv2DBackpropFilter:_Mkl", 2.0 * steps),
        ("gradient_tape/while/cnn_1/convolution_2_1/convolution/Conv2DBackpropFilter:_Mkl", 3.0 * steps),
        ("gradient_tape/while/cnn_1/convolution_2_1/convolution/Conv2DBackpropInput:_Mkl", 4.0 * steps),
        ("gradient_tape/while/cnn_1/pooling_1_1/MaxPool2d/MaxPoolGrad:_MklNativeMaxPoolGrad", 5.0 * steps),
        ("while/cnn_1/pooling_1_1/MaxPool2d:_MklNativeMaxPool", 6.0 * steps),
        ("while/GatherV2:GatherV2", 7.0 * steps),
        ("train_steps", 30.0 * steps),
    ]
    found = operations.by_operation(events, library=0, whole=lambda name: name == "train_steps")
    assert {name: value for name, value in found.items() if value} == {
        "convolution 1, forward": 1,
        "convolution 1, filter gradient": 2,
        "convolution 2, both gradients": 7,
        "pooling, gradients": 5,
        "pooling": 6,
        operations.REST: 9,
    }


def test_arithmetic_of_a_step_is_that_of_its_images() -> None:
    params = read_params().train["cnn"]
    counted = sum(operations.flops_per_step(params).values())
    assert counted == training.BATCH * training.flops_per_image(params)
