"""Look through a folder of images on disk: which files it holds, none from elsewhere but DVC's cache."""

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from fashion_mnist.errors import DataError
from fashion_mnist.sources.folder import Layout, read_layout
from pipeline.runtime.lock import cache_folder


def list_images(folder: Path, *, name: str | None = None, is_verified: bool = False) -> tuple[Layout, dict[str, Path]]:
    """Return the layout of a folder of images, and where each of its files is.

    name: what an error calls the folder, if not by its path. is_verified: whether its content is known to be right, so
    that links, which DVC may have made, may lead anywhere. Raises DataError that names the first thing that does not
    fit, is a link out of the folder and not into DVC's cache, or may not be read.
    """
    name = name or str(folder)
    if not os.path.isdir(folder):  # noqa: PTH112 - answers where Path raises, such as for a name too long
        held = "is a file" if os.path.lexists(folder) else "is missing"
        raise DataError(f"{name}: {held}; expected a folder with train/CLASS/*.png. Set download.folder in params.yaml")
    paths = dict(_walk(folder, _place_checker(folder, is_verified=is_verified), name))
    layout = read_layout(paths, name=name)
    chosen = [path for path, _ in [*layout.train, *(layout.test or [])]]
    for path in chosen:
        if not os.access(paths[path], os.R_OK):
            raise DataError(f"{name}/{path}: may not be read; expected a file that you may read. Try: chmod u+r")
    return layout, {path: paths[path] for path in chosen}


def _place_checker(folder: Path, *, is_verified: bool) -> Callable[[str], bool]:
    """Return a function that tells whether a link leads to a place within the folder, or in the cache of its DVC."""

    @cache
    def cached() -> str:
        return os.path.realpath(cache_folder(folder))

    def is_allowed(link: str) -> bool:
        target = Path(os.path.realpath(link))  # Path.resolve raises for a link to itself
        return is_verified or target.is_relative_to(os.path.realpath(folder)) or target.is_relative_to(cached())

    return is_allowed


def _walk(folder: Path, is_allowed: Callable[[str], bool], name: str, above: str = "") -> Iterator[tuple[str, Path]]:
    """Yield every path below a folder, relative to the root; those of folders end in a slash."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{name}/{above}: may not be opened ({error.strerror}). Try: chmod u+rx") from error
    for entry in entries:
        path = f"{above}{entry.name}"
        if entry.is_symlink() and not is_allowed(entry.path):
            raise DataError(f"{name}/{path}: is a link out of the folder; expected the file itself. Copy it there")
        if entry.is_symlink() and not Path(entry.path).exists():
            raise DataError(
                f"{name}/{path}: is a link to nothing; expected a file. Delete it, or run `dvc pull` if DVC made it"
            )
        if not entry.is_dir():
            yield path, Path(entry.path)
        # Deeper than a class, nothing is read: a link may lead back to where it is.
        elif above.count("/") < 3:
            yield f"{path}/", Path(entry.path)
            yield from _walk(Path(entry.path), is_allowed, name, f"{path}/")
