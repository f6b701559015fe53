"""The state of the pipeline, read from its files: what a parent run in MLflow is about."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from fashion_mnist.data.description import DataDescription
from fashion_mnist.errors import ArtifactError
from fashion_mnist.params import Params
from pipeline.bytes.descriptions import read_description
from pipeline.bytes.formats import parse_yaml, read_json
from pipeline.runtime.files import read_bytes
from pipeline.runtime.lock import check_inputs
from pipeline.runtime.paths import (
    COMPARISON,
    DATA,
    DVC_LOCK,
    DVC_YAML,
    FIGURES,
    METRICS,
    PAGE_HTML,
    PAGE_MARKDOWN,
    PARAMS,
    PREDICTIONS,
    archive_of,
    history_of,
    metrics_of,
)

# What runs hold of reports, besides models and their histories.
READ = (DATA, METRICS, PREDICTIONS, COMPARISON, FIGURES, PAGE_HTML, PAGE_MARKDOWN)


class PipelineState(NamedTuple):
    """dvc.lock by stage, parameters by section, data, scores by model, comparison; a fingerprint of the first two."""

    fingerprint: str
    stages: Mapping[str, Any]
    params: Mapping[str, Any]
    data: DataDescription
    scores: Mapping[str, Mapping[str, float]]
    comparison: Mapping[str, float]

    def fingerprint_of(self, model: str) -> str:
        """Return the fingerprint of a model: of what it was trained with, and of its scores."""
        return hash_values(self.stages[f"train@{model}"], self.data.model_dump(mode="json"), self.scores[model])


def hash_values(*parts: Any) -> str:
    """Return a hash of JSON values, 32 hexadecimal digits, that ignores the order of keys."""
    canonical = json.dumps(parts, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def read_state(params: Params) -> PipelineState:
    """Read the files that the other stages left. Raises ArtifactError where dvc.lock is not about them."""
    check_inputs(*map(archive_of, params.train), *map(history_of, params.train), *READ)
    try:
        recorded = parse_yaml(read_bytes(DVC_LOCK), name=str(DVC_LOCK))["stages"]
    except (TypeError, KeyError) as error:
        raise ArtifactError(f"{DVC_LOCK}: lists no stages; expected what `dvc repro` writes. Run it") from error
    declared = [name for name in parse_yaml(read_bytes(DVC_YAML), name=str(DVC_YAML))["stages"] if name != "track"]
    names = [
        name
        for stage in declared
        for name in ([f"train@{model}" for model in params.train] if stage == "train" else [stage])
    ]
    if missing := [name for name in names if name not in recorded]:
        raise ArtifactError(
            f"{DVC_LOCK}: {missing[0]} is missing; expected every stage before this one. Run `dvc repro`"
        )
    stages = {name: recorded[name] for name in names}
    values = parse_yaml(read_bytes(PARAMS), name=str(PARAMS))
    # With the defaults of what they leave out, so that runs can be compared.
    trainings = {
        place: {name: section.model_dump(mode="json") for name, section in getattr(params, place).items()}
        for place in ("train", "recipes")
    }
    return PipelineState(
        hash_values(stages, values),
        stages,
        values | trainings,
        read_description(),
        {model: read_json(metrics_of(model)) for model in params.train},
        read_json(COMPARISON),
    )
