"""The layout of a folder of images, SPLIT/CLASS/FILE with the splits train, val and test, read from the names in it."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from fashion_mnist.errors import DataError

SPLITS = ("train", "val", "test")
FEWEST_CLASSES, MOST_CLASSES = 2, 1000
# What file managers and network drives leave behind; .dvcignore names the same. Hidden files, whose names begin with a
# dot, and editors' copies, whose names end in ~, are ignored too.
IGNORED = {"thumbs.db", "desktop.ini", "__macosx", "@eadir"}
IMAGES = (".png", ".jpg", ".jpeg")
# Besides letters, digits and spaces. Other marks need quoting in tables, on pages, or in names of metrics.
MARKS = "-_.+&()"
NUMBERS = {2: "two", 3: "three"}
EXPECTED = "expected train/CLASS/*.png and, if you like, val/CLASS/*.png and test/CLASS/*.png"


class Layout(NamedTuple):
    """Classes in order, and the files of each split with the number of their class; None for a missing split."""

    classes: tuple[str, ...]
    train: list[tuple[str, int]]
    test: list[tuple[str, int]] | None
    val: list[tuple[str, int]] | None = None

    @property
    def files(self) -> list[tuple[str, int]]:
        """The files of train, then those of val, then those of test."""
        return [*self.train, *(self.val or []), *(self.test or [])]


def read_layout(paths: Iterable[str], *, name: str) -> Layout:
    """Read the layout from all paths below a folder, relative to it; those of folders end in a slash.

    name: what an error calls the folder. Raises DataError that names the first thing that does not fit.
    """
    files: dict[str, dict[str, list[str]]] = {}
    for path in sorted(_without_ignored(paths, name)):
        split, *below = _check_place(path, name)
        folders = files.setdefault(split, {})
        if below:
            folders.setdefault(below[0], []).extend([path] if len(below) > 1 else [])
    if "train" not in files:
        raise DataError(f"{name}: holds no folder train; {EXPECTED}")
    classes = {split: _classes(files[split], f"{name}/{split}") for split in SPLITS if split in files}
    _check_classes(classes, name)
    numbers = {found: number for number, found in enumerate(sorted(classes["train"]))}
    labelled = {
        split: [(path, numbers[found]) for found in numbers for path in files[split][classes[split][found]]]
        for split in classes
    }
    _check_counts(labelled, tuple(numbers), name)
    return Layout(tuple(numbers), labelled["train"], labelled.get("test"), labelled.get("val"))


def _without_ignored(paths: Iterable[str], name: str) -> Iterator[str]:
    """Leave out hidden files, a file manager's, and texts beside the splits. Raises DataError for names not in text."""
    for path in paths:
        parts = path.rstrip("/").split("/")
        if any(part.startswith(".") or part.endswith("~") or part.lower() in IGNORED for part in parts):
            continue
        if not path.isprintable():
            kind = "not UTF-8" if any("\ud800" <= sign <= "\udfff" for sign in path) else "not printable"
            raise DataError(f"{name}: the name {path!a} is {kind}; rename it")
        if "/" in path or path.lower().endswith(IMAGES):
            yield path


def _check_place(path: str, name: str) -> list[str]:
    """Return the parts of a path that is a split, a class or a file in a class. Raises DataError for any other."""
    is_folder = path.endswith("/")
    parts = path.rstrip("/").split("/")
    if parts[0] not in SPLITS and "/" in path:
        raise DataError(f"{name}/{path}: is neither train nor val nor test; {EXPECTED}")
    if len(parts) < 3 and not is_folder:
        raise DataError(f"{name}/{path}: is in no class; {EXPECTED}")
    if len(parts) > 3 or (len(parts) == 3 and is_folder):
        raise DataError(f"{name}/{path.rstrip('/')}: is a folder within a class, or in one; {EXPECTED}")
    return parts


def _classes(folders: Iterable[str], name: str) -> dict[str, str]:
    """Return the folder of each class by the class's name, whose accents are encoded in one way (NFC).

    Raises DataError for a name that holds other marks, or that cannot be told from another.
    """
    classes: dict[str, str] = {}
    known: dict[str, str] = {}
    for folder in folders:
        found = unicodedata.normalize("NFC", folder)
        wrong = [sign for sign in found if not _is_allowed(sign)]
        if wrong or found != found.strip():
            held = repr(wrong[0]) if wrong else "a space at an end"
            raise DataError(
                f"{name}/{folder}: the class's name holds {held}; expected letters, digits, spaces and "
                f"{' '.join(MARKS)}. Rename the folder"
            )
        if (other := known.setdefault(found.casefold(), folder)) != folder:
            raise DataError(
                f"{name}: the classes {other} and {folder} differ only in case or the encoding of accents; rename one"
            )
        classes[found] = folder
    return classes


def _is_allowed(sign: str) -> bool:
    return sign.isalnum() or sign in MARKS or sign == " " or unicodedata.category(sign).startswith("M")


def _check_classes(classes: dict[str, dict[str, str]], name: str) -> None:
    """Raise DataError for too few or too many classes, or if val or test has other classes than train."""
    train = classes["train"]
    if not FEWEST_CLASSES <= len(train) <= MOST_CLASSES:
        raise DataError(
            f"{name}/train: {len(train)} classes; expected {FEWEST_CLASSES} to {MOST_CLASSES}, a folder of images each"
        )
    for split, found in classes.items():
        if differing := sorted(train.keys() ^ found.keys()):
            here, there = ("train", split) if differing[0] in train else (split, "train")
            raise DataError(f"{name}: class {differing[0]} is in {here}, but not in {there}; expected the same in both")


def _check_counts(labelled: dict[str, list[tuple[str, int]]], classes: tuple[str, ...], name: str) -> None:
    """Raise DataError for a class that has too few images for every split to get one."""
    # What has no folder is cut from train.
    shared = ["train", *(kind for split, kind in (("val", "validation"), ("test", "test")) if split not in labelled)]
    for split, files in labelled.items():
        counts = Counter(label for _, label in files)
        least = len(shared) if split == "train" else 1
        why = f"{NUMBERS[least]}: one each for {' and '.join(shared)}" if least > 1 else "one"
        for number, found in enumerate(classes):
            if counts[number] < least:
                held = {0: "no image", 1: "one image"}.get(counts[number], f"{counts[number]} images")
                raise DataError(f"{name}/{split}/{found}: holds {held}; expected at least {why}")
