"""Check a folder of images on disk: its layout, its links and whether its files may be read."""

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from fashion_mnist.errors import DataError
from fashion_mnist.sources.folder import Layout, read_layout
from pipeline.runtime.lock import cache_folder

DEEPEST = 3  # train/CLASS/FILE


def list_images(folder: Path) -> tuple[Layout, dict[str, Path]]:
    """Return the layout of a folder of images, and where each path below it is.

    Raises DataError that names the first thing that does not fit, may not be read, or is a link to neither the folder
    nor DVC's cache.
    """
    if not os.path.isdir(folder):  # noqa: PTH112 - answers where Path raises, such as for a name too long
        held = "is a file" if os.path.lexists(folder) else "is missing"
        raise DataError(
            f"{folder}: {held}; expected a folder with train/CLASS/*.png. Set download.folder in params.yaml"
        )
    places = dict(_walk(folder, _link_checker(folder)))
    layout = read_layout(places, name=str(folder))
    for path, _ in layout.files:
        if not os.access(places[path], os.R_OK):
            raise DataError(f"{folder}/{path}: may not be read; expected a file that you may read. Try: chmod u+r")
    return layout, places


def _link_checker(folder: Path) -> Callable[[Path], bool]:
    """Return a function that tells whether a link leads into the folder, or into the cache of its DVC."""
    root = os.path.realpath(folder)
    dvc_cache = cache(lambda: os.path.realpath(cache_folder(folder)))  # DVC takes a second to answer

    def leads_inside(link: Path) -> bool:
        target = Path(os.path.realpath(link))  # Path.resolve raises for a link to itself
        return target.is_relative_to(root) or target.is_relative_to(dvc_cache())

    return leads_inside


def _walk(folder: Path, leads_inside: Callable[[Path], bool], above: str = "") -> Iterator[tuple[str, Path]]:
    """Yield every path below a folder, relative to it, and where it is; paths of folders end in a slash."""
    try:
        entries = sorted(os.scandir(folder / above), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{folder}/{above}: may not be opened ({error.strerror}). Try: chmod u+rx") from error
    for entry in entries:
        path, place = f"{above}{entry.name}", Path(entry.path)
        if entry.is_symlink() and not leads_inside(place):
            raise DataError(f"{folder}/{path}: is a link out of the folder; expected the file itself. Copy it there")
        if entry.is_symlink() and not place.exists():
            raise DataError(
                f"{folder}/{path}: is a link to nothing; expected a file. Delete it, or run `dvc pull` if DVC made it"
            )
        if not entry.is_dir():
            yield path, place
        elif above.count("/") < DEEPEST:  # a link may lead to a folder above it
            yield f"{path}/", place
            yield from _walk(folder, leads_inside, f"{path}/")
