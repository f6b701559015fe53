"""Studies of the forty images of `evidence`, made up so that a person can compute what the page should say."""

from collections.abc import Mapping, Sequence

import numpy as np

from fashion_mnist.params.parsing import parse_params
from fashion_mnist.study.plan import KINDS, Kind, Study, TrialRecord
from tests.small_study import small_study
from tests.unit.report.evidence import FROZEN, predicted

STUDY = small_study(parse_params(FROZEN, source="tests/params.yaml"), predicted())


def with_errors(study: Study, kind: Kind, model: str, errors: Sequence[int]) -> Study:
    """Let the trainings of one kind get so many images wrong, the first ones, a training for each number."""
    made = np.stack([predicted(*range(count)) for count in errors])
    return study._replace(predictions={**study.predictions, (kind, model): made})


def counted(dense: Sequence[int], cnn: Sequence[int]) -> Study:
    """Return a study in which the trainings of every kind get so many images wrong."""
    study = STUDY
    for kind in KINDS[:3]:
        study = with_errors(with_errors(study, kind, "dense", dense), kind, "cnn", cnn)
    return study


def without(study: Study, model: str) -> Study:
    """Leave out a model, as where its parameters changed since the study."""
    return study._replace(
        trials=[trial for trial in study.trials if trial.model != model],
        predictions={key: made for key, made in study.predictions.items() if key[1] != model},
    )


def swept(study: Study, reached: Mapping[int, Sequence[float]], *, model: str = "dense") -> Study:
    """Let a model be swept with these units alone, of which each seed has these accuracies on validation by epoch.

    Its loss on validation is lowest where the accuracy is highest.
    """
    kept = [trial for trial in study.trials if (trial.kind, trial.model) != ("sweep", model)]
    for units, accuracies in reached.items():
        for seed in (1, 2, 3):
            values = np.array(accuracies) + 0.001 * seed
            history = {"epoch": np.arange(1, len(values) + 1), "val_accuracy": values, "val_loss": 1 - values}
            kept.append(TrialRecord("sweep", model, units, seed, None, history))
    return study._replace(trials=kept)
