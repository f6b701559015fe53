"""Claims about the layout of a folder of images, as far as names tell it."""

from collections.abc import Sequence

import pytest

from fashion_mnist.errors import DataError
from fashion_mnist.sources.folder import read_layout


def listed(*more: tuple[str, Sequence[str]], **classes: Sequence[str]) -> list[str]:
    """Return the paths below a folder: of folders, train__CLASS or test__CLASS, with the names of their files.

    more: folders whose names are no identifiers.
    """
    paths = []
    for place, files in [*more, *classes.items()]:
        folder = f"{place.replace('__', '/')}/"
        paths += [folder.split("/")[0] + "/", folder, *(folder + file for file in files)]
    return paths


THREE = ("1.png", "2.PNG", "3.jpeg")
WHOLE = listed(train__a=THREE, train__b=THREE, test__a=["4.png"], test__b=["5.png"])


def refused(paths: Sequence[str]) -> str:
    with pytest.raises(DataError) as error:
        read_layout(paths, name="images")
    assert "\n" not in str(error.value)
    return str(error.value)


def test_classes_are_in_order_and_files_have_the_number_of_their_class() -> None:
    found = read_layout(reversed(WHOLE), name="images")
    assert found.classes == ("a", "b")
    assert found.train[:4] == [("train/a/1.png", 0), ("train/a/2.PNG", 0), ("train/a/3.jpeg", 0), ("train/b/1.png", 1)]
    assert found.test == [("test/a/4.png", 0), ("test/b/5.png", 1)]


def test_folder_without_test_has_none() -> None:
    assert read_layout(listed(train__a=THREE, train__b=THREE), name="images").test is None


def test_what_file_managers_leave_and_texts_beside_the_splits_are_ignored() -> None:
    more = [
        ".DS_Store",
        "train/a/.DS_Store",
        "train/a/Thumbs.db",
        "train/a/1.png~",
        "train/@eaDir/",
        "__MACOSX/",
        "__MACOSX/x.png",
        "README.md",
        "train/.x/",
    ]
    assert read_layout([*WHOLE, *more], name="images") == read_layout(WHOLE, name="images")


def test_names_may_hold_spaces_accents_and_some_marks() -> None:
    names = ("Größe 3", "a-b_c.d", "e\u0301t\u00e9", "R&D (x)", "猫")
    layout = read_layout([path for name in names for path in listed((f"train__{name}", THREE))], name="images")
    assert set(layout.classes) == {"Größe 3", "a-b_c.d", "\u00e9t\u00e9", "R&D (x)", "猫"}


def test_accent_may_be_encoded_otherwise_in_test_than_in_train() -> None:
    paths = listed(("train__\u00e9", THREE), ("test__e\u0301", ["1.png"]), train__a=THREE, test__a=["1.png"])
    found = read_layout(paths, name="images")
    assert found.classes == ("a", "\u00e9")
    assert found.test == [("test/a/1.png", 0), ("test/e\u0301/1.png", 1)]


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        ([], "images: holds no folder train"),
        (["train/"], "images/train: 0 classes; expected 2 to 1000"),
        (listed(train__a=THREE), "images/train: 1 classes; expected 2 to 1000"),
        ([*WHOLE, "valid/", "valid/a/", "valid/a/1.png"], "images/valid/: is neither train nor val nor test"),
        ([*WHOLE, "val/", "val/a/", "val/a/1.png"], "images: class b is in train, but not in val"),
        ([*WHOLE, *listed(val__a=["1.png"], val__b=[])], "images/val/b: holds no image; expected at least one"),
        ([*WHOLE, "x.png"], "images/x.png: is in no class"),
        ([*WHOLE, "train/x.png"], "images/train/x.png: is in no class"),
        ([*WHOLE, "train/a/more/"], "images/train/a/more: is a folder within a class"),
        ([*WHOLE, "train/a/more/1.png"], "images/train/a/more/1.png: is a folder within a class, or in one"),
        (listed(train__a=THREE, train__b=[]), "images/train/b: holds no image; expected at least three"),
        (listed(train__a=THREE, train__b=["1.png"]), "images/train/b: holds one image; expected at least three"),
        (
            [*listed(train__c=["1.png"], test__c=["2.png"]), *WHOLE],
            "images/train/c: holds one image; expected at least two",
        ),
        ([*listed(train__c=THREE), *WHOLE], "images: class c is in train, but not in test"),
        ([*listed(test__c=THREE), *WHOLE], "images: class c is in test, but not in train"),
        ([*listed(train__A=THREE), *WHOLE], "images/train: the classes A and a differ only in case"),
        (
            listed(("train__\u00e9", THREE), ("train__e\u0301", THREE)),
            "images/train: the classes e\u0301 and \u00e9 differ only in case or the encoding of accents",
        ),
        (listed(("train__b,c", THREE), train__a=THREE), "images/train/b,c: the class's name holds ','"),
        (listed(('train__b"c', THREE), train__a=THREE), "images/train/b\"c: the class's name holds '\"'"),
        (listed(("train__b'c", THREE), train__a=THREE), "images/train/b'c: the class's name holds \"'\""),
        (listed(("train__b|c", THREE), train__a=THREE), "images/train/b|c: the class's name holds '|'"),
        (listed(("train__b ", THREE), train__a=THREE), "images/train/b : the class's name holds a space at an end"),
        (listed(("train__b\udcff", THREE), train__a=THREE), "images: the name 'train/b\\udcff/' is not UTF-8"),
        (
            listed(train__a=[*THREE, "x\udce9.png"], train__b=THREE),
            "images: the name 'train/a/x\\udce9.png' is not UTF-8",
        ),
        (listed(train__a=[*THREE, "x\n.png"], train__b=THREE), "images: the name 'train/a/x\\n.png' is not printable"),
        (
            [path for number in range(1001) for path in listed((f"train__{number}", THREE))],
            "images/train: 1001 classes; expected 2 to 1000",
        ),
    ],
)
def test_first_thing_that_does_not_fit_is_named(paths: Sequence[str], said: str) -> None:
    assert refused(paths).startswith(said)
