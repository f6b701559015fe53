"""Notice what is edited while a stage runs: DVC records a stage's code and parameters only when it has ended."""

from contextlib import suppress
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

from fashion_mnist.errors import ArtifactError
from pipeline.bytes.formats import parse_yaml
from pipeline.runtime.files import UNREADABLE, read_bytes
from pipeline.runtime.lock import declared_stages, dvc_digest
from pipeline.runtime.paths import PARAMS

# Where code and locks are. What other stages write is compared with dvc.lock by `check_inputs`.
CODE = ("pipeline", "requirements", "src")


def read_inputs(stage: str) -> dict[str, Any]:
    """Return what dvc.yaml lists as a stage's code and parameters: a digest by path, a value by key.

    Empty for a stage that dvc.yaml does not know, or if a file cannot be read, which the stage itself reports.
    """
    name, _, model = stage.partition("@")
    with suppress(ArtifactError, *UNREADABLE):
        declared = declared_stages(model)[name]
        params = parse_yaml(read_bytes(PARAMS), name=str(PARAMS))
        network = str(params["train"].get(model, {}).get("network"))
        paths = [Path(path.replace("${item.network}", network)) for path in declared["deps"]]
        keys = [key for key in declared["params"] if isinstance(key, str)] or list(params)
        code = {str(path): dvc_digest(path) if path.exists() else None for path in paths if path.parts[0] in CODE}
        return code | {f"{PARAMS}: {key}": reduce(getitem, key.split("."), params) for key in keys}
    return {}


def refuse_edits(stage: str, before: dict[str, Any]) -> None:
    """Raise ArtifactError if an input of a stage has changed since: DVC would record it as the input that ran."""
    after = read_inputs(stage) if before else {}
    if edited := [name for name in before if after.get(name) != before[name]]:
        raise ArtifactError(
            f"{edited[0]} was edited while {stage} ran; expected it to stay, since DVC records it now. Run `dvc repro` "
            "again; to edit meanwhile, queue the run: `dvc exp run --queue`"
        )
