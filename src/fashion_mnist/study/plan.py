"""A study: which trainings it holds, each as a value that can be sent to another process, and what it found."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from fashion_mnist.data.split import Labels
from fashion_mnist.params import Params
from fashion_mnist.params.parsing import parse_training
from fashion_mnist.params.training import TrainingParams

Kind = Literal["replicate", "other_cut", "article", "sweep"]
KINDS: tuple[Kind, ...] = ("replicate", "other_cut", "article", "sweep")


class Trial(NamedTuple):
    """One training of a study.

    kind: replicate (as `train` does, with another seed), other_cut (with another validation split, too), article (on
    all images, without validation) or sweep (with another number of hidden units; never scored on test). cut: the seed
    of the validation split; None where it is the one that `normalize` cut, or where there is none.
    """

    kind: Kind
    model: str
    params: TrainingParams
    cut: int | None = None

    @property
    def name(self) -> str:
        """What the trial is called in messages."""
        return name_trial(self.kind, self.model, units_of(self.params), self.params.seed)

    @property
    def is_scored_on_test(self) -> bool:
        """Whether the test split is opened after the training."""
        return self.kind != "sweep"

    def document(self) -> dict[str, Any]:
        """Return the trial as JSON values; `read_trial` turns them back."""
        return {"kind": self.kind, "model": self.model, "params": self.params.model_dump(mode="json"), "cut": self.cut}


def read_trial(document: Mapping[str, Any]) -> Trial:
    """Turn the values of `Trial.document` into a trial. Raises ParamsError if they are none."""
    params = parse_training(document["model"], document["params"])
    return Trial(document["kind"], document["model"], params, document["cut"])


def plan(params: Params) -> list[Trial]:
    """List the trials of a study; those that take longest first, so that all cores are busy to the end.

    A recipe, which no other model is compared with, is only trained with other seeds.
    """
    trials = []
    for model, count in params.study.replicates.items():
        for seed in range(1, count + 1):
            changed = params.training_of(model).model_copy(update={"seed": seed})
            trials.append(Trial("replicate", model, changed))
            if model in params.train:
                trials.append(Trial("other_cut", model, changed, cut=seed))
                trials.append(Trial("article", model, changed))
    for model, sweep in params.study.sweep.items():
        for units in sweep.units:
            for seed in range(1, sweep.seeds + 1):
                update = {"units": units, "epochs": sweep.epochs, "stop_after": None, "seed": seed}
                trials.append(Trial("sweep", model, params.training_of(model).model_copy(update=update)))
    order = {model: number for number, model in enumerate([*params.train, *params.recipes])}
    return sorted(
        trials,
        key=lambda trial: (
            -order.get(trial.model, -1),
            -trial.params.epochs,
            -(units_of(trial.params) or 0),
            trial.params.seed,
        ),
    )


def short_trial(model: str, params: TrainingParams) -> dict[str, Any]:
    """Return a short training of a model as JSON values: two epochs, in arithmetic that is the same on every CPU."""
    update = {"epochs": 2, "seed": 1, "precision": "float32", "instructions": "avx2"}
    return Trial("replicate", model, params.model_copy(update=update)).document()


def units_of(params: TrainingParams) -> int | None:
    """Return the units of a network's hidden layer; None if it has no such parameter."""
    units: int | None = getattr(params, "units", None)
    return units


def name_trial(kind: Kind, model: str, units: int | None, seed: int) -> str:
    """Name a training, such as "cnn replicate, seed 3" or "dense sweep, 512 units, seed 2"."""
    size = f", {units} units" if kind == "sweep" else ""
    return f"{model} {kind.replace('_', ' ')}{size}, seed {seed}"


class TrialRecord(NamedTuple):
    """What a study records of one trial.

    units: of the hidden layer, None if the network has no such parameter. cut: as in `Trial`. history: the columns
    epoch, loss, accuracy, val_loss and val_accuracy, each of shape (epochs,); the last two are NaN without validation.
    """

    kind: Kind
    model: str
    units: int | None
    seed: int
    cut: int | None
    history: Mapping[str, npt.NDArray[Any]]

    @property
    def name(self) -> str:
        """What the trial is called in the run store, as in messages."""
        return name_trial(self.kind, self.model, self.units, self.seed)


class Study(NamedTuple):
    """What a study found.

    description: the content of reports/study.json. labels: of the test images, uint8, shape (n,). predictions: by kind
    and model, the predicted classes, uint8, shape (seeds, n), seeds ascending; of every kind but sweep.
    """

    description: Mapping[str, Any]
    trials: Sequence[TrialRecord]
    labels: Labels
    predictions: Mapping[tuple[Kind, str], Labels]

    def accuracies(self, kind: Kind, model: str) -> npt.NDArray[np.float64]:
        """Return the accuracy of each training of a kind on test, shape (seeds,)."""
        return self.right(kind, model).mean(axis=1, dtype=np.float64)  # type: ignore[no-any-return]

    def right(self, kind: Kind, model: str) -> npt.NDArray[np.bool_]:
        """Return which test images each training of a kind classifies correctly, shape (seeds, n)."""
        right: npt.NDArray[np.bool_] = self.predictions[kind, model] == self.labels
        return right

    def histories(self, kind: Kind, model: str, column: str, *, units: int | None = None) -> npt.NDArray[np.float64]:
        """Return one column of the history of each training of a kind, shape (seeds, epochs); units: only of those."""
        chosen = (trial for trial in self.trials if (trial.kind, trial.model) == (kind, model))
        return np.stack([trial.history[column] for trial in chosen if units in (None, trial.units)])

    def sizes(self, model: str) -> list[int]:
        """Return the numbers of hidden units that a model was swept with, ascending."""
        swept = (trial for trial in self.trials if (trial.kind, trial.model) == ("sweep", model))
        return sorted({trial.units for trial in swept if trial.units is not None})
