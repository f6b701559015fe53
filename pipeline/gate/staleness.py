"""Refuse results that are not those of the present parameters, code and data: by DVC, and by what dvc.lock records.

What git does not keep may be missing, as in CI's clone: data, models, images. What dvc.lock says of it must still fit.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from fashion_mnist.errors import ArtifactError
from fashion_mnist.params import Params
from pipeline.bytes.formats import parse_yaml
from pipeline.runtime import git
from pipeline.runtime.files import read_bytes
from pipeline.runtime.lock import FOLDER, Output, folder_digest, read_outputs
from pipeline.runtime.parameters import flatten
from pipeline.runtime.paths import DVC_LOCK, DVC_YAML, PARAMS

LAST = "evaluate"  # which writes what is judged; what only the report or the run store lacks does not matter
MISSING = ("deleted", "not in cache")
SITE_CACHE = Path(".dvc/tmp/site-cache")  # as in the Makefile: every user of the machine can write to DVC's default


class Recorded(NamedTuple):
    """What dvc.lock records, stages by name and all outputs, and the present parameters."""

    stages: Mapping[str, Any]
    outputs: Sequence[Output]
    params: Params


def check_current(params: Params) -> None:
    """Raise ArtifactError that names the first stage whose results are not those of what is here."""
    status = ask_dvc()
    stages = parse_yaml(read_bytes(DVC_LOCK), name=str(DVC_LOCK)).get("stages") or {}
    recorded = Recorded(stages, read_outputs(), params)
    order: list[str] = list(parse_yaml(read_bytes(DVC_YAML), name=str(DVC_YAML))["stages"])

    def place(stage: str) -> int:
        name = stage.partition("@")[0]
        return order.index(name) if name in order else -1  # such as images/train.dvc, of `dvc add`

    for stage in sorted(dict.fromkeys([*stages, *status]), key=place):
        if place(stage) <= order.index(LAST) and is_live(stage, params):
            changes = describe_status(stage, status.get(stage, []), recorded)
            if found := next(chain(changes, broken_links(stage, recorded)), None):
                raise ArtifactError(
                    f"{found}; expected results of the present parameters, code and data. Run `dvc repro` and commit "
                    "what it writes"
                )


def ask_dvc() -> dict[str, list[Any]]:
    """Return what DVC finds changed since the last run, by stage. Raises ArtifactError with its reason if it fails."""
    environment = {"DVC_SITE_CACHE_DIR": str(SITE_CACHE.absolute()), **os.environ}
    command = [sys.executable, "-m", "dvc", "status", "--json", "--with-deps", LAST]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        _, _, reason = f"ERROR: {done.stderr}".rpartition("ERROR: ")
        reason = " ".join(reason.strip().partition("\n\n")[0].split()) or f"exit code {done.returncode}"
        raise ArtifactError(f"DVC does not say whether the results are current ({reason}); see `dvc status {LAST}`")
    status: dict[str, list[Any]] = json.loads(done.stdout)
    return status


def describe_status(stage: str, changes: list[Any], recorded: Recorded) -> Iterator[str]:
    """Say what DVC finds changed of a stage, except for what may be missing."""
    if changes and stage not in recorded.stages and not stage.endswith(".dvc"):
        yield f"{stage} has not run"
        return
    for change in changes:
        if isinstance(change, str):  # such as: changed command
            yield f"{stage} has run with another {change.removeprefix('changed ')}"
            continue
        ((kind, paths),) = change.items()
        for path, how in paths.items():
            if isinstance(how, Mapping):
                yield from (describe_parameter(stage, key, recorded) for key in how)
            elif not may_differ(path, how, recorded, is_added=stage.endswith(".dvc")):
                yield (
                    f"{stage} has run with another {path}"
                    if kind == "changed deps"
                    else f"{stage} wrote another {path}"
                )


def describe_parameter(stage: str, key: str, recorded: Recorded) -> str:
    """Say how a parameter differs from what a stage ran with: its first value that does."""
    value: Any = parse_yaml(read_bytes(PARAMS), name=str(PARAMS))
    for part in key.split("."):
        value = value.get(part, {}) if isinstance(value, Mapping) else {}
    before = recorded.stages[stage].get("params", {}).get(str(PARAMS), {}).get(key)
    then, now = flatten({key: before}), flatten({key: value})
    differing = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    name = differing[0] if differing else key
    return f"{stage} has run with {name} {then.get(name, 'missing')}, which is {now.get(name, 'missing')} now"


def may_differ(path: str, how: str, recorded: Recorded, *, is_added: bool) -> bool:
    """Tell whether a path may be missing because git does not keep it; is_added: whether `dvc add` does."""
    if how in MISSING and (is_added or any(output.path.is_relative_to(path) for output in recorded.outputs)):
        return not git.is_tracked(path)
    download = recorded.params.download
    folder = Path(download.folder)
    is_images = download.dataset == "folder" and Path(path).resolve() == folder.resolve()
    return is_images and not (folder / "train").exists()


def is_live(stage: str, params: Params) -> bool:
    """Return False for a stage of a model that params.yaml no longer names."""
    return stage.partition("@")[2] in ("", *params.train)


def broken_links(stage: str, recorded: Recorded) -> Iterator[str]:
    """Say what another stage has written anew since a stage read it, as dvc.lock tells."""
    for dependency in recorded.stages.get(stage, {}).get("deps", []):
        path, md5 = dependency["path"], dependency.get("md5")
        if (recorded_digest(Path(path), recorded) or md5) != md5:
            yield f"{stage} has run with another {path} than {DVC_LOCK} says was written"


def recorded_digest(path: Path, recorded: Recorded) -> str | None:
    """Return the digest that a path has by the outputs in dvc.lock; None where these do not tell."""
    if exact := [output.md5 for output in recorded.outputs if output.path == path]:
        return exact[-1]
    below = [output for output in recorded.outputs if output.path.is_relative_to(path)]
    # The folder of a model that is gone may still be there, and the digest of a folder says nothing of one above.
    if not below or any(output.md5.endswith(FOLDER) or not is_live(output.stage, recorded.params) for output in below):
        return None
    files = {output.path.relative_to(path).as_posix(): output.md5 for output in below}
    return folder_digest([{"md5": md5, "relpath": name} for name, md5 in sorted(files.items())])
