"""Claims about the report's languages and its numbers."""

import re
import tomllib
from pathlib import Path
from string import Formatter

import pytest

from fashion_mnist.report.language import FORMS, Language, percent, points
from fashion_mnist.report.sections.trust import setting
from fashion_mnist.sources.fashion_mnist import CLASS_NAMES
from tests.unit.report.evidence import OWN_CLASSES, evidence

FOLDER = Path(__file__).parents[3] / "src/fashion_mnist/report/languages"
LANGUAGES = {
    path.stem: {
        f"{section}.{key}": text
        for section, texts in tomllib.loads(path.read_text()).items()
        for key, text in texts.items()
    }
    for path in FOLDER.glob("*.toml")
}


def places(text: str) -> set[str | None]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize(("share", "text"), [(0.91234, "91.23 %"), (1, "100.00 %"), (None, "–")])
def test_share_is_written_in_percent(share: float | None, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("difference", "text"), [(0.0321, "+3.21"), (-0.0321, "−3.21"), (0, "+0.00"), (-1e-5, "+0.00"), (None, "–")]
)
def test_difference_is_written_in_points_with_its_sign(difference: float | None, text: str) -> None:
    assert points(difference) == text


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (1, "1.000"),
        (0.7254, "0.725"),
        (0.001, "0.001"),
        (0.00032, "3.2 · 10<sup>−4</sup>"),
        (3.2e-26, "3.2 · 10<sup>−26</sup>"),
        (0, "below 10<sup>−300</sup>"),
        (None, "–"),
    ],
)
def test_probability_is_written_with_the_digits_that_matter(p: float | None, text: str) -> None:
    assert Language("en").probability(p) == text


def test_english_and_russian_are_there_and_no_other() -> None:
    assert set(LANGUAGES) == {"en", "ru"}


def test_every_language_has_every_text_with_the_same_places() -> None:
    assert {key: places(text) for key, text in LANGUAGES["ru"].items()} == {
        key: places(text) for key, text in LANGUAGES["en"].items()
    }


def test_no_text_is_empty() -> None:
    assert [(code, key) for code, texts in LANGUAGES.items() for key, text in texts.items() if not text] == []


def test_russian_texts_are_russian() -> None:
    # What is left without a Cyrillic letter: numbers' marks, a name of its own, and texts made of places alone.
    plain = {key for key, text in LANGUAGES["ru"].items() if not re.search("[а-яё]", text, re.IGNORECASE)}
    assert plain == {
        "number.decimal",
        "number.thousands",
        "page.fashion_mnist",
        "errors.pair",
    }


@pytest.mark.parametrize("code", ["en", "ru"])
def test_every_class_has_a_name_of_its_own(code: str) -> None:
    names = evidence(language=code).class_names
    assert len(set(names)) == 10
    assert (names == list(CLASS_NAMES)) is (code == "en")


def test_classes_of_a_folder_keep_the_names_of_their_folders() -> None:
    assert evidence(language="ru", dataset="folder").class_names == OWN_CLASSES


def test_what_has_no_name_is_called_as_in_the_code() -> None:
    assert Language("ru").model("transformer") == "transformer"


def test_numbers_carry_the_marks_of_their_language() -> None:
    english, russian = Language("en"), Language("ru")
    assert (english.percent(0.9123), russian.percent(0.9123)) == ("91.23\u00a0%", "91,23\u00a0%")
    assert (english.points(-0.0321), russian.points(-0.0321)) == ("−3.21", "−3,21")
    assert (english.count(4241152), russian.count(4241152)) == ("4,241,152", "4\u202f241\u202f152")
    assert (english.plain(0.3), russian.plain(0.3)) == ("0.3", "0,3")
    assert english.estimate(0.5, 0.45, 0.55) == "50.00\u00a0% (45.00\u00a0% to 55.00\u00a0%)"
    assert english.shares({"dense": 0.5, "other": 1}) == "dense network 50.00\u00a0%, other 100.00\u00a0%"
    assert russian.probability(1.6e-34) == "1,6 · 10<sup>−34</sup>"


@pytest.mark.parametrize(
    ("value", "text"), [((32, 64), "32; 64"), (True, "True"), ("float32", "float32"), (0.001, "0.001"), (None, "–")]
)
def test_parameter_is_written_with_the_digits_it_has(value: object, text: str) -> None:
    assert setting(value, Language("en")) == text


def test_place_in_a_text_is_written_as_its_form_says(monkeypatch: pytest.MonkeyPatch) -> None:
    russian = Language("ru")
    monkeypatch.setitem(russian._words, "page.title", "{a:model} {b:percent} {c:points} {d:.1f} {e} {f:count}")
    said = russian.say("page.title", a="dense", b=0.5, c=-0.0321, d=2.25, e="3.5", f=1234)
    assert said == "полносвязная сеть 50,00\u00a0% −3,21 2,2 3.5 1\u202f234"


def test_forms_of_all_languages_are_known() -> None:
    texts = [text for words in LANGUAGES.values() for text in words.values()]
    forms = {form for text in texts for _, _, form, _ in Formatter().parse(text) if form}
    assert forms - set(FORMS) == {".1f", ".2f"}
