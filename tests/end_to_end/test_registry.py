"""Promotion against the present champion, and the way back, in a real store."""

from pathlib import Path

import numpy as np
import pytest

from fashion_mnist.data.published import FASHION_MNIST
from fashion_mnist.params import GateParams
from fashion_mnist.scores.promotion import Contender
from pipeline.store.connection import Store, TrackingError, open_store
from pipeline.store.registry import Candidate, promote, roll_back, version_of
from pipeline.store.runs import start_run

LABELS = np.repeat(np.arange(10, dtype=np.uint8), 100)
GATE = GateParams(margin=0.012, confidence=0.95, floors={})


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("DVC_ROOT", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def candidate(store: Store, tmp_path: Path, model: str, validation: float, *, wrong: int) -> Candidate:
    """A model that errs on the first images; its run holds what it predicted."""
    predictions = LABELS.copy()
    predictions[:wrong] = 9
    run_id = start_run(store, name=model, tags={})
    rows = "\n".join(f"{label},{found},0.5" for label, found in zip(LABELS, predictions, strict=True))
    (tmp_path / f"{model}.csv").write_text(f"label,prediction,confidence\n{rows}\n")
    store.client.log_artifact(run_id, str(tmp_path / f"{model}.csv"), "predictions")
    logged = store.client.create_logged_model(store.experiment_id, name=model, source_run_id=run_id)
    store.client.finalize_logged_model(logged.model_id, "READY")
    return Candidate(
        f"{model} {validation} {wrong}",
        run_id,
        logged.model_id,
        {"model": model, "validation_accuracy": str(validation)},
        "a description",
        Contender(model, validation, LABELS, predictions),
    )


def champion(store: Store) -> str | None:
    version = version_of(store, "champion")
    return version and str(version.version)


def test_champion_moves_stays_and_goes_back(workspace: Path) -> None:
    with open_store("fashion-mnist") as store:

        def offer(validation: float, wrong: int) -> str:
            offered = {"cnn": candidate(store, workspace, "cnn", validation, wrong=wrong)}
            return promote(store, offered, GATE, FASHION_MNIST)

        with pytest.raises(TrackingError, match="no champion; expected one to roll back"):
            roll_back(store)
        assert "no champion before" in offer(0.90, 60)
        with pytest.raises(TrackingError, match="replaced no champion"):
            roll_back(store)
        assert champion(store) == "1"

        assert "the gate passes" in offer(0.92, 50)
        assert champion(store) == "2"

        refused = offer(0.95, 200)
        assert "version 3 not promoted" in refused
        assert "15.00 points lost" in refused
        assert champion(store) == "2"
        assert "the gate refuses it" in store.client.get_model_version("fashion-mnist", "3").tags["promotion"]
        assert str(version_of(store, "challenger").version) == "3"

        assert "does not beat" in offer(0.91, 0)
        assert champion(store) == "2"

        assert roll_back(store) == "champion is version 1 again, cnn"
        assert champion(store) == "1"
        assert str(version_of(store, "challenger").version) == "2"
        # The same model once more, such as after a changed margin: no second version, and no way back up by itself.
        assert "was rolled back and is not promoted again" in offer(0.92, 50)
        assert champion(store) == "1"
