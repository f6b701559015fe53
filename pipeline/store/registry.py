"""The registered model: its versions, and the aliases that say which of them is served."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from fashion_mnist.data.description import DataDescription, DataSet
from fashion_mnist.gate.promotion import Contender, best_on_validation, decide_promotion
from fashion_mnist.params import GateParams
from pipeline.store.champion import CLASSES, read_champion
from pipeline.store.connection import OvertakenError, Store, TrackingError, find
from pipeline.store.logged_model import MAKE_AGAIN, find_fault
from pipeline.store.runs import FINGERPRINT

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


def is_registered(store: Store, candidates: Mapping[str, Candidate]) -> bool:
    """Return whether each candidate has one version that is whole, and the aliases are there; so is the champion."""
    versions = [find_versions(store, candidate.fingerprint) for candidate in candidates.values()]
    champion, challenger = version_of(store, CHAMPION), version_of(store, CHALLENGER)
    if champion is None or any(len(found) != 1 for found in versions):
        return False
    numbers = {found[0].version for found in versions}
    if challenger is None and numbers != {champion.version}:
        return False
    return all(
        candidate.tags.items() <= found[0].tags.items() and is_whole(store, found[0], candidate)
        for candidate, found in zip(candidates.values(), versions, strict=True)
    ) and (champion.version in numbers or not find_fault(store, champion.source))


def is_whole(store: Store, version: Any, candidate: Candidate) -> bool:
    """Return whether the run and the model of a version are there; those of a candidate are."""
    if version.source == f"models:/{candidate.model_id}":
        return True
    run = find(store.client.get_run, version.run_id)
    return run is not None and run.info.lifecycle_stage == "active" and not find_fault(store, version.source)


def register(store: Store, candidate: Candidate) -> str:
    """Return the version with the candidate's fingerprint; make it if there is none, or its run or model is lost.

    Of several, the lowest that is whole is kept and takes the place of the others; all processes keep the same one.
    """
    tags = {**candidate.tags, FINGERPRINT: candidate.fingerprint}

    def look() -> tuple[list[Any], list[Any]]:
        known = find_versions(store, candidate.fingerprint)
        return known, [version for version in known if is_whole(store, version, candidate)]

    known, whole = look()
    if not whole:
        source = f"models:/{candidate.model_id}"
        store.client.create_model_version(
            store.name, source, candidate.run_id, tags, description=candidate.description, model_id=candidate.model_id
        )
        known, whole = look()  # another process may have made one just before
    if not whole:
        raise OvertakenError(f"the version of {candidate.run_id} was deleted as soon as it was made")
    kept = whole[0]
    for key, value in tags.items():
        if kept.tags.get(key) != value:
            store.client.set_model_version_tag(store.name, kept.version, key, value)
    for version in known:
        if version.version != kept.version:
            replace_version(store, version.version, kept)
        if version not in whole:
            find(store.client.delete_logged_model, version.source.removeprefix("models:/"))
    return str(kept.version)


def replace_version(store: Store, lost: str, kept: Any) -> None:
    """Put a version in the place of another: with its history, as former champion of others, and under its aliases."""
    client, version = store.client, store.client.get_model_version(store.name, lost)
    for key, value in version.tags.items():
        if key not in kept.tags:
            client.set_model_version_tag(store.name, kept.version, key, value)
    for heir in client.search_model_versions(f"name = '{store.name}' and tags.`{FORMER}` = '{lost}'"):
        client.set_model_version_tag(store.name, heir.version, FORMER, kept.version)
    for alias in version.aliases:
        client.set_registered_model_alias(store.name, alias, kept.version)
    client.delete_model_version(store.name, lost)


def promote(store: Store, candidates: Mapping[str, Candidate], gate: GateParams, data: DataDescription) -> str:
    """Register the models of a state and update the aliases; returns a sentence about the outcome."""
    make_registered_model(store, data)
    versions = {name: register(store, candidate) for name, candidate in candidates.items()}
    accuracies = {name: candidate.contender.validation_accuracy for name, candidate in candidates.items()}
    rolled_back = {
        name
        for name, number in versions.items()
        if ROLLED_BACK in store.client.get_model_version(store.name, number).tags
    }
    present = version_of(store, CHAMPION)
    is_theirs = present is not None and str(present.version) in versions.values()
    fault = None if present is None or is_theirs else find_fault(store, present.source)
    fresh = {name: accuracy for name, accuracy in accuracies.items() if name not in rolled_back}
    best = best_on_validation((fault and fresh) or accuracies)
    version = versions[best]
    if present is not None and str(present.version) == version:
        said = f"version {version}, {best}, is champion already"
    elif present is not None and best in rolled_back:
        lost = f", which cannot be served ({fault}): give its alias to another on MLflow's pages" if fault else ""
        said = (
            f"version {version} was rolled back and is not promoted again; champion is version {present.version}{lost}"
        )
    else:
        said = replace_champion(store, present, version, candidates[best].contender, gate, data)
    champion = version_of(store, CHAMPION)
    others = {
        name: accuracies[name]
        for name, number in versions.items()
        if champion is None or str(champion.version) != number
    }
    if others:
        store.client.set_registered_model_alias(store.name, CHALLENGER, versions[best_on_validation(others)])
    return said


def replace_champion(
    store: Store, present: Any, version: str, candidate: Contender, gate: GateParams, data: DataDescription
) -> str:
    """Move the alias `champion` to a version if it should have it; either way, a tag says why."""
    client = store.client
    champion = read_champion(store, present, data) if present else None
    decision = decide_promotion(candidate, champion, gate, class_names=data.classes)
    outcome = "promoted" if decision.moves else "not promoted"
    client.set_model_version_tag(store.name, version, PROMOTION, f"{outcome}: {decision.reason}")
    # Record the former champion first, or the move could not be undone.
    if decision.moves and present is not None:
        client.set_model_version_tag(store.name, version, FORMER, str(present.version))
    refuse_another_champion(store, present)
    if decision.moves:
        client.set_registered_model_alias(store.name, CHAMPION, version)
    return f"version {version} {outcome}: {decision.reason}"


def refuse_another_champion(store: Store, present: Any) -> None:
    """Raise OvertakenError if another version has become champion meanwhile: comparing models takes a while."""
    if (found := version_of(store, CHAMPION)) and (present is None or found.version != present.version):
        raise OvertakenError(f"version {found.version} has become champion")


def roll_back(store: Store) -> str:
    """Give the alias `champion` back to the version that had it before; returns a sentence that says so.

    Raises TrackingError when there is none, or its model is lost.
    """
    present = version_of(store, CHAMPION)
    if present is None:
        raise TrackingError(f"{store.name} has no champion; expected one to roll back. To register one, {MAKE_AGAIN}")
    number = present.tags.get(FORMER)
    if number is None:
        raise TrackingError(
            f"version {present.version} of {store.name} replaced no champion; expected one to go back to"
        )
    former = find_former(store, str(present.version), number)
    model = former.tags.get("model", "a model without a name")
    client = store.client
    refuse_another_champion(store, present)
    client.set_model_version_tag(store.name, present.version, ROLLED_BACK, f"to version {number}")
    client.set_model_version_tag(store.name, number, PROMOTION, f"put back in place of version {present.version}")
    client.set_registered_model_alias(store.name, CHALLENGER, present.version)
    # Last: once the champion has moved, a repetition would go back by one more version.
    client.set_registered_model_alias(store.name, CHAMPION, number)
    return f"champion is version {number} again, {model}{describe_difference(former, present)}"


def find_former(store: Store, present: str, number: str) -> Any:
    """Return the version that a champion replaced. Raises TrackingError where it can no longer be served."""
    former = find(store.client.get_model_version, store.name, number)
    fault = find_fault(store, str(former.source)) if former else "it was deleted"
    if fault:
        raise TrackingError(
            f"version {number} of {store.name}, which version {present} replaced, cannot be served ({fault}); expected "
            f"one to go back to. Give the alias {CHAMPION} to another version on MLflow's pages"
        )
    return former


def describe_difference(former: Any, present: Any) -> str:
    """Say that two versions know other classes, or take other images; empty if they do not, or nobody knows."""
    known = former.tags.get(CLASSES), present.tags.get(CLASSES)
    if None in known or known[0] == known[1]:
        return ""
    return f"; it knows other classes than version {present.version}, or takes images of another shape"


def make_registered_model(store: Store, dataset: DataSet) -> None:
    """Make the registered model where it is missing."""
    if not store.client.search_registered_models(f"name = '{store.name}'"):
        height, width, channels = dataset.image_shape
        colour = "grey" if channels == 1 else "colour"
        store.client.create_registered_model(
            store.name, description=f"{width}x{height} pixels in {colour}, uint8, to class probabilities and names."
        )


def find_versions(store: Store, fingerprint: str) -> list[Any]:
    """List the versions that carry a fingerprint, oldest first."""
    query = f"name = '{store.name}' and tags.`{FINGERPRINT}` = '{fingerprint}'"
    return sorted(store.client.search_model_versions(query), key=lambda version: int(version.version))


def version_of(store: Store, alias: str) -> Any:
    """Return the version that has an alias; None if none has it."""
    registered = store.client.search_registered_models(f"name = '{store.name}'")
    number = registered[0].aliases.get(alias) if registered else None
    return store.client.get_model_version(store.name, number) if number else None
