"""Check a stage's inputs against dvc.lock: no stage computes with data that is not what the stage before wrote.

DVC itself trusts a file whose time and size have not changed, and a read-only file in its cache. So a damaged disk
would go unnoticed. The commands that bring a file back are made from what DVC's cache and git hold at that moment.
"""

import hashlib
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from fashion_mnist.errors import ArtifactError, GitError
from pipeline.bytes.formats import parse_yaml
from pipeline.runtime.files import UNREADABLE, file_digest, read_bytes
from pipeline.runtime.git import git, read_file
from pipeline.runtime.paths import DVC_IGNORE, DVC_LOCK, DVC_YAML

CACHE = Path(".dvc/cache")
FOLDER = ".dir"


class Output(NamedTuple):
    """What dvc.lock records of an output: the stage that wrote it, its path, and its md5."""

    stage: str
    path: Path
    md5: str


def check_inputs(*paths: Path) -> None:
    """Compare all outputs of other stages at or below these paths with dvc.lock.

    Without dvc.lock, outside of DVC, nothing is known to compare with. Raises ArtifactError that names the first one
    that differs, and the command that brings it back.
    """
    if not DVC_LOCK.is_file():
        return
    for output in read_outputs():
        if any(output.path.is_relative_to(path) for path in paths):
            found = dvc_digest(output.path)
            if found != output.md5:
                raise ArtifactError(
                    f"{output.path}: md5 is {found[:12]}…, expected {output.md5[:12]}…, as `{output.stage}` wrote it. "
                    f"Run {way_back(output)}"
                )


def read_outputs() -> list[Output]:
    """List the outputs that dvc.lock records. Raises ArtifactError where it is damaged, with a way that helps."""
    content = read_bytes(DVC_LOCK)
    try:
        return list_outputs(content)
    except (ArtifactError, *UNREADABLE) as error:
        held = "holds the marks of a merge" if b"\n<<<<<<<" in b"\n" + content else "is damaged"
        raise ArtifactError(f"{DVC_LOCK}: {held}; {way_to_lock()}") from error


def list_outputs(content: bytes) -> list[Output]:
    """List the outputs in the content of a dvc.lock. Raises ArtifactError, or one of UNREADABLE, for any other."""
    document = parse_yaml(content, name=str(DVC_LOCK))
    return [
        Output(str(name), Path(out["path"]), out["md5"] + "")
        for name, stage in document["stages"].items()
        for out in stage.get("outs", [])
    ]


def dvc_digest(path: Path) -> str:
    """Return the md5 of a file or folder as DVC computes it. Raises ArtifactError where it cannot be read."""
    if not path.is_dir():
        return file_digest(path, "md5")
    ignored = ignored_names()
    names = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
    listed = [
        {"md5": file_digest(path / name, "md5"), "relpath": name}
        for name in names
        if not any(fnmatchcase(part, pattern) for part in name.split("/") for pattern in ignored)
    ]
    return folder_digest(listed)


def folder_digest(listed: list[dict[str, str]]) -> str:
    """Return the md5 of a folder as DVC computes it; listed: md5 and relpath of each file, sorted by the latter."""
    return hashlib.md5(json.dumps(listed, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + FOLDER


def ignored_names() -> list[str]:
    """Return the patterns of .dvcignore that name files and folders wherever they lie; none without that file.

    Its other patterns, those with a slash, are not about what stages write.
    """
    lines = DVC_IGNORE.read_text().splitlines() if DVC_IGNORE.is_file() else []
    return [line for line in map(str.strip, lines) if line and "/" not in line and line[0] not in "#!"]


def way_to_lock() -> str:
    """Say how to have a whole dvc.lock: from the last commit if that holds one, also during a merge."""
    with suppress(ArtifactError, GitError, *UNREADABLE):
        list_outputs(read_file("HEAD", str(DVC_LOCK)))
        return f"run `git checkout HEAD -- {DVC_LOCK}`, or delete it, and then `dvc repro`"
    return "delete it, and then run `dvc repro`"


def way_back(output: Output) -> str:
    """Return the command that makes an output what it was: from DVC's cache if it is whole there, else anew."""
    copies = dict(cached_objects(output.md5, cache_folder()))
    damaged = [str(path) for path, is_whole in copies.items() if is_whole is False]
    again = f"dvc repro --single-item {output.stage}"
    if damaged:
        return f"`rm -f {shlex.join(damaged)}; {again} --force`, since its copy in DVC's cache is damaged too"
    place = shlex.quote(str(output.path))
    if all(copies.values()) and not is_left_to_git(output):
        return f"`rm -r {place}; dvc checkout {place}`"
    # dvc checkout leaves alone what git keeps; DVC's run cache may still know it.
    return f"`rm -r {place}; {again}`"


def ways_back(stage: str) -> list[str]:
    """Return the commands that bring back what DVC removed before it ran a stage, as far as its cache or git has it."""
    lost = [output for output in read_outputs() if output.stage == stage and not output.path.exists()]
    cached = [output for output in lost if not is_left_to_git(output)]
    cache = cache_folder() if cached else CACHE
    found = {
        "dvc checkout": [output for output in cached if all(dict(cached_objects(output.md5, cache)).values())],
        "git checkout HEAD --": [output for output in lost if is_left_to_git(output) and is_committed(output.path)],
    }
    return [
        f"{command} {shlex.join(str(output.path) for output in outputs)}"
        for command, outputs in found.items()
        if outputs
    ]


def declared_stage(stage: str) -> Mapping[str, Any]:
    """Return what dvc.yaml says of a stage, such as train@dense, as it stands there; empty if it says nothing."""
    stages: Mapping[str, Any] = parse_yaml(read_bytes(DVC_YAML), name=str(DVC_YAML))["stages"]
    declared: Mapping[str, Any] = stages.get(stage.partition("@")[0], {})
    return declared.get("do", declared)  # type: ignore[no-any-return]


def is_left_to_git(output: Output) -> bool:
    """Tell whether dvc.yaml keeps an output out of DVC's cache."""
    declared, key = declared_stage(output.stage), output.stage.partition("@")[2]
    entries = [entry for kind in ("outs", "metrics", "plots") for entry in declared.get(kind, [])]
    return any(
        options.get("cache") is False and path.replace("${key}", key) == output.path.as_posix()
        for entry in entries
        if isinstance(entry, Mapping)
        for path, options in entry.items()
    )


def is_committed(path: Path) -> bool:
    """Tell whether the last commit holds a file or folder."""
    with suppress(GitError):
        git("cat-file", "-e", f"HEAD:./{path.as_posix()}")
        return True
    return False


def cache_folder(folder: Path = Path()) -> Path:
    """Return DVC's cache, for the project that a folder is in, as DVC says.

    It takes DVC a second to answer: ask it only where something is unusual.
    """
    command = [sys.executable, "-m", "dvc", "--cd", str(folder), "cache", "dir"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    cache = Path(said or folder / CACHE)
    return cache.relative_to(Path.cwd()) if cache.is_relative_to(Path.cwd()) else cache


def cached_objects(md5: str, cache: Path) -> Iterator[tuple[Path, bool | None]]:
    """List the objects in DVC's cache that an output consists of, and whether each is whole; None if it is missing."""
    path = cache / "files/md5" / md5[:2] / md5[2:]
    is_whole = file_digest(path, "md5") == md5.removesuffix(FOLDER) if path.is_file() else None
    yield path, is_whole
    if is_whole and md5.endswith(FOLDER):
        entries: list[Mapping[str, Any]] = json.loads(path.read_bytes())
        for entry in entries:
            yield from cached_objects(entry["md5"], cache)
