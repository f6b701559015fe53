"""Measure how often the gate errs, on the predictions of `make seeds`: trainings that differ in their seed alone.

A false alarm: one training fails against another. A caught drop: it fails once 1.5 points of its right predictions were
made wrong. Both depend on the margin; the default in params.yaml is the middle of the range in which, for one run of
every model, false alarms stay within 5 % and catches reach 95 %. Nothing is trained here. Run it in the folder of
params.yaml.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.append(str(Path(__file__).parents[1]))

from fashion_mnist.data.fashion_mnist import CLASS_NAMES
from fashion_mnist.data.split import Labels
from fashion_mnist.errors import ArtifactError
from fashion_mnist.params import GateParams
from fashion_mnist.scores.gating import Evaluation, judge
from pipeline.runtime.command import run
from pipeline.runtime.formats import read_csv
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import SEEDS
from pipeline.runtime.tables import REPLICATE

DROP = 0.015
MARGINS = [round(0.006 + 0.001 * step, 3) for step in range(13)]
MOST_FALSE_ALARMS, LEAST_CAUGHT = 0.05, 0.95
LEGEND = """Each cell: false alarms / planted drops caught. In bold: at most 5 % and at least 95 %."""


def main(argv: Sequence[str] | None = None) -> None:
    """Print the noise of each model, then a table of errors by margin, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args(argv)
    params = read_params()
    columns = {}
    print("| model | seeds | mean | standard deviation | lowest | highest | runs below a floor |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for model in params.models:
        labels, runs = read_runs(model)
        accuracies = [100 * np.mean(found == labels) for found in runs]
        below = sum(bool(verdict(labels, [found], [found], params.gate, model).failures) for found in runs)
        print(
            f"| {model} | {len(runs)} | {np.mean(accuracies):.2f} % | {np.std(accuracies, ddof=1):.2f} "
            f"| {min(accuracies):.2f} % | {max(accuracies):.2f} % | {below} |"
        )
        pairs = [([old], [new]) for old, new in permutations(runs, 2)]
        columns[f"{model}, one run"] = errors(labels, pairs, params.gate, model)
        for size in sorted({3, len(runs) // 2}):
            columns[f"{model}, {size} seeds"] = errors(labels, list(groups(runs, size)), params.gate, model)
    table = pd.DataFrame(columns, index=pd.Index([f"{100 * margin:.1f}" for margin in MARGINS], name="margin, points"))
    print(f"\n{LEGEND}\n\n{as_markdown(table)}")


def read_runs(model: str) -> tuple[Labels, list[Labels]]:
    """Return the test labels and what the model predicts with each seed."""
    files = sorted((SEEDS / model).glob("*.csv"))
    if len(files) < 2:
        raise ArtifactError(f"{SEEDS / model}: {len(files)} files; expected 10 or so. Run `make seeds`")
    tables = [read_csv(Path(file), columns=REPLICATE) for file in files]
    return tables[0]["label"], [table["prediction"] for table in tables]


def groups(runs: Sequence[Labels], size: int, *, most: int = 200) -> Iterator[tuple[list[Labels], list[Labels]]]:
    """Draw two disjoint groups of runs, old and new: all ways to do so, or `most` of them at random."""
    rng = np.random.default_rng(0)
    chosen = [
        (old, new)
        for old in combinations(range(len(runs)), size)
        for new in combinations(sorted(set(range(len(runs))) - set(old)), size)
    ]
    for number in rng.permutation(len(chosen))[:most]:
        old, new = chosen[number]
        yield [runs[index] for index in old], [runs[index] for index in new]


def errors(
    labels: Labels, pairs: Sequence[tuple[list[Labels], list[Labels]]], params: GateParams, model: str
) -> list[tuple[float, float]]:
    """Return for each margin the share of false alarms and of caught drops."""
    rng = np.random.default_rng(1)
    planted = [(old, [plant(labels, run, rng) for run in new]) for old, new in pairs]
    at_worst = [
        np.array([verdict(labels, old, new, params, model).at_worst for old, new in case]) for case in (pairs, planted)
    ]
    return [tuple(float(np.mean(bounds < -margin)) for bounds in at_worst) for margin in MARGINS]  # type: ignore[misc]


def verdict(labels: Labels, old: list[Labels], new: list[Labels], params: GateParams, model: str):
    """Judge one group of runs against another, as `pipeline.tools.gate` does."""
    sides = [Evaluation(runs[0], runs if len(runs) > 1 else ()) for runs in (new, old)]
    return judge(
        labels,
        *sides,
        margin=params.margin,
        confidence=params.confidence,
        floors=params.floors.get(model),
        class_names=CLASS_NAMES,
    )


def plant(labels: Labels, predictions: Labels, rng: np.random.Generator) -> Labels:
    """Make a share of DROP of all predictions wrong that were right, each by one of the other classes."""
    wrong = rng.choice(np.flatnonzero(predictions == labels), round(DROP * len(labels)), replace=False)
    spoiled = predictions.copy()
    spoiled[wrong] = (spoiled[wrong] + rng.integers(1, len(CLASS_NAMES), len(wrong))) % len(CLASS_NAMES)
    return spoiled


def as_markdown(table: pd.DataFrame) -> str:
    """Lay the table out; a cell that reaches both targets is bold."""
    lines = [f"| {table.index.name} | {' | '.join(table)} |", "| ---: |" + " ---: |" * len(table.columns)]
    for margin, row in table.iterrows():
        cells = [f"{100 * false:.0f} % / {100 * caught:.0f} %" for false, caught in row]
        good = [false <= MOST_FALSE_ALARMS and caught >= LEAST_CAUGHT for false, caught in row]
        marked = (f"**{cell}**" if fine else cell for cell, fine in zip(cells, good, strict=True))
        lines.append(f"| {margin} | {' | '.join(marked)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    run(main)
