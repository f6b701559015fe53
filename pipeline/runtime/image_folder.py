"""Look through a folder of images on disk: which files it holds, none from elsewhere."""

import os
from collections.abc import Iterator
from pathlib import Path

from fashion_mnist.data.folder import Layout, read_layout
from fashion_mnist.errors import DataError


def list_images(folder: Path, *, name: str | None = None) -> tuple[Layout, dict[str, Path]]:
    """Return the layout of a folder of images, and where each of its files is.

    name: what an error calls the folder, if not by its path. Raises DataError that names the first thing that does not
    fit, is a link out of the folder, or may not be read.
    """
    name = name or str(folder)
    if not folder.is_dir():
        held = "is a file" if folder.exists() else "is missing"
        raise DataError(f"{name}: {held}; expected a folder with train/CLASS/*.png. Set download.folder in params.yaml")
    paths = dict(_walk(folder, folder.resolve(), name))
    layout = read_layout(paths, name=name)
    chosen = [path for path, _ in [*layout.train, *(layout.test or [])]]
    for path in chosen:
        if not os.access(paths[path], os.R_OK):
            raise DataError(f"{name}/{path}: may not be read; expected a file that you may read. Try: chmod u+r")
    return layout, {path: paths[path] for path in chosen}


def _walk(folder: Path, root: Path, name: str, above: str = "") -> Iterator[tuple[str, Path]]:
    """Yield every path below a folder, relative to the root; those of folders end in a slash."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{name}/{above}: may not be opened ({error.strerror}). Try: chmod u+rx") from error
    for entry in entries:
        path = f"{above}{entry.name}"
        if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(root):
            raise DataError(f"{name}/{path}: is a link out of the folder; expected the file itself. Copy it there")
        if entry.is_symlink() and not Path(entry.path).exists():
            raise DataError(f"{name}/{path}: is a link to nothing; expected a file. Delete it")
        if not entry.is_dir():
            yield path, Path(entry.path)
        # Deeper than a class, nothing is read: a link may lead back to where it is.
        elif above.count("/") < 3:
            yield f"{path}/", Path(entry.path)
            yield from _walk(Path(entry.path), root, name, f"{path}/")
