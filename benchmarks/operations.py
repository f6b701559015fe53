"""Show what each operation of the convolutional network's training step takes, in TensorFlow and in PyTorch.

Both libraries' profilers measure it, with batches of 32 and one thread. TensorFlow is limited to AVX2, as this
pipeline's trainings are; PyTorch uses all that the CPU has. The limit is the time that the faster library's matrix
product would need for the same arithmetic. A second table shows the steps of this pipeline as it trains, with a thread
for each share: how long each thread computes, and how long it waits. Profiling adds time, so trust proportions more
than sums. Run it in the folder of params.yaml after `make bench` has installed PyTorch.
"""

import argparse
import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.training import BATCH, check_ready, flops_per_image, pytorch, read_scaled
from benchmarks.turns import Result, start
from fashion_mnist.data.split import Split
from fashion_mnist.sources.fashion_mnist import CLASS_NAMES, IMAGE_SHAPE, SIDE
from pipeline.bytes.numerics import choose_instructions
from pipeline.runtime.command import run
from pipeline.runtime.machine import LIMIT, available_workers, cpu_model
from pipeline.runtime.parameters import read_params

STEPS = 250
REST = "the rest"
# What holds operations and is none.
OUTER = ("ExecutorState::", "KernelAndDeviceFunc::", "EagerLocalExecute:")
# The operations of a step: by TensorFlow's name of one, then by PyTorch's. The first that fits counts. PyTorch does not
# name layers, but the two convolutions take turns, forward and, in the other order, backward.
OPERATIONS = {
    "convolution 1, forward": (r"convolution_1.*FusedConv2D", r"aten::mkldnn_convolution odd"),
    "convolution 2, forward": (r"convolution_2.*FusedConv2D", r"aten::mkldnn_convolution even"),
    "convolution 2, both gradients": (
        r"convolution_2.*(Conv2DBackprop|BiasAddGrad)",
        r"aten::convolution_backward odd",
    ),
    "convolution 1, filter gradient": (
        r"convolution_1.*(Conv2DBackpropFilter|BiasAddGrad)",
        r"aten::convolution_backward even",
    ),
    "pooling, gradients": (r"MaxPoolGrad", r"aten::max_pool2d_with_indices_backward "),
    "pooling": (r"MaxPool", r"aten::max_pool2d_with_indices "),
    "ReLU that is not fused, and its gradients": (r"ReluGrad", r"aten::(relu|threshold_backward) "),
    "dense layers": (r"MatMul", r"aten::(addmm|mm) "),
    "Adam": (r"ResourceApplyAdam", r"aten::_fused_adam_ "),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Profile both in processes of their own, then print one table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contender", choices=JOBS, help="profile one in this process; prints JSON")
    options = parser.parse_args(argv)
    fixed = {"epochs": 1, "batch_size": BATCH, "precision": "float32", "instructions": "avx2"}
    params = read_params().train["cnn"].model_copy(update=fixed)
    if options.contender:
        print(json.dumps(JOBS[options.contender](params)))
        return
    check_ready()
    alone = {LIMIT: "1"}
    command = ["benchmarks.training", "--contender", "sgemm", "--model", "cnn"]
    rates = start(command, label="matrix product in GFLOP/s", environment=alone)
    found = {
        job: start(["benchmarks.operations", "--contender", job], label=job, environment=alone)["ms"]
        for job in ("tensorflow", "pytorch")
    }
    fastest = max(rates["tensorflow"], rates["pytorch"])
    limits = {name: flops / fastest / 1e6 for name, flops in flops_per_step(params).items()}
    table = pd.DataFrame({"TensorFlow": found["tensorflow"], "PyTorch": found["pytorch"], "limit": limits})
    table = table.reindex([*OPERATIONS, REST])
    table.loc["**the step**"] = table.sum()
    print(f"{cpu_model()}, one core, {fastest:.0f} GFLOP/s; milliseconds a step\n")
    print("| operation | TensorFlow | PyTorch | limit |\n| --- | ---: | ---: | ---: |")
    for name, row in table.iterrows():
        print(f"| {name} | " + " | ".join("–" if pd.isna(value) else f"{value:.2f}" for value in row) + " |")
    threads = start(["benchmarks.operations", "--contender", "threads"], label="threads")
    step = threads.pop("step")
    print(f"\na step with a thread for each share: {step:.2f} ms\n")
    print("| thread | computes | of that Adam and sums | waits |\n| --- | ---: | ---: | ---: |")
    for name, (busy, update) in threads["threads"].items():
        print(f"| {name} | {busy:.2f} | {update:.2f} | {step - busy:.2f} |")


def profile_tensorflow(params: Any) -> Result:
    """Profile the steps of this pipeline's loop; the milliseconds of each operation in a step."""
    events = [(name, milliseconds) for _, name, milliseconds in trace(params)]
    total = sum(milliseconds for name, milliseconds in events if name == "train_steps")
    return {"ms": by_operation(events, library=0, total=total)}


def profile_threads(params: Any) -> Result:
    """Profile the steps of this pipeline's loop; what each thread computes in a step, in milliseconds."""
    events = trace(params)
    step = sum(milliseconds for _, name, milliseconds in events if name == "train_steps") / STEPS
    busiest = by_thread(events)[: params.shares]
    return {"step": step, "threads": {str(number): busy for number, busy in enumerate(busiest, 1)}}


def by_thread(events: Iterable[tuple[int, str, float]]) -> list[list[float]]:
    """Return the milliseconds that each thread computes in a step, and those for Adam and sums; busiest first."""
    found: dict[int, list[float]] = {}
    for thread, name, milliseconds in events:
        if ":" in name and not name.startswith(OUTER):  # "layer:Operation"
            busy = found.setdefault(thread, [0.0, 0.0])
            busy[0] += milliseconds / STEPS
            busy[1] += milliseconds / STEPS * bool(re.search(r"ResourceApplyAdam|AddN", name))
    return sorted(found.values(), reverse=True)


def trace(params: Any) -> list[tuple[int, str, float]]:
    """Train for some steps under TensorFlow's profiler; returns each event: its thread, name and milliseconds."""
    choose_instructions(os.environ, params.instructions)
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    from fashion_mnist.networks import build
    from fashion_mnist.training.determinism import configure_tensorflow
    from fashion_mnist.training.loop import STEPS_PER_CALL, Progress, fit

    configure_tensorflow(seed=params.seed, workers=min(params.shares, available_workers()))
    model, train = build(params, shape=IMAGE_SHAPE, classes=len(CLASS_NAMES)), read_scaled("train")
    images = (STEPS_PER_CALL + STEPS) * BATCH
    few = Split(train.images[:images], train.labels[:images])
    with tempfile.TemporaryDirectory() as folder:

        def leave_out_compilation(progress: Progress) -> None:
            if progress.step == STEPS_PER_CALL:
                tf.profiler.experimental.start(folder)

        fit(model, few, None, params, on_progress=leave_out_compilation)
        tf.profiler.experimental.stop()
        (file,) = Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(file.read_bytes())
    return [
        (line.id, plane.event_metadata[event.metadata_id].name, event.duration_ps / 1e9)
        for plane in space.planes
        for line in plane.lines
        for event in line.events
    ]


def profile_pytorch(params: Any) -> Result:
    """Profile PyTorch's steps; the milliseconds of each operation in a step."""
    choose_instructions(os.environ, "native")
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        _, seconds = pytorch(params.model_copy(update={"epochs": 2}), epoch_size=STEPS * BATCH)["seconds"]
    events, seen = [], Counter[str]()
    for event in sorted(profiled.events(), key=lambda event: event.time_range.start):
        warm = STEPS <= seen["aten::_fused_adam_"] < 2 * STEPS  # the first epoch warms up; the test follows the second
        seen[event.name] += 1
        if warm:
            events.append((f"{event.name} {'odd' if seen[event.name] % 2 else 'even'}", event.cpu_time_total / 1e3))
    return {"ms": by_operation(events, library=1, total=1e3 * seconds)}


def by_operation(events: Iterable[tuple[str, float]], *, library: int, total: float) -> dict[str, float]:
    """Return the milliseconds of each operation in a step; events: names and milliseconds, total: over all steps."""
    found = dict.fromkeys(OPERATIONS, 0.0)
    for name, milliseconds in events:
        operation = next((key for key, patterns in OPERATIONS.items() if re.search(patterns[library], name)), None)
        if operation:
            found[operation] += milliseconds / STEPS
    found[REST] = total / STEPS - sum(found.values())
    return {operation: round(milliseconds, 3) for operation, milliseconds in found.items()}


def flops_per_step(params: Any) -> dict[str, int]:
    """Count the floating-point operations of a step where they are matrix products or convolutions."""
    (first, second), window = params.filters, params.kernel_size**2
    convolution_1 = 2 * BATCH * SIDE**2 * window * first
    convolution_2 = 2 * BATCH * SIDE**2 // 4 * window * first * second
    return {
        "convolution 1, forward": convolution_1,
        "convolution 2, forward": convolution_2,
        "convolution 2, both gradients": 2 * convolution_2,
        "convolution 1, filter gradient": convolution_1,
        "dense layers": BATCH * flops_per_image(params) - 2 * convolution_1 - 3 * convolution_2,
    }


JOBS: dict[str, Callable[[Any], Result]] = {
    "tensorflow": profile_tensorflow,
    "pytorch": profile_pytorch,
    "threads": profile_threads,
}

if __name__ == "__main__":
    run(main)
