"""The state of the pipeline, read from its files: what a parent run in MLflow is about."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fashion_mnist.errors import ArtifactError
from fashion_mnist.params import Params
from pipeline.runtime.files import read_bytes
from pipeline.runtime.formats import parse_yaml, read_json
from pipeline.runtime.paths import COMPARISON, DATA, DVC_LOCK, DVC_YAML, PARAMS, archive_of, metrics_of


class PipelineState(NamedTuple):
    """dvc.lock by stage, parameters by section, data, scores by model, comparison; a fingerprint of the first two."""

    fingerprint: str
    stages: Mapping[str, Any]
    params: Mapping[str, Any]
    data: Mapping[str, Any]
    scores: Mapping[str, Mapping[str, float]]
    comparison: Mapping[str, float]

    def fingerprint_of(self, model: str) -> str:
        """Return the fingerprint of a model: of what it was trained with, and of its scores."""
        return fingerprint(self.stages[f"train@{model}"], self.data, self.scores[model])


def fingerprint(*parts: Any) -> str:
    """Return a hash of JSON values, 32 hexadecimal digits, that ignores the order of keys."""
    canonical = json.dumps(parts, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def read_state(params: Params) -> PipelineState:
    """Read the files that the other stages left. Raises ArtifactError where dvc.lock is not about them."""
    try:
        recorded = parse_yaml(read_bytes(DVC_LOCK), name=str(DVC_LOCK))["stages"]
    except (TypeError, KeyError) as error:
        raise ArtifactError(f"{DVC_LOCK}: lists no stages; expected what `dvc repro` writes. Run it") from error
    names = stages_before_track(params)
    if missing := [name for name in names if name not in recorded]:
        raise ArtifactError(
            f"{DVC_LOCK}: {missing[0]} is missing; expected every stage before this one. Run `dvc repro`"
        )
    stages = {name: recorded[name] for name in names}
    for model in params.models:
        check_archive(stages[f"train@{model}"], archive_of(model))
    values = parse_yaml(read_bytes(PARAMS), name=str(PARAMS))
    return PipelineState(
        fingerprint(stages, values),
        stages,
        values,
        read_json(DATA),
        {model: read_json(metrics_of(model)) for model in params.models},
        read_json(COMPARISON),
    )


def stages_before_track(params: Params) -> list[str]:
    """List the stages of dvc.yaml but `track`, in order, as dvc.lock names them."""
    declared = parse_yaml(read_bytes(DVC_YAML), name=str(DVC_YAML))["stages"]
    return [
        name
        for stage in declared
        if stage != "track"
        for name in ([f"train@{model}" for model in params.models] if stage == "train" else [stage])
    ]


def check_archive(record: Mapping[str, Any], path: Path) -> None:
    """Refuse a model other than the one in dvc.lock: its scores would be another's."""
    expected = next(out["md5"] for out in record["outs"] if out["path"] == path.as_posix())
    found = hashlib.md5(read_bytes(path), usedforsecurity=False).hexdigest()
    if found != expected:
        raise ArtifactError(f"{path}: md5 is {found[:12]}…, {DVC_LOCK} says {expected[:12]}…; run `dvc repro`")
