"""Where each artifact is: each path is named once, here, relative to the project's folder."""

import os
from pathlib import Path

PARAMS = Path("params.yaml")
DVC_YAML = Path("dvc.yaml")
DVC_LOCK = Path("dvc.lock")
DVC_IGNORE = Path(".dvcignore")
REQUIREMENTS = Path("requirements/run.txt")
COMPUTE_LOCK = Path("requirements/compute.txt")

RAW = Path("data/raw")
NORMALIZED = Path("data/normalized")

MODELS = Path("models")
RECIPES = Path("recipes")

REPORTS = Path("reports")
DATA = REPORTS / "data.json"
HISTORIES = REPORTS / "history"
METRICS = REPORTS / "metrics"
PREDICTIONS = REPORTS / "predictions"
ARRAYS = REPORTS / "arrays.npz"
COMPARISON = REPORTS / "comparison.json"
FIGURES = REPORTS / "figures"
PAGE_MARKDOWN = REPORTS / "report.md"
PAGE_HTML = REPORTS / "report.html"
STUDY = REPORTS / "study.json"
STUDY_LOCK = Path("study/dvc.lock")
STUDY_TRIALS = REPORTS / "study/trials.csv"
STUDY_PREDICTIONS = REPORTS / "study/predictions"

TRACKING = Path("tracking")
RECEIPT = TRACKING / "receipt.json"


def archive_of(model: str) -> Path:
    """Return the path of a trained network."""
    return MODELS / model / "model.keras"


def history_of(model: str) -> Path:
    """Return the path of a training's epochs."""
    return HISTORIES / f"{model}.csv"


def recipe_files(model: str) -> tuple[Path, Path]:
    """Return the paths of a recipe's network and of its training's epochs."""
    return RECIPES / model / "model.keras", RECIPES / model / "history.csv"


def metrics_of(model: str) -> Path:
    """Return the path of a model's scores."""
    return METRICS / f"{model}.json"


def predictions_of(model: str) -> Path:
    """Return the path of a model's predictions for the test images."""
    return PREDICTIONS / f"{model}.csv"


def curve_of(change: str, model: str) -> Path:
    """Return the path of a model's accuracy on images changed in one way."""
    return REPORTS / change / f"{model}.csv"


def replicates_of(kind: str, model: str) -> Path:
    """Return the path of the predictions of a study's trainings of one kind."""
    return STUDY_PREDICTIONS / kind / f"{model}.csv"


def store_folder() -> Path:
    """Return the folder of the run store: the project's own, also within a queued experiment's copy of the project.

    DVC deletes such a copy when the experiment is done, and says in DVC_ROOT where the project is.
    """
    return Path(os.environ.get("DVC_ROOT", ".")).resolve() / TRACKING
