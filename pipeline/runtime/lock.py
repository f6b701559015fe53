"""Check a stage's inputs against dvc.lock: no stage computes with data that is not what the stage before wrote.

DVC itself trusts a file whose time and size have not changed, and a read-only file in its cache. So a damaged disk
would go unnoticed.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from fashion_mnist.errors import ArtifactError
from pipeline.runtime.files import UNREADABLE, file_digest
from pipeline.runtime.formats import parse_yaml
from pipeline.runtime.paths import DVC_IGNORE, DVC_LOCK

CACHE = Path(".dvc/cache/files/md5")
FOLDER = ".dir"
# What dvc.yaml lets DVC cache, besides data/; git keeps everything else.
CACHED = (".keras", ".npz")


class Output(NamedTuple):
    """What dvc.lock records of an output: the stage that wrote it, its path, and its md5."""

    stage: str
    path: Path
    md5: str

    @property
    def is_cached(self) -> bool:
        """Whether DVC caches it; git keeps the others."""
        return self.path.is_relative_to("data") or self.path.suffix in CACHED


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
    """List the outputs that dvc.lock records. Raises ArtifactError where it is damaged."""
    advice = f"run `git checkout -- {DVC_LOCK}`, or delete it, and then `dvc repro`"
    try:
        document = parse_yaml(DVC_LOCK.read_bytes(), name=str(DVC_LOCK), advice=advice)
        return [
            Output(str(name), Path(out["path"]), out["md5"] + "")
            for name, stage in document["stages"].items()
            for out in stage.get("outs", [])
        ]
    except UNREADABLE as error:
        raise ArtifactError(f"{DVC_LOCK}: is damaged; {advice}") from error


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
    return hashlib.md5(json.dumps(listed, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + FOLDER


def ignored_names() -> list[str]:
    """Return the patterns of .dvcignore that name files and folders wherever they lie; none without that file.

    Its other patterns, those with a slash, are not about what stages write.
    """
    lines = DVC_IGNORE.read_text().splitlines() if DVC_IGNORE.is_file() else []
    return [line for line in map(str.strip, lines) if line and "/" not in line and line[0] not in "#!"]


def way_back(output: Output) -> str:
    """Return the command that makes an output what it was: from DVC's cache if it is whole there, else anew."""
    damaged = [name for name, is_whole in cached_objects(output.md5) if not is_whole]
    again = f"dvc repro --single-item {output.stage}"
    if damaged:
        return f"`rm -f {' '.join(damaged)}; {again} --force`, since its copy in DVC's cache is damaged too"
    if output.is_cached and object_path(output.md5).is_file():
        return f"`rm -r {output.path}; dvc checkout {output.path}`"
    # What git keeps, dvc checkout leaves alone; DVC's run cache may still know it.
    return f"`rm -r {output.path}; {again}`"


def object_path(md5: str) -> Path:
    """Return where DVC's cache keeps an object."""
    return CACHE / md5[:2] / md5[2:]


def cached_objects(md5: str) -> Iterator[tuple[str, bool]]:
    """List the objects in DVC's cache that an output consists of, and whether each is whole."""
    path = object_path(md5)
    if not path.is_file():
        return
    is_whole = file_digest(path, "md5") == md5.removesuffix(FOLDER)
    yield path.as_posix(), is_whole
    if is_whole and md5.endswith(FOLDER):
        entries: list[Mapping[str, Any]] = json.loads(path.read_bytes())
        for entry in entries:
            yield from cached_objects(entry["md5"])
