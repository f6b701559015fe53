"""Train a model once more, with another seed: MODEL SEED -> reports/seeds/MODEL/SEED.csv.

The spread between seeds is the noise that the gate must tolerate. These predictions on test enter no stage and choose
no model.
"""

import os
from collections.abc import Sequence

import pandas as pd

from fashion_mnist.errors import ParamsError
from pipeline.runtime.command import parse_arguments, progress_bar, quiet_import, run, say
from pipeline.runtime.formats import read_split, write_csv
from pipeline.runtime.numerics import choose_instructions
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import SEEDS

with quiet_import():
    from fashion_mnist.networks import build
    from fashion_mnist.training.determinism import configure_tensorflow
    from fashion_mnist.training.inference import predict
    from fashion_mnist.training.loop import fit
    from fashion_mnist.training.objective import most_probable


def main(argv: Sequence[str] | None = None) -> None:
    """Train, and write what the model predicts for every test image."""
    options = parse_arguments(
        argv, description=__doc__, model="a model that has a section under train", seed="in place of the section's own"
    )
    if not options.seed.isdecimal():
        raise ParamsError(f"seed is {options.seed!r}; expected a whole number, at least 0")
    read = read_params()
    params = read.training_of(options.model).model_copy(update={"seed": int(options.seed)})
    train, validation, test = (read_split(name) for name in ("train", "validation", "test"))
    choose_instructions(os.environ, params.instructions)
    configure_tensorflow(seed=params.seed, threads=params.threads)
    model = build(params)
    with progress_bar(total=params.epochs, label=f"{options.model}, seed {params.seed}", unit="epoch") as bar:
        history = fit(model, train, validation, params, on_epoch=lambda _: bar.update())
    predictions = most_probable(predict(model, test.images))
    table = pd.DataFrame({"label": test.labels, "prediction": predictions})
    write_csv(table, SEEDS / options.model / f"{params.seed}.csv")
    say(f"{options.model}, seed {params.seed}: validation accuracy {history[-1].val_accuracy:.4f}")


if __name__ == "__main__":
    run(main)
