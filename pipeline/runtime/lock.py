"""Read dvc.lock and dvc.yaml, and check a stage's inputs: they must be what the stage before wrote.

DVC trusts a file whose time and size have not changed, and a read-only file in its cache, so it overlooks a damaged
disk. The commands that bring a file back are made from what DVC's cache and git hold at that moment.
"""

import hashlib
import json
import shlex
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from fashion_mnist.errors import ArtifactError, GitError
from pipeline.bytes.formats import parse_yaml
from pipeline.runtime import git
from pipeline.runtime.files import file_digest, read_bytes, reading
from pipeline.runtime.paths import DVC_IGNORE, DVC_LOCK, DVC_YAML

CACHE = Path(".dvc/cache")
FOLDER = ".dir"  # the end of a folder's md5


class StageRecord(NamedTuple):
    """What dvc.lock records of a stage: its command, parameters by key, and the md5 of each path it read and wrote."""

    command: str
    params: Mapping[str, Any]
    deps: Mapping[Path, str | None]
    outs: Mapping[Path, str]


Lock = Mapping[str, StageRecord]  # by stage, such as train@dense
NOTHING = StageRecord("", {}, {}, {})


def read_lock() -> Lock:
    """Read dvc.lock. Raises ArtifactError if it is damaged, with the commands that help, also during a merge."""
    content = read_bytes(DVC_LOCK)
    try:
        return parse_lock(content, name=str(DVC_LOCK))
    except ArtifactError as error:
        held = "holds the marks of a merge" if b"\n<<<<<<<" in b"\n" + content else "is damaged"
        way = "delete it, and then run `dvc repro`"
        with suppress(ArtifactError, GitError):
            parse_lock(git.read_file("HEAD", str(DVC_LOCK)), name=str(DVC_LOCK))
            way = f"run `git checkout HEAD -- {DVC_LOCK}`, or delete it, and then `dvc repro`"
        raise ArtifactError(f"{DVC_LOCK}: {held}; {way}") from error


@lru_cache(maxsize=4)  # the gate and the check of reproduction ask several times
def parse_lock(content: bytes, *, name: str) -> Lock:
    """Parse the content of a dvc.lock. Raises ArtifactError for anything else; name: what the error calls it."""
    with reading(name):
        document = parse_yaml(content, name=name)
        stages = document.get("stages") if isinstance(document, Mapping) else None
        if not isinstance(stages, Mapping):
            raise ValueError("it lists no stages")
        return {str(stage): _parse_record(record) for stage, record in stages.items()}


def _parse_record(record: Mapping[str, Any]) -> StageRecord:
    outs = {Path(out["path"]): out["md5"] for out in record.get("outs", [])}
    if not all(isinstance(md5, str) for md5 in outs.values()):
        raise TypeError("an md5 is not a text")
    deps = {Path(dep["path"]): dep.get("md5") for dep in record.get("deps", [])}
    params = {key: value for values in record.get("params", {}).values() for key, value in values.items()}
    return StageRecord(record.get("cmd", ""), params, deps, outs)


def declared_stages(model: str = "") -> Mapping[str, Mapping[str, Any]]:
    """Return what dvc.yaml says of each stage; of train, what it says of one model. Raises ArtifactError if damaged."""
    with reading(str(DVC_YAML), advice="correct it"):
        content = DVC_YAML.read_bytes().replace(b"${key}", model.encode())
        stages = parse_yaml(content, name=str(DVC_YAML), advice="correct it")["stages"]
        return {name: stage.get("do", stage) for name, stage in stages.items()}


def check_inputs(*paths: Path) -> None:
    """Compare all outputs of other stages at or below these paths with dvc.lock.

    Without dvc.lock, outside of DVC, nothing is known to compare with. Raises ArtifactError that names the first one
    that differs, and the command that brings it back.
    """
    for stage, record in read_lock().items() if DVC_LOCK.is_file() else ():
        for path, md5 in record.outs.items():
            if any(path.is_relative_to(asked) for asked in paths) and (found := dvc_digest(path)) != md5:
                raise ArtifactError(
                    f"{path}: md5 is {found[:12]}…, expected {md5[:12]}…, as `{stage}` wrote it. "
                    f"Run {way_back(stage, path, md5)}"
                )


def dvc_digest(path: Path) -> str:
    """Return the md5 of a file or folder as DVC computes it. Raises ArtifactError if it cannot be read."""
    if not path.is_dir():
        return file_digest(path, "md5")
    ignored = ignored_names()
    names = (file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
    kept = (name for name in names if not any(fnmatchcase(part, glob) for part in name.split("/") for glob in ignored))
    return folder_digest({name: file_digest(path / name, "md5") for name in kept})


def folder_digest(files: Mapping[str, str]) -> str:
    """Return the md5 of a folder as DVC computes it; files: their md5 by name, relative to the folder."""
    listed = [{"md5": md5, "relpath": name} for name, md5 in sorted(files.items())]
    return hashlib.md5(json.dumps(listed, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + FOLDER


def ignored_names() -> list[str]:
    """Return the patterns of .dvcignore for names of files and folders anywhere; none without that file.

    Patterns with a slash are left out: they are not about what stages write.
    """
    lines = DVC_IGNORE.read_text().splitlines() if DVC_IGNORE.is_file() else []
    return [line for line in map(str.strip, lines) if line and "/" not in line and line[0] not in "#!"]


def way_back(stage: str, path: Path, md5: str) -> str:
    """Return the command that restores an output: from DVC's cache if it is whole there, else by its stage."""
    copies = cached_objects(md5, cache_folder())
    damaged = [str(copy) for copy, is_whole in copies.items() if is_whole is False]
    again, place = f"dvc repro --single-item {stage}", shlex.quote(str(path))
    if damaged:
        # Without the output itself, which may be a link to the copy: DVC does not run a stage whose links lead nowhere.
        gone = shlex.join([str(path), *damaged])
        return f"`rm -rf {gone}; {again} --force`, since its copy in DVC's cache is damaged too"
    if all(copies.values()) and path not in outputs_in_git(stage):
        return f"`rm -r {place}; dvc checkout {place}`"
    # dvc checkout does not touch files that git tracks; DVC's run cache may still hold them.
    return f"`rm -r {place}; {again}`"


def ways_back(stage: str) -> str:
    """Say how to bring back the outputs that DVC removed before it ran a stage; empty if nothing holds them."""
    with suppress(ArtifactError):
        lost = {path: md5 for path, md5 in read_lock().get(stage, NOTHING).outs.items() if not path.exists()}
        in_git = outputs_in_git(stage)
        cache = cache_folder() if lost.keys() - in_git else CACHE
        cached = [path for path, md5 in lost.items() if path not in in_git and all(cached_objects(md5, cache).values())]
        committed = [path for path in lost if path in in_git and git.is_committed(path)]
        ways = {"dvc checkout": cached, "git checkout HEAD --": committed}
        commands = "; ".join(f"{way} {shlex.join(map(str, paths))}" for way, paths in ways.items() if paths)
        return f" (DVC has removed what {stage} made before; to have that back: `{commands}`)" if commands else ""
    return ""


def outputs_in_git(stage: str) -> set[Path]:
    """Return the outputs of a stage, such as train@dense, that dvc.yaml keeps out of DVC's cache."""
    name, _, model = stage.partition("@")
    declared = declared_stages(model).get(name, {})
    entries = [entry for kind in ("outs", "metrics", "plots") for entry in declared.get(kind, [])]
    options = [pair for entry in entries if isinstance(entry, Mapping) for pair in entry.items()]
    return {Path(path) for path, chosen in options if chosen.get("cache") is False}


def cache_folder(folder: Path = Path()) -> Path:
    """Return DVC's cache for the project that a folder is in, as DVC says.

    DVC takes a second to answer: ask only if something is unusual.
    """
    command = [sys.executable, "-m", "dvc", "--cd", str(folder), "cache", "dir"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    cache = Path(said or folder / CACHE)
    return cache.relative_to(Path.cwd()) if cache.is_relative_to(Path.cwd()) else cache


def cached_objects(md5: str, cache: Path) -> dict[Path, bool | None]:
    """Return the objects in DVC's cache that make up an output, and whether each is whole; None if it is missing."""
    path = cache / "files/md5" / md5[:2] / md5[2:]
    is_whole = file_digest(path, "md5") == md5.removesuffix(FOLDER) if path.is_file() else None
    objects = {path: is_whole}
    if is_whole and md5.endswith(FOLDER):
        for entry in json.loads(path.read_bytes()):
            objects |= cached_objects(entry["md5"], cache)
    return objects
