"""Refuse results that are not those of the present parameters, code and data: by DVC, and by what dvc.lock records.

What git does not track may be missing, as in CI's clone: data, models, images. What dvc.lock says of it must still fit.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from fashion_mnist.errors import ArtifactError, StudyError
from fashion_mnist.params import Params
from pipeline.bytes.formats import parse_yaml
from pipeline.gate.evaluations import differing_keys
from pipeline.runtime import git
from pipeline.runtime.edits import CODE
from pipeline.runtime.files import read_bytes
from pipeline.runtime.lock import FOLDER, NOTHING, Lock, declared_stages, folder_digest, read_lock
from pipeline.runtime.parameters import flatten
from pipeline.runtime.paths import DVC_LOCK, PARAMS, STUDY, STUDY_LOCK

LAST = "evaluate"  # writes what is judged; whether the report or the run store is current does not matter
MISSING = ("deleted", "not in cache")
SITE_CACHE = Path(".dvc/tmp/site-cache")  # as in the Makefile: every user of the machine can write to DVC's default


def check_current(params: Params) -> None:
    """Raise ArtifactError that names the first stage whose results are not those of what is here."""
    status, lock = ask_dvc(LAST, "--with-deps"), read_lock()
    order = list(declared_stages())

    def place(stage: str) -> int:
        name = stage.partition("@")[0]
        return order.index(name) if name in order else -1  # such as images/train.dvc, of `dvc add`

    for stage in sorted(dict.fromkeys([*lock, *status]), key=place):
        if place(stage) <= place(LAST) and is_live(stage, params):
            changes = describe_status(stage, status.get(stage, []), lock, params)
            if found := next(chain(changes, broken_links(stage, lock, params)), None):
                raise ArtifactError(
                    f"{found}; expected results of the present parameters, code and data. Run `dvc repro` and commit "
                    "what it writes"
                )


def check_study() -> None:
    """Raise StudyError if code was edited since the study was made, or since `make study` found nothing to train."""
    if not STUDY_LOCK.is_file():
        raise StudyError(f"{STUDY_LOCK}: is missing, so nobody knows which code made the study. Run `make study`")
    for changes in ask_dvc("study/dvc.yaml").values():
        deps = [path for change in changes if isinstance(change, Mapping) for path in change.get("changed deps", ())]
        for path in [path for path in deps if Path(path).parts[0] in CODE]:
            raise StudyError(
                f"{STUDY}: {path} was edited since; expected a study of the present code. Run `make study`, which "
                "trains only what gives other results now"
            )


def ask_dvc(target: str, *options: str) -> dict[str, list[Any]]:
    """Return what DVC finds changed since the last run, by stage. Raises ArtifactError with its reason if it fails."""
    environment = {"DVC_SITE_CACHE_DIR": str(SITE_CACHE.absolute()), **os.environ}
    command = [sys.executable, "-m", "dvc", "status", "--json", *options, target]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        _, _, reason = f"ERROR: {done.stderr}".rpartition("ERROR: ")
        reason = " ".join(reason.strip().partition("\n\n")[0].split()) or f"exit code {done.returncode}"
        raise ArtifactError(f"DVC does not say whether the results are current ({reason}); see `dvc status {target}`")
    status: dict[str, list[Any]] = json.loads(done.stdout)
    return status


def describe_status(stage: str, changes: list[Any], lock: Lock, params: Params) -> Iterator[str]:
    """Say what DVC finds changed of a stage, except for what may be missing."""
    is_added = stage.endswith(".dvc")
    if changes and stage not in lock and not is_added:
        yield f"{stage} has not run"
        return
    for change in changes:
        if isinstance(change, str):  # such as: changed command
            yield f"{stage} has run with another {change.removeprefix('changed ')}"
            continue
        ((kind, paths),) = change.items()
        for path, how in paths.items():
            if isinstance(how, Mapping):
                yield from (describe_parameter(stage, key, lock) for key in how)
            elif not (how in MISSING and may_be_missing(path, lock, is_added)) and not lacks_images(path, params):
                yield f"{stage} {'has run with' if kind == 'changed deps' else 'wrote'} another {path}"


def describe_parameter(stage: str, key: str, lock: Lock) -> str:
    """Say how a parameter differs from what a stage ran with: its first value that does."""
    value: Any = parse_yaml(read_bytes(PARAMS), name=str(PARAMS))
    for part in key.split("."):
        value = value.get(part, {}) if isinstance(value, Mapping) else {}
    then, now = flatten({key: lock[stage].params.get(key)}), flatten({key: value})
    name = next(iter(differing_keys(then, now)), key)
    return f"{stage} has run with {name} {then.get(name, 'missing')}, which is {now.get(name, 'missing')} now"


def may_be_missing(path: str, lock: Lock, is_added: bool) -> bool:
    """Tell whether git does not track a path that a stage or, if is_added, `dvc add` writes."""
    is_written = is_added or any(output.is_relative_to(path) for record in lock.values() for output in record.outs)
    return is_written and not git.is_tracked(path)


def lacks_images(path: str, params: Params) -> bool:
    """Tell whether a path is the folder of one's own images, and they are not here."""
    folder = Path(params.download.folder)
    is_images = params.download.dataset == "folder" and Path(path).resolve() == folder.resolve()
    return is_images and not (folder / "train").exists()


def is_live(stage: str, params: Params) -> bool:
    """Return False for a stage of a model that params.yaml no longer names."""
    return stage.partition("@")[2] in ("", *params.train)


def broken_links(stage: str, lock: Lock, params: Params) -> Iterator[str]:
    """Say what another stage has written anew since a stage read it, as dvc.lock tells."""
    for path, md5 in lock.get(stage, NOTHING).deps.items():
        if written_digest(path, lock, params) not in (None, md5):
            yield f"{stage} has run with another {path} than {DVC_LOCK} says was written"


def written_digest(path: Path, lock: Lock, params: Params) -> str | None:
    """Return the digest that a path has by the outputs in dvc.lock; None if these do not tell."""
    outputs = {output: (stage, md5) for stage, record in lock.items() for output, md5 in record.outs.items()}
    if path in outputs:
        return outputs[path][1]
    below = {output: written for output, written in outputs.items() if output.is_relative_to(path)}
    # The folder of a model that is gone may still be there, and the digest of a folder says nothing of one above.
    if not below or any(md5.endswith(FOLDER) or not is_live(stage, params) for stage, md5 in below.values()):
        return None
    return folder_digest({output.relative_to(path).as_posix(): md5 for output, (_, md5) in below.items()})
