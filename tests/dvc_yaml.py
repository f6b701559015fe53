"""dvc.yaml as tests read it."""

from typing import Any

from ruamel.yaml import YAML

from pipeline.tools.demo import PROJECT

MODELS = {"dense": "dense", "cnn": "cnn"}


def dvc_stages(models: dict[str, str] = MODELS) -> dict[str, Any]:
    """Return the stages by name, with a stage for the training of each model; models: network by model."""
    stages: dict[str, Any] = YAML(typ="safe").load(PROJECT / "dvc.yaml")["stages"]
    template = stages.pop("train")["do"]
    trainings = {f"train@{model}": _fill(template, model, network) for model, network in models.items()}
    return {"download": stages.pop("download"), "normalize": stages.pop("normalize"), **trainings, **stages}


def paths(stage: dict[str, Any], *kinds: str) -> set[str]:
    """Return the paths that a stage lists under some kinds of entry, such as deps and outs."""
    entries = [entry for kind in kinds for entry in stage.get(kind, [])]
    return {entry if isinstance(entry, str) else next(iter(entry)) for entry in entries}


def _fill(value: Any, model: str, network: str) -> Any:
    if isinstance(value, str):
        return value.replace("${key}", model).replace("${item.network}", network)
    if isinstance(value, dict):
        return {_fill(key, model, network): _fill(entry, model, network) for key, entry in value.items()}
    return [_fill(entry, model, network) for entry in value] if isinstance(value, list) else value
