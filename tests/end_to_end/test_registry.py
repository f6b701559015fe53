"""Promotion against the present champion, and the way back, in a real store; also against one of other data."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fashion_mnist.data.dataset import scale_pixels
from fashion_mnist.data.description import DataDescription, Source, describe
from fashion_mnist.data.split import RawSplit, Split
from fashion_mnist.gate.promotion import Contender
from fashion_mnist.params import GateParams
from fashion_mnist.sources.published import FASHION_MNIST
from pipeline.store.champion import describe_misfit, identify_data
from pipeline.store.connection import DATABASE, OvertakenError, Store, TrackingError, open_store
from pipeline.store.logged_model import LoadedModel
from pipeline.store.registry import Candidate, promote, roll_back, version_of
from pipeline.store.runs import start_run
from tests.end_to_end.conftest import empty_database

pytestmark = pytest.mark.slow

LABELS = np.repeat(np.arange(10, dtype=np.uint8), 100)
GATE = GateParams(margin=0.012, confidence=0.95, floors={})
IMAGES = np.zeros((1000, 28, 28, 1), np.uint8)


def data(seed: int, **changes: Any) -> DataDescription:
    """Describe images that no other seed has."""
    images = IMAGES + np.uint8(seed)
    split = RawSplit(images, LABELS)
    splits = {"train": split, "validation": split, "test": split}
    return describe(Source(FASHION_MNIST, split, split), splits).model_copy(update=changes)


OLD, NEW = data(1), data(2)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("DVC_ROOT", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "tracking").mkdir()
    (tmp_path / "tracking" / DATABASE).write_bytes(empty_database())
    return tmp_path


def candidate(
    store: Store, tmp_path: Path, model: str, validation: float, *, wrong: int, of: DataDescription = OLD
) -> Candidate:
    """A model that errs on the first images; its run holds what it predicted."""
    predictions = LABELS.copy()
    predictions[:wrong] = 9
    run_id = start_run(store, name=model, tags={})
    rows = "\n".join(f"{label},{found},0.5" for label, found in zip(LABELS, predictions, strict=True))
    (tmp_path / f"{model}.csv").write_text(f"label,prediction,confidence\n{rows}\n")
    store.client.log_artifact(run_id, str(tmp_path / f"{model}.csv"), "predictions")
    logged = store.client.create_logged_model(store.experiment_id, name=model, source_run_id=run_id)
    (tmp_path / "logged").mkdir(exist_ok=True)
    (tmp_path / "logged/model.keras").write_bytes(b"a network")
    store.client.log_model_artifacts(logged.model_id, str(tmp_path / "logged"))
    store.client.finalize_logged_model(logged.model_id, "READY")
    return Candidate(
        f"{model} {validation} {wrong}",
        run_id,
        logged.model_id,
        {"model": model, "validation_accuracy": str(validation), **identify_data(of)},
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
            return promote(store, offered, GATE, OLD)

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


def answering(*, wrong: int, **config: Any) -> LoadedModel:
    """A loaded champion that errs on the first images."""
    found = LABELS.copy()
    found[:wrong] = 9
    known = {"shape": [28, 28, 1], "classes": list(FASHION_MNIST.classes), **config}
    return LoadedModel(known, lambda _: {"probabilities": np.eye(10, dtype=np.float32)[found]})


@pytest.fixture
def store(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A store whose champion, version 1, was scored on other data than NEW."""
    split = Split(scale_pixels(IMAGES), LABELS)
    monkeypatch.setattr("pipeline.store.champion.read_split", lambda _: split)
    with open_store("fashion-mnist") as opened:
        promote(opened, {"cnn": candidate(opened, workspace, "cnn", 0.99, wrong=10)}, GATE, OLD)
        yield opened


def offer(store: Store, folder: Path, validation: float, wrong: int) -> str:
    return promote(store, {"cnn": candidate(store, folder, "cnn", validation, wrong=wrong, of=NEW)}, GATE, NEW)


def load(monkeypatch: pytest.MonkeyPatch, champion: Any) -> None:
    monkeypatch.setattr("pipeline.store.champion.load_copy", champion)


def test_champion_of_other_data_is_scored_on_the_present_images_and_beaten_there(
    store: Store, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(monkeypatch, lambda _: answering(wrong=100))
    said = offer(store, workspace, 0.91, 90)
    assert "version 2 promoted: cnn reaches 91.00 %" in said
    assert "the champion, cnn, 90.00 % on the present images; the gate passes" in said
    assert champion(store) == "2"


def test_champion_of_other_data_stays_if_it_is_better_on_the_present_images(
    store: Store, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(monkeypatch, lambda _: answering(wrong=50))
    assert "does not beat the champion, cnn, 95.00 % on the present images" in offer(store, workspace, 0.91, 90)
    assert "but the gate refuses it: accuracy: 7.00 points lost" in offer(store, workspace, 0.96, 120)
    assert champion(store) == "1"


def test_champion_of_other_classes_is_replaced_and_the_way_back_says_so(
    store: Store, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(monkeypatch, lambda _: answering(wrong=0, classes=["hat", "sock"]))
    said = offer(store, workspace, 0.2, 800)
    assert "it replaces the champion, cnn, which does not know the class T-shirt/top" in said
    assert "does not know" in store.client.get_model_version("fashion-mnist", "2").tags["promotion"]
    store.client.set_model_version_tag("fashion-mnist", "1", "data.classes", "others")
    assert roll_back(store).startswith("champion is version 1 again, cnn; it knows other classes than version 2")


def test_champion_that_does_not_load_is_replaced_and_the_reason_told(
    store: Store, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> LoadedModel:
        raise ModuleNotFoundError("No module named 'tensorflow'")

    load(monkeypatch, fail)
    assert "which cannot be loaded here (No module named 'tensorflow')" in offer(store, workspace, 0.2, 800)


def test_champion_whose_model_was_deleted_is_replaced_also_on_the_same_data(store: Store, workspace: Path) -> None:
    store.client.delete_logged_model(version_of(store, "champion").source.removeprefix("models:/"))
    offered = {"cnn": candidate(store, workspace, "cnn", 0.5, wrong=500)}
    assert "which can no longer be loaded: its logged model was deleted" in promote(store, offered, GATE, OLD)
    assert champion(store) == "2"
    with pytest.raises(TrackingError, match=r"version 1 .* cannot be served \(its logged model was deleted\)"):
        roll_back(store)


def test_rollback_to_a_deleted_version_says_what_to_do(store: Store, workspace: Path) -> None:
    promote(store, {"cnn": candidate(store, workspace, "cnn", 0.995, wrong=0)}, GATE, OLD)
    store.client.delete_model_version("fashion-mnist", "1")
    with pytest.raises(TrackingError, match=r"version 1 .* \(it was deleted\).* Give the alias champion"):
        roll_back(store)


def test_version_whose_model_was_deleted_is_registered_anew_with_its_history(store: Store, workspace: Path) -> None:
    second = candidate(store, workspace, "cnn", 0.995, wrong=0)
    promote(store, {"cnn": second}, GATE, OLD)
    roll_back(store)
    first, again = version_of(store, "champion"), candidate(store, workspace, "cnn", 0.99, wrong=10)
    store.client.delete_logged_model(first.source.removeprefix("models:/"))
    promote(store, {"cnn": again}, GATE, OLD)
    heir = version_of(store, "champion")
    assert (str(heir.version), heir.run_id) == ("3", again.run_id)
    assert heir.tags["promotion"] == "put back in place of version 2"
    assert store.client.get_model_version("fashion-mnist", "2").tags["former_champion"] == "3"


def test_of_two_versions_of_a_model_the_lower_is_kept_with_the_aliases_and_the_history_of_both(
    store: Store, workspace: Path
) -> None:
    first = candidate(store, workspace, "cnn", 0.995, wrong=0)
    promote(store, {"cnn": first}, GATE, OLD)
    second = candidate(store, workspace, "cnn", 0.995, wrong=0)  # which another process made at the same time
    tags = {**second.tags, "fingerprint": second.fingerprint, "promotion": "its own", "rolled_back": "to version 1"}
    store.client.create_model_version(store.name, f"models:/{second.model_id}", second.run_id, tags)
    store.client.set_registered_model_alias(store.name, "champion", "3")
    assert promote(store, {"cnn": second}, GATE, OLD) == "version 2, cnn, is champion already"
    kept = version_of(store, "champion")
    assert (str(kept.version), kept.tags["rolled_back"]) == ("2", "to version 1")
    assert "the gate passes" in kept.tags["promotion"]
    assert len(store.client.search_model_versions(f"name = '{store.name}'")) == 2
    assert [store.client.get_logged_model(found.model_id) for found in (first, second)]  # each still in its run


def test_champion_that_changes_while_a_candidate_is_compared_with_it_is_not_replaced_unseen(
    store: Store, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_champion(*_: Any) -> None:
        newer = store.client.create_model_version(store.name, version_of(store, "champion").source)
        store.client.set_registered_model_alias(store.name, "champion", newer.version)

    monkeypatch.setattr("pipeline.store.registry.read_champion", read_champion)
    with pytest.raises(OvertakenError, match="has become champion"):
        promote(store, {"cnn": candidate(store, workspace, "cnn", 0.995, wrong=0)}, GATE, OLD)
    assert champion(store) == "3"


def test_version_that_was_rolled_back_does_not_replace_a_champion_whose_model_was_deleted(
    store: Store, workspace: Path
) -> None:
    offered = {"cnn": candidate(store, workspace, "cnn", 0.995, wrong=0)}
    promote(store, offered, GATE, OLD)
    roll_back(store)
    store.client.delete_logged_model(version_of(store, "champion").source.removeprefix("models:/"))
    assert "champion is version 1, which cannot be served" in promote(store, offered, GATE, OLD)
    offered["dense"] = candidate(store, workspace, "dense", 0.5, wrong=500)
    assert "version 3 promoted: dense" in promote(store, offered, GATE, OLD)


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({}, None),
        ({"classes": ("hat", "sock", "tie")}, "knows the class tie, which the present data lacks"),
        ({"classes": ("hat",)}, "does not know the class sock"),
        ({"classes": ("hat", "stocking")}, "does not know the class sock"),
        ({"classes": ("sock", "hat")}, "has the same classes in another order"),
        ({"shape": (28, 28, 3)}, "takes images of shape"),
        ({"shape": (32, 28, 1)}, "takes images of shape"),
    ],
)
def test_misfit_is_told(known: dict[str, Any], said: str | None) -> None:
    present = data(1, classes=("hat", "sock"))
    found = describe_misfit({"classes": ["hat", "sock"], "shape": [28, 28, 1], **known}, present)
    assert found == said or (said is not None and found is not None and found.startswith(said))
