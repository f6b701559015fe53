"""The registered model: its versions, and the aliases that say which of them is served."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from fashion_mnist.data.description import DataSet
from fashion_mnist.errors import ArtifactError
from fashion_mnist.params import GateParams
from fashion_mnist.scores.promotion import Contender, best_on_validation, decide_promotion
from pipeline.runtime.formats import parse_csv
from pipeline.runtime.tables import PREDICTIONS
from pipeline.store.connection import Store, TrackingError
from pipeline.store.runs import FINGERPRINT, read_artifact

CHAMPION = "champion"
CHALLENGER = "challenger"
FORMER = "former_champion"
PROMOTION = "promotion"
ROLLED_BACK = "rolled_back"


class Candidate(NamedTuple):
    """A model of the present state, as it is registered."""

    fingerprint: str
    run_id: str
    model_id: str
    tags: Mapping[str, str]
    description: str
    contender: Contender


def register(store: Store, candidate: Candidate) -> str:
    """Return the version with the candidate's fingerprint; make it if there is none."""
    known = find_version(store, candidate.fingerprint)
    if known is not None:
        return str(known.version)
    version = store.client.create_model_version(
        store.name,
        f"models:/{candidate.model_id}",
        run_id=candidate.run_id,
        tags={**candidate.tags, FINGERPRINT: candidate.fingerprint},
        description=candidate.description,
        model_id=candidate.model_id,
    )
    return str(version.version)


def promote(store: Store, candidates: Mapping[str, Candidate], gate: GateParams, dataset: DataSet) -> str:
    """Register the models of a state and update the aliases; returns a sentence about the outcome."""
    make_registered_model(store, dataset)
    versions = {name: register(store, candidate) for name, candidate in candidates.items()}
    present = version_of(store, CHAMPION)
    best = best_on_validation({name: candidate.contender.validation_accuracy for name, candidate in candidates.items()})
    version = versions[best]
    if present is not None and str(present.version) == version:
        said = f"version {version}, {best}, is champion already"
    else:
        said = replace_champion(store, present, version, candidates[best].contender, gate, dataset)
    champion = version_of(store, CHAMPION)
    others = {
        name: candidates[name].contender.validation_accuracy
        for name, number in versions.items()
        if champion is None or str(champion.version) != number
    }
    if others:
        store.client.set_registered_model_alias(store.name, CHALLENGER, versions[best_on_validation(others)])
    return said


def replace_champion(
    store: Store, present: Any, version: str, candidate: Contender, gate: GateParams, dataset: DataSet
) -> str:
    """Move the alias `champion` to a version if it should have it; either way, a tag says why."""
    client = store.client
    if present is not None and ROLLED_BACK in client.get_model_version(store.name, version).tags:
        return f"version {version} was rolled back and is not promoted again; champion is version {present.version}"
    decision = decide_promotion(
        candidate, read_champion(store, present) if present else None, gate, class_names=dataset.classes
    )
    outcome = "promoted" if decision.moves else "not promoted"
    client.set_model_version_tag(store.name, version, PROMOTION, f"{outcome}: {decision.reason}")
    if decision.moves:
        # Record the former champion first, or the move could not be undone.
        if present is not None:
            client.set_model_version_tag(store.name, version, FORMER, str(present.version))
        client.set_registered_model_alias(store.name, CHAMPION, version)
    return f"version {version} {outcome}: {decision.reason}"


def read_champion(store: Store, version: Any) -> Contender:
    """Read what the champion predicted when it was registered. Raises ArtifactError when that is lost."""
    name = f"predictions/{version.tags['model']}.csv"
    content = read_artifact(store, version.run_id, name)
    if content is None:
        raise ArtifactError(
            f"version {version.version} of {store.name} has no {name} in its run; expected what the champion "
            f"predicted, to judge by. Take the alias {CHAMPION} off in the UI, or restore the run"
        )
    table = parse_csv(content, columns=PREDICTIONS, name=f"{name} of version {version.version}")
    return Contender(
        version.tags["model"], float(version.tags["validation_accuracy"]), table["label"], table["prediction"]
    )


def roll_back(store: Store) -> str:
    """Give the alias `champion` back to the version that had it before; returns a sentence that says so.

    Raises TrackingError when there is none.
    """
    present = version_of(store, CHAMPION)
    if present is None:
        raise TrackingError(f"{store.name} has no champion; expected one to roll back. Run `dvc repro` first")
    former = present.tags.get(FORMER)
    if former is None:
        raise TrackingError(
            f"version {present.version} of {store.name} replaced no champion; expected one to go back to"
        )
    client = store.client
    client.set_model_version_tag(store.name, present.version, ROLLED_BACK, f"to version {former}")
    client.set_model_version_tag(store.name, former, PROMOTION, f"put back in place of version {present.version}")
    client.set_registered_model_alias(store.name, CHALLENGER, present.version)
    # Last: once the champion has moved, a repetition would go back by one more version.
    client.set_registered_model_alias(store.name, CHAMPION, former)
    return f"champion is version {former} again, {client.get_model_version(store.name, former).tags['model']}"


def make_registered_model(store: Store, dataset: DataSet) -> None:
    """Make the registered model where it is missing."""
    if not store.client.search_registered_models(f"name = '{store.name}'"):
        height, width, channels = dataset.image_shape
        colour = "grey" if channels == 1 else "colour"
        store.client.create_registered_model(
            store.name, description=f"{width}x{height} pixels in {colour}, uint8, to class probabilities and names."
        )


def find_version(store: Store, fingerprint: str) -> Any:
    """Return the version that carries a fingerprint; None if there is none."""
    query = f"name = '{store.name}' and tags.`{FINGERPRINT}` = '{fingerprint}'"
    return next(iter(store.client.search_model_versions(query)), None)


def version_of(store: Store, alias: str) -> Any:
    """Return the version that has an alias; None if none has it."""
    registered = store.client.search_registered_models(f"name = '{store.name}'")
    number = registered[0].aliases.get(alias) if registered else None
    return store.client.get_model_version(store.name, number) if number else None
