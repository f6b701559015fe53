"""Claims about what decides the bits of a process."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from checks.known_answer import known
from fashion_mnist.errors import ParamsError
from pipeline.bytes import numerics
from pipeline.bytes.numerics import AVX2, SETTINGS, TENSORFLOW_LIMITS, choose_instructions, fix_numerics, has_avx2
from pipeline.runtime.machine import LIMIT, available_workers

PROJECT = Path(__file__).parents[2]
HOSTILE = {
    "XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2",
    "TF_XLA_FLAGS": "--tf_xla_auto_jit=2",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "DNNL_DEFAULT_FPMATH_MODE": "BF16",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "OMP_NUM_THREADS": "7",
    "MKL_NUM_THREADS": "7",
    "OPENBLAS_CORETYPE": "Prescott",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3",
    "KERAS_BACKEND": "jax",
}
NOT_PROMISED = "the same bits are promised on x86-64 with AVX2; elsewhere metrics agree within their intervals"


PINS = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2 --xla_cpu_prefer_vector_width=256 --xla_cpu_use_xnnpack=false "
    "--xla_cpu_enable_platform_dependent_math=false",
    "TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL": "0",
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
}


def test_every_pin_is_set() -> None:
    # Said again here, so that none can be lost unnoticed: this CPU may have nothing that a pin limits.
    assert AVX2 == PINS
    assert SETTINGS == {"KERAS_BACKEND": "tensorflow", "TF_ENABLE_ONEDNN_OPTS": "1", "OPENBLAS_NUM_THREADS": "1"}


def test_variables_of_the_shell_are_replaced_or_removed() -> None:
    environment = {**HOSTILE, "PATH": "/bin", "TF_FORCE_GPU_ALLOW_GROWTH": "true", "KERAS_HOME": "/home/keras"}
    fix_numerics(environment)
    expected = SETTINGS | (AVX2 if has_avx2() else {})
    assert environment == expected | {
        "PATH": "/bin",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "KERAS_HOME": "/home/keras",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def test_limits_are_not_set_where_avx2_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numerics, "has_avx2", lambda: False)
    environment: dict[str, str] = {}
    fix_numerics(environment)
    assert not set(environment) & set(AVX2)


@pytest.mark.parametrize(
    ("machine", "flags", "found"),
    [
        ("x86_64", "avx avx2 bmi1", True),
        ("AMD64", "avx avx2 bmi1", True),
        ("x86_64", "avx bmi1", False),
        ("aarch64", "avx avx2 bmi1", False),
        ("x86_64", None, False),
    ],
)
def test_avx2_is_what_linux_says_of_an_x86_cpu(
    machine: str, flags: str | None, found: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(numerics, "CPUINFO", tmp_path / "cpuinfo")
    if flags:
        (tmp_path / "cpuinfo").write_text(f"flags : {flags}\n")
    assert has_avx2() is found


@pytest.mark.parametrize(("instructions", "limited"), [("avx2", True), ("native", False)])
def test_native_lifts_the_limits_on_tensorflow(instructions: str, limited: bool) -> None:
    environment = SETTINGS | AVX2
    choose_instructions(environment, instructions)  # type: ignore[arg-type]
    assert all(name in environment for name in TENSORFLOW_LIMITS) == limited
    assert any(name in environment for name in TENSORFLOW_LIMITS) == limited


def test_nothing_is_computed_in_a_process_whose_numerics_are_not_fixed() -> None:
    with pytest.raises(RuntimeError, match="import the package pipeline first"):
        choose_instructions({}, "avx2")


def test_every_process_of_the_pipeline_begins_with_fixed_numerics() -> None:
    script = "import os, sys, pipeline; assert 'numpy' not in sys.modules; print(os.environ['TF_ENABLE_ONEDNN_OPTS'])"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | HOSTILE,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "1"


def run_known_answer(*arguments: str, script: str = "", **environment: str) -> dict[str, str]:
    """Compute the known answers in a process of their own; script: Python that runs first."""
    command = [
        sys.executable,
        "-c",
        f"import pipeline, os\n{script}\nfrom checks.known_answer import main\nmain({list(arguments)})",
    ]
    done = subprocess.run(
        command, cwd=PROJECT, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_as_many_workers_as_cores_unless_a_user_wants_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    cores = len(os.sched_getaffinity(0))
    for limit, expected in (("", cores), ("1", 1), (str(cores + 1), cores)):
        monkeypatch.setenv(LIMIT, limit)
        assert available_workers() == expected


@pytest.mark.parametrize("limit", ["two", "0", "-1", "1.5", "²"])
def test_limit_on_workers_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setenv(LIMIT, limit)
    with pytest.raises(ParamsError, match=f"^{LIMIT} is '{limit}'; expected a whole number from 1"):
        available_workers()


@pytest.mark.slow
@pytest.mark.skipif(not has_avx2(), reason=f"{platform.machine()}: {NOT_PROMISED}")
def test_known_answers_come_out_whatever_the_shell_the_workers_and_settings_files_say(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("lines.linewidth: 3\nsavefig.bbox: tight\n")
    (tmp_path / "keras.json").write_text('{"floatx": "float64", "epsilon": 0.1, "image_data_format": "channels_first"}')
    settings = {"MATPLOTLIBRC": str(tmp_path), "KERAS_HOME": str(tmp_path)}
    assert run_known_answer("--workers", "3", **HOSTILE | settings) == known()


@pytest.mark.slow
@pytest.mark.skipif(not has_avx2(), reason=f"{platform.machine()}: {NOT_PROMISED}")
def test_known_answers_depend_on_the_limits() -> None:
    lowered = "os.environ |= {'ONEDNN_MAX_CPU_ISA': 'SSE41', 'XLA_FLAGS': '--xla_cpu_max_isa=SSE4_2'}"
    found, expected = run_known_answer(script=lowered), known()
    differing = {name for name in expected if found[name] != expected[name]}
    assert {"dense: training", "cnn: training"} <= differing
    assert "images" not in differing
