"""Benchmarks answer --help and wrong arguments; and they compute ratios and shares as they are meant."""

import argparse
import importlib
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import __main__ as everything
from benchmarks import before, operations, training
from benchmarks import pipeline as whole_pipeline
from benchmarks.turns import Row, finish, table_of
from pipeline.runtime.machine import cpu_model
from pipeline.tools.demo import PROJECT

COMMANDS = (
    "__main__",
    "before",
    "gate",
    "operations",
    "pipeline",
    "predict",
    "serving",
    "study",
    "tracking",
    "training",
    "trainings",
)


def test_help_says_what_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    silent = []
    for name in COMMANDS:
        module = importlib.import_module(f"benchmarks.{name}")
        with pytest.raises(SystemExit) as ended:
            module.main(["--help"])
        if ended.value.code or (module.__doc__ or "missing").splitlines()[0] not in capsys.readouterr().out:
            silent.append(name)
    assert silent == []


@pytest.mark.parametrize(
    ("name", "arguments", "named"),
    [
        ("__main__", ["--only", "nonsense"], "nonsense"),
        ("before", ["--rounds", "0"], "rounds"),
        ("gate", ["--nonsense"], "nonsense"),
        ("operations", ["--contender", "jax"], "jax"),
        ("pipeline", ["--parts", "nonsense"], "nonsense"),
        ("pipeline", ["--rounds", "0"], "rounds"),
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


def test_time_against_an_earlier_commit_is_a_median_of_ratios_within_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT / "tests")  # of params.yaml with a study

    def turn(epoch: float, start: float) -> dict[str, dict[str, Any]]:
        training = {"seconds": [9, epoch, epoch], "process s": 9 + 2 * epoch + start, "MiB": 100}
        jobs = ("dense", "cnn", "dense on one core", "cnn on one core")
        return {"evaluate": {"work": epoch}} | dict.fromkeys(jobs, training)

    turns = [{"before": turn(2, 4), "here": turn(1, 2)}, {"before": turn(20, 4), "here": turn(10, 2)}]
    found = {row.what: row.measured for row in before.rows_of(turns)}
    assert found.pop("cnn: memory of a training / before") == 1
    assert set(found.values()) == {0.5}


def test_threads_are_told_apart_and_what_holds_operations_does_not_count() -> None:
    events = [
        (1, "ExecutorState::Process", 900.0),
        (1, "cnn/convolution:Conv2D", operations.STEPS),
        (2, "cnn/convolution:Conv2D", 2.0 * operations.STEPS),
        (2, "while/ResourceApplyAdam_4:ResourceApplyAdam", operations.STEPS),
    ]
    assert operations.by_thread(events) == [[3, 1], [1, 0]]


@pytest.mark.parametrize(
    ("row", "met"), [(Row("s", 2, 2), True), (Row("s", 3, 2), False), (Row("%", 3, 2, True), True)]
)
def test_table_shows_whether_a_target_is_met(row: Row, met: bool) -> None:
    assert row.met is met
    assert ("missed" in table_of([row])) is not met


@pytest.mark.parametrize(("names", "code"), [(["one", "two"], 0), (["one", "broken"], 1), (["one", "slow"], 1)])
def test_all_measurements_are_kept_with_the_processor(
    names: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def benchmark(command: Sequence[Any], **_: Any) -> None:
        name = command[2].removeprefix("benchmarks.")
        if name != "broken":
            finish([Row(f"{name}, s", 1, 0.5 if name == "slow" else 2)], command[-1], seconds=[1, 1])

    monkeypatch.setattr(everything, "BENCHMARKS", names)
    monkeypatch.setattr(subprocess, "run", benchmark)
    with pytest.raises(SystemExit) as ended:
        everything.main(["--json", "kept/speed.json"])
    assert ended.value.code == code
    kept = json.loads(Path("kept/speed.json").read_text())
    assert (kept["cpu"], kept["cores"]) == (cpu_model(), os.cpu_count())
    assert kept["table"][0] == {"what": "one, s", "measured": 1, "target": 2, "at_least": False}
    assert kept["measurements"]["one"] == {"seconds": [1, 1]}
    assert set(kept["measurements"]) == set(names)


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


EVENTS = {
    "tensorflow": [
        "while/cnn_1/convolution_1_1/Relu:_MklNativeFusedConv2D",
        "gradient_tape/while/cnn_1/convolution_1_1/convolution/Conv2DBackpropFilter:_MklNativeConv2DBackpropFilter",
        "gradient_tape/while/cnn_1/convolution_2_1/convolution/Conv2DBackpropInput:_MklNativeConv2DBackpropInput",
        "gradient_tape/while/cnn_1/pooling_1_1/MaxPool2d/MaxPoolGrad:_MklNativeMaxPoolGrad",
        "while/cnn_1/pooling_1_1/MaxPool2d:_MklNativeMaxPool",
        "while/GatherV2:GatherV2",
    ],
    "pytorch": [
        "aten::mkldnn_convolution odd",
        "aten::convolution_backward even",
        "aten::convolution_backward odd",
        "aten::max_pool2d_with_indices_backward odd",
        "aten::max_pool2d_with_indices even",
        "aten::index_select odd",
    ],
}


@pytest.mark.parametrize(("library", "names"), list(enumerate(EVENTS.values())), ids=EVENTS)
def test_each_operation_of_a_step_is_counted_once_and_the_rest_is_what_remains(library: int, names: list[str]) -> None:
    events = [(name, number * operations.STEPS) for number, name in enumerate(names, start=1)]
    found = operations.by_operation(events, library=library, total=30 * operations.STEPS)
    assert {name: milliseconds for name, milliseconds in found.items() if milliseconds} == {
        "convolution 1, forward": 1,
        "convolution 1, filter gradient": 2,
        "convolution 2, both gradients": 3,
        "pooling, gradients": 4,
        "pooling": 5,
        operations.REST: 15,
    }


def test_arithmetic_of_a_step_is_that_of_its_layers() -> None:
    network = SimpleNamespace(filters=(32, 64), kernel_size=3, units=128)
    assert operations.flops_per_step(network) == {
        "convolution 1, forward": 2 * 32 * 28 * 28 * 9 * 32,
        "convolution 1, filter gradient": 2 * 32 * 28 * 28 * 9 * 32,
        "convolution 2, forward": 2 * 32 * 14 * 14 * 9 * 32 * 64,
        "convolution 2, both gradients": 2 * 2 * 32 * 14 * 14 * 9 * 32 * 64,
        "dense layers": 3 * 2 * 32 * (7 * 7 * 64 * 128 + 128 * 10),
    }
