"""What decides the bits of a process's arithmetic, set before NumPy or TensorFlow is imported.

Libraries choose their code by what the CPU offers, and by variables of the shell. This module removes both influences:
it deletes the variables and allows no instructions beyond AVX2, which nearly every x86-64 CPU since 2013 has.
"""

import platform
from collections.abc import MutableMapping
from pathlib import Path
from typing import Literal

CPUINFO = Path("/proc/cpuinfo")

# A user's shell may set any of these; each can change bits, or the number of threads.
PREFIXES = (
    "BLIS_", "DNNL_", "EIGEN_", "GOTO_", "KERAS_", "KMP_", "MKL_", "NPY_", "OMP_", "ONEDNN_", "OPENBLAS_", "SCIPY_",
    "TENSORFLOW_", "TF_", "TSL_", "XLA_",
)  # fmt: skip
# Users need these, and on a CPU they change no bits.
KEPT = ("KERAS_HOME", "TF_CONFIG", "TF_CPP_", "TF_CUDA_", "TF_FORCE_GPU_ALLOW_GROWTH", "TF_GPU_")

SETTINGS = {
    # Keras' own configuration file may name another backend.
    "KERAS_BACKEND": "tensorflow",
    # TensorFlow's default depends on the CPU.
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
# Lifted for `native` instructions.
TENSORFLOW_LIMITS = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    # XNNPACK and YNNPACK, which compute matrix products, choose their code by the CPU, whatever max_isa says. The last
    # flag makes YNNPACK's sums the same on all of them.
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2 --xla_cpu_prefer_vector_width=256 --xla_cpu_use_xnnpack=false "
    "--xla_cpu_enable_platform_dependent_math=false",
    # Eigen's own matrix product: the other one cuts long sums by the size of the CPU's caches.
    "TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL": "0",
}
AVX2 = TENSORFLOW_LIMITS | {
    # NumPy's and SciPy's copies of OpenBLAS; Haswell was the first CPU with AVX2.
    "OPENBLAS_CORETYPE": "Haswell",
    # The parts of NumPy that are compiled for more than AVX2: np.__config__.show() lists them.
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
}


def fix_numerics(environment: MutableMapping[str, str]) -> None:
    """Set the variables that decide the bits, whatever the user's shell says; environment: that of this process."""
    for name in [name for name in environment if name.startswith(PREFIXES) and not name.startswith(KEPT)]:
        del environment[name]
    environment.update(SETTINGS)
    if has_avx2():
        environment.update(AVX2)
    # Silence TensorFlow's start-up messages.
    environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def has_avx2() -> bool:
    """Return whether this is an x86-64 CPU with AVX2, as far as Linux says."""
    return platform.machine() in ("x86_64", "AMD64") and CPUINFO.is_file() and " avx2 " in CPUINFO.read_text()


def choose_instructions(environment: MutableMapping[str, str], instructions: Literal["avx2", "native"]) -> None:
    """Lift the limits on TensorFlow where `native` instructions are asked for; call it before TensorFlow computes.

    Raises RuntimeError if `fix_numerics` was not called: other bits would go unnoticed.
    """
    if not SETTINGS.items() <= environment.items():
        raise RuntimeError("the numerics of this process are not fixed; import the package pipeline first")
    if instructions == "native":
        for name in TENSORFLOW_LIMITS:
            environment.pop(name, None)
