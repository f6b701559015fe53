"""Time the whole pipeline: from nothing to the answer, to 91 % on test, with nothing to do, and on more data.

whole: a clone of the last commit runs its stages one by one, `dvc repro --force --single-item STAGE`, against the
source article's scripts, `python -m benchmarks.article`, after they have prepared their records. Each command is
measured on its own; the whole is the sum, which counts DVC's start seven times.
nothing: `dvc repro` in that clone.
stages: where the time of each stage goes, and evaluate and report against a bare load-and-score of both networks.
Trainings have one epoch here.
scaling: training on 1, 2, 4 and 8 times the 60,000 images, for the same number of steps.
fast: `cnn_one_cycle` with three seeds, on all 60,000 images, against ten epochs of the article's convolutional network.

Run it in the folder of params.yaml after `make repro`, on a machine that does nothing else. Exit code 1: a target is
missed.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.turns import ENVIRONMENT, SCRATCH, Result, Row, finish, parser_of, start

PROJECT = Path(__file__).parents[1]
CLONE = SCRATCH / "clone"
RAW = PROJECT / "data/raw"
STAGES = ("download", "normalize", "train dense", "train cnn", "evaluate", "report", "track")
TIMES = (1, 2, 4, 8)
STEPS = {"dense": 30_000, "cnn": 2_000}
SEEDS = (1, 2, 3)
# Half precision is faster than float32 where the CPU has one of these.
BF16 = ("avx512_bf16", "amx_bf16")
Measured = tuple[list[Row], Any]


def main(argv: Sequence[str] | None = None) -> None:
    """Measure the chosen parts, print a table for each, then the targets."""
    options = parse(argv)
    if not (RAW / "train-labels-idx1-ubyte.gz").is_file():
        sys.exit(f"error: {RAW} does not hold the published files; run `make repro` first")
    if "whole" not in options.parts and {"nothing", "stages"} & {*options.parts} and not CLONE.is_dir():
        sys.exit(f"error: {CLONE} is missing; measure `whole` first, which makes it")
    rows: list[Row] = []
    measurements = {}
    for part in options.parts:
        found, measurements[part] = PARTS[part](options)
        rows += found
    sys.exit(finish(rows, options.json, **measurements))


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = parser_of(__doc__, rounds=1)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="default: all, in this order")
    return parser.parse_args(argv)


def whole(options: argparse.Namespace) -> Measured:
    """Measure a clone's stages against the article's scripts."""
    turns = []
    for number in range(1, options.rounds + 1):
        make_clone()
        ours = {stage: dvc(f"repro --force --single-item {stage.replace(' ', '@')}", options) for stage in STAGES}
        shutil.rmtree(SCRATCH / "tfds", ignore_errors=True)
        theirs = {name: article(name, number, options.rest)["process s"] for name in ("prepare", "dense", "cnn")}
        turns.append({"pipeline": ours, "article": theirs})
        print(f"the whole, round {number}: {seconds_of(ours)}; the article: {seconds_of(theirs)}")
    ratio = statistics.median(sum(turn["pipeline"].values()) / sum(turn["article"].values()) for turn in turns)
    return [Row("dvc repro from nothing / the article's scripts", ratio, 0.7)], turns


def seconds_of(parts: dict[str, float]) -> str:
    """Return a sum with its parts, as text."""
    return f"{sum(parts.values()):.1f} s ({', '.join(f'{name} {seconds:.1f}' for name, seconds in parts.items())})"


@cache
def article(name: str, _round: int, rest: float) -> Result:
    """Return what one of the article's scripts measured; each runs once a round."""
    return start(["benchmarks.article", name], label=f"the article, {name}", rest=rest)


def make_clone() -> None:
    """Make an empty clone of the last commit."""
    shutil.rmtree(CLONE, ignore_errors=True)
    CLONE.parent.mkdir(exist_ok=True)
    subprocess.run(["git", "clone", "--quiet", PROJECT, CLONE], check=True)  # noqa: S607


def in_clone() -> dict[str, Any]:
    """Return where and with which variables a command runs in the clone: on its own code, from a mirror."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{ENVIRONMENT['PATH']}",
        "PYTHONPATH": str(CLONE.resolve() / "src"),
        "DVC_SITE_CACHE_DIR": str(CLONE.resolve() / ".dvc/site-cache"),
        "FASHION_MNIST_MIRROR": str(RAW.resolve()),
    }
    return {"folder": CLONE, "environment": environment}


def dvc(command: str, options: argparse.Namespace) -> float:
    """Run DVC in the clone; returns the seconds."""
    return float(start(["dvc", *command.split()], label=f"dvc {command}", rest=options.rest, **in_clone())["process s"])


def nothing(options: argparse.Namespace) -> Measured:
    """Measure `dvc repro` with nothing to do."""
    dvc("repro", options)  # brings up to date what the single stages left
    seconds = [dvc("repro", options) for _ in range(3 * options.rounds)]
    return [Row("dvc repro with nothing to do, s", statistics.median(seconds), 1.6)], seconds


def stages(options: argparse.Namespace) -> Measured:
    """Split each stage's time into start, work and end; compare evaluate and report with the bare script."""
    bare = [start(["benchmarks.bare"], label="bare load-and-score", rest=options.rest, **in_clone())]
    order = ["download", "normalize", "evaluate", "report", "track", "train dense", "train cnn"]
    split = {}
    for stage in order:
        if stage == "train dense":  # from here on the models are not those of dvc.lock
            shorten_trainings()
        split[stage] = start(
            ["benchmarks.stage", *stage.split()], label=f"stage {stage}", rest=options.rest, **in_clone()
        )
    bare.append(start(["benchmarks.bare"], label="bare load-and-score", rest=options.rest, **in_clone()))
    print("\n| stage | start s | work s | end s |\n| --- | ---: | ---: | ---: |")
    for stage, found in split.items():
        end = found["process s"] - found["start"] - found["work"]
        print(f"| {stage} | {found['start']:.1f} | {found['work']:.1f} | {end:.1f} |")
    shutil.rmtree(CLONE)
    ratio = sum(split[name]["process s"] for name in ("evaluate", "report")) / statistics.mean(
        turn["process s"] for turn in bare
    )
    return [Row("evaluate and report / bare load-and-score", ratio, 2)], {"bare": bare, "split": split}


def shorten_trainings() -> None:
    """Let the clone's trainings have one epoch."""
    path = CLONE / "params.yaml"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join("    epochs: 1\n" if line.startswith("    epochs: ") else line for line in lines))


def scaling(options: argparse.Namespace) -> Measured:
    """Measure the time an image takes, and memory, on more data."""
    rows, turns = [], {}
    for model, steps in STEPS.items():
        found = [
            [
                start(
                    ["benchmarks.trainings", "scaling", model, str(times), str(steps)],
                    label=f"{model} on {times} times the data",
                    rest=options.rest,
                )
                for times in TIMES
            ]
            for _ in range(options.rounds)
        ]
        slower = [
            statistics.median(turn[i]["microseconds"] / turn[0]["microseconds"] for turn in found) for i in (1, 2, 3)
        ]
        first, last = found[0][0], found[0][-1]
        growth = (last["MiB"] - first["MiB"]) / (last["data MiB"] - first["data MiB"])
        rows += [
            Row(f"{model}: an image on 2, 4, 8 times the data / on 1, slowest", max(slower), 1.05),
            Row(f"{model}: growth of memory / growth of data", growth, 1),
        ]
        turns[model] = found
    return rows, turns


def fast(options: argparse.Namespace) -> Measured:
    """Measure the time to 91 % on test against the article's ten epochs."""
    rows, reference = [], article("cnn", 1, options.rest)
    turns: dict[str, Any] = {"article": reference}
    for precision in ("float32", *(["mixed_bfloat16"] if has_bfloat16() else [])):
        turns[precision] = [
            start(
                ["benchmarks.trainings", "fast", str(seed), precision],
                label=f"cnn_one_cycle, {precision}, seed {seed}",
                rest=options.rest,
            )
            for seed in SEEDS
        ]
        ratio = statistics.mean(turn["seconds"] for turn in turns[precision]) / reference["seconds"]
        accuracy = statistics.mean(turn["accuracy"] for turn in turns[precision])
        rows += [
            Row(f"cnn_one_cycle, {precision} / the article's ten epochs", ratio, 0.12),
            Row(f"cnn_one_cycle, {precision}: mean test accuracy", accuracy, 0.91, at_least=True),
        ]
    return rows, turns


def has_bfloat16() -> bool:
    """Whether this CPU multiplies in bfloat16, as far as Linux says."""
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.is_file() and any(f" {flag} " in cpuinfo.read_text() for flag in BF16)


PARTS: dict[str, Callable[[argparse.Namespace], Measured]] = {
    "whole": whole,
    "nothing": nothing,
    "stages": stages,
    "scaling": scaling,
    "fast": fast,
}

if __name__ == "__main__":
    main()
