"""Train one network: MODEL -> models/MODEL/model.keras, reports/history/MODEL.csv.

A recipe, which no stage of dvc.yaml is about, goes to recipes/MODEL/model.keras and history.csv.
"""

import os
import time
from collections.abc import Sequence

import pandas as pd

from pipeline.bytes.descriptions import read_dataset
from pipeline.bytes.formats import read_split, write_csv
from pipeline.bytes.numerics import choose_instructions
from pipeline.runtime.command import parse_arguments, progress_bar, quiet_import, run, say
from pipeline.runtime.costs import Work
from pipeline.runtime.files import write_bytes
from pipeline.runtime.live import live_run
from pipeline.runtime.lock import check_inputs
from pipeline.runtime.machine import available_workers
from pipeline.runtime.packages import check_packages
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import NORMALIZED, archive_of, history_of, recipe_files

with quiet_import():
    from fashion_mnist.networks import build
    from fashion_mnist.training.archive import refuse_unsavable, to_archive
    from fashion_mnist.training.determinism import configure_tensorflow
    from fashion_mnist.training.loop import EpochResult, Progress, fit


def main(argv: Sequence[str] | None = None) -> Work:
    """Train a model on train, watch it on validation, and record both."""
    name = parse_arguments(argv, description=__doc__, model="a section under train or recipes").model
    everything = read_params()
    params = everything.training_of(name)
    check_packages()
    check_inputs(NORMALIZED / "train", NORMALIZED / "validation")
    train, validation = read_split("train"), read_split("validation")
    choose_instructions(os.environ, params.instructions)
    configure_tensorflow(seed=params.seed, workers=min(params.shares, available_workers()))
    described = read_dataset("train")
    model = build(params, shape=described.image_shape, classes=len(described.classes))
    refuse_unsavable(model, name=params.network)
    say(f"{name}: {model.count_params():,} parameters, {len(train.labels):,} images, {params.epochs} epochs")
    with progress_bar(total=0, label=name, unit="step") as bar, live_run(name) as live:

        def show_progress(progress: Progress) -> None:
            bar.total = progress.steps
            bar.set_postfix_str(f"loss {progress.loss:.4f}, accuracy {progress.accuracy:.4f}", refresh=False)
            bar.update(progress.step - bar.n)

        def show_epoch(result: EpochResult) -> None:
            say(describe_epoch(result))
            live.show_epoch(result._asdict())

        started = time.perf_counter()
        history = fit(model, train, validation, params, on_progress=show_progress, on_epoch=show_epoch)
        seconds, images = time.perf_counter() - started, len(history) * len(train.labels)
        say(f"{name}: trained in {seconds:.1f} s, {images / seconds:,.0f} images a second")
        files = archive_of(name), history_of(name)
        archive, table = files if name in everything.train else recipe_files(name)
        write_bytes(to_archive(model), archive)
        write_csv(pd.DataFrame(history), table)
        live.finish()
    if archive != archive_of(name):
        say(f"{archive}: to compare it with the other models, move its section to train and run `dvc repro`")
    return Work([archive], images, seconds)


def describe_epoch(result: EpochResult) -> str:
    """Return an epoch's line; unlike the progress bar, it stays and reaches logs."""
    return (
        f"epoch {result.epoch:2}  loss {result.loss:.4f}  accuracy {result.accuracy:.4f}  "
        f"validation: loss {result.val_loss:.4f}  accuracy {result.val_accuracy:.4f}"
    )


if __name__ == "__main__":
    run(main)
