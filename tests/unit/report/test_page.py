"""Claims about the report's page as a whole, in both languages and formats."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from fashion_mnist.report import evidence as evidence_module
from fashion_mnist.report.language import Language
from fashion_mnist.report.page import Report, make_report
from fashion_mnist.report.sections import errors as errors_module
from fashion_mnist.scores.metrics import METRICS, Metric
from fashion_mnist.study.plan import Study
from tests.unit.report.conftest import leave_figures_empty
from tests.unit.report.evidence import CNN, DENSE, evidence, page_cells, predicted
from tests.unit.report.studies import STUDY, counted, swept, with_errors
from tests.unit.report.test_language import LANGUAGES


@pytest.fixture(scope="module")
def english() -> Report:
    return make_report(evidence(study=STUDY))


@pytest.fixture(scope="module")
def russian() -> Report:
    with pytest.MonkeyPatch.context() as patch:
        leave_figures_empty(patch)
        return make_report(evidence(language="ru", study=STUDY))


class Browser(HTMLParser):
    """What a browser would fetch, show and read aloud."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.alternatives: list[str] = []
        self.ids: list[str] = []
        self.language = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.addresses += [str(found[key]) for key in ("src", "href") if key in found]
        self.ids += [str(found["id"])] if "id" in found else []
        if tag == "img":
            self.alternatives.append(str(found["alt"]))
        if tag == "html":
            self.language = str(found["lang"])


def test_page_has_nine_sections_in_the_order_of_the_questions(english: Report) -> None:
    keys = ("answer", "replication", "claims", "curves", "sweep", "errors", "position", "inside", "trust")
    titles = [Language("en").say(f"{key}.title") for key in keys]
    assert re.findall(r"^## (.*)$", english.markdown, re.MULTILINE) == titles


def test_comparison_is_that_of_the_candidate_with_the_baseline(english: Report) -> None:
    assert english.comparison["only_candidate_right"] == 16
    assert english.comparison["only_baseline_right"] == 1


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize(("unit", "decimal"), [("share", "93.21 %"), ("number", "0.9321")])
@pytest.mark.usefixtures("no_figures")
def test_new_metric_gets_its_row_without_a_text(
    language: str, unit: Any, decimal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METRICS, "top_two_accuracy", Metric(lambda _: 0.0, unit, of_probabilities=True))
    page = make_report(evidence(language=language, top_two_accuracy=0.93214)).markdown
    assert page_cells(page, "top two accuracy") == [Language(language).write(decimal)] * 2


@pytest.mark.parametrize("language", ["en", "ru"])
def test_every_metric_has_a_row(language: str, english: Report, russian: Report) -> None:
    page = {"en": english, "ru": russian}[language].markdown
    names = [Language(language).name("metric", metric) for metric in METRICS]
    assert [name for name in names if f"\n| {name} |" not in page.replace("**", "")] == []


@pytest.mark.usefixtures("no_figures")
def test_models_without_a_name_of_their_own_appear_under_that_of_the_code() -> None:
    report = make_report(evidence(models={"dense": DENSE, "cnn": CNN, "cnn_one_cycle": predicted(2, 3)}))
    assert page_cells(report.markdown, "**test accuracy**") == ["57.50 %", "95.00 %", "95.00 %"]
    assert {"learning_curves_cnn_one_cycle", "confusion_cnn_one_cycle", "confident_cnn_one_cycle"} <= set(
        report.figures
    )
    assert "| cnn_one_cycle |" in report.markdown


@pytest.mark.usefixtures("no_figures")
def test_synthetic_data_are_announced(english: Report) -> None:
    notice = Language("en").say("page.notice")
    page = make_report(evidence(dataset="synthetic")).markdown
    assert page.splitlines()[2] == f"> {notice}"
    assert notice not in english.markdown


def test_every_figure_is_shown_once_and_described(english: Report) -> None:
    shown = re.findall(r"!\[(.+?)\]\(figures/(\w+)\.svg\)", english.markdown)
    assert [name for _, name in shown] == list(english.figures)
    assert len({alternative for alternative, _ in shown}) == len(shown)


def test_html_holds_its_pictures_and_asks_nobody_for_anything(english: Report) -> None:
    page = Browser(english.html)
    fetched = [address for address in page.addresses if not address.startswith(("data:", "#", "../docs/"))]
    assert fetched == []
    assert "url(" not in english.html
    assert "<script" not in english.html
    assert len(page.alternatives) == len(english.figures)
    assert all(page.alternatives)


def test_html_says_what_the_markdown_says(english: Report) -> None:
    text = re.sub(r"<[^>]+>", " ", english.html)
    numbers = re.findall(r"[+−]?\d[\d,]*\.\d+", re.sub(r"!\[.*?\]\(.*?\)", "", english.markdown))
    assert len(numbers) > 100
    assert [number for number in numbers if number not in text] == []


def test_html_can_be_walked_by_its_contents(english: Report, russian: Report) -> None:
    for report, code in ((english, "en"), (russian, "ru")):
        page = Browser(report.html)
        links = [address.removeprefix("#") for address in page.addresses if address.startswith("#")]
        assert links == page.ids == [f"section-{number}" for number in range(1, 10)]
        assert page.language == code


def test_languages_show_the_same_numbers_and_figures(english: Report, russian: Report) -> None:
    assert list(russian.figures) == list(english.figures)
    tables = [
        [re.findall(r"\d+", line) for line in report.markdown.splitlines() if line.startswith("|")]
        for report in (english, russian)
    ]
    assert tables[0] == tables[1]


def test_russian_page_holds_no_english_words(russian: Report) -> None:
    text = re.sub(r"`[^`]*`|\]\([^)]*\)|```.*?```|</?sup>", "", russian.markdown, flags=re.DOTALL)
    names = {
        "Fashion",
        "MNIST",
        "F",
        "p",
        "t",
        "sha",
        "keras",
        "convolution",
        "dense",
        "cnn",
        "constant",
        "AVX",
        "x",
        "Intel",
        "AMD",
        "avx",
    }
    assert set(re.findall(r"[A-Za-z]+", text)) - names == {"float", "False", "True"}


@pytest.mark.usefixtures("no_figures")
def test_every_text_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    used = set()

    class Recording(Language):
        def say(self, key: str, **values: Any) -> str:
            used.add(key)
            return super().say(key, **values)

        def name(self, kind: str, word: str) -> str:
            used.add(f"{kind}.{word}")
            return super().name(kind, word)

    monkeypatch.setattr(evidence_module, "Language", Recording)
    for shown in (
        evidence(),
        evidence(models={"dense": CNN, "cnn": DENSE}),
        evidence(models={"dense": CNN, "cnn": CNN}),
        evidence(dataset="synthetic", layers=False),
        evidence(study=STUDY),
        evidence(study=with_errors(STUDY, "replicate", "small", (1, 2))),
        evidence(study=with_errors(counted((4, 5, 6), (4, 5, 6)), "other_cut", "dense", (0, 10, 20))),
        evidence(study=with_errors(counted((4, 5, 6), (4, 5, 6)), "replicate", "dense", (0, 10, 20))),
        evidence(study=swept(swept(STUDY, {16: (0.5, 0.6), 64: (0.7, 0.8)}), {16: (0.5, 0.5004)}, model="cnn")),
        evidence(study=swept(STUDY, {16: (0.5, 0.6), 64: (0.5, 0.6004)})),
    ):
        make_report(shown)
    monkeypatch.setattr(errors_module, "MOST_SHOWN", 3)
    make_report(evidence(dataset="folder", study=STUDY))
    assert {key for key in LANGUAGES["en"] if not key.startswith("number.")} - used == set()


def test_tables_have_equally_many_cells_in_each_row(english: Report, russian: Report) -> None:
    for page in (english.markdown, russian.markdown):
        tables = [block.strip().splitlines() for block in page.split("\n\n") if block.strip().startswith("|")]
        assert len(tables) == 18
        assert all(len({row.count("|") for row in table}) == 1 for table in tables)


@pytest.mark.parametrize("study", [STUDY, None])
@pytest.mark.parametrize("layers", [True, False])
@pytest.mark.usefixtures("no_figures")
def test_page_has_no_trailing_space_no_double_blank_line_and_ends_in_one_newline(
    layers: bool, study: Study | None
) -> None:
    page = make_report(evidence(layers=layers, dataset="synthetic", study=study)).markdown
    assert [line for line in page.splitlines() if line != line.rstrip()] == []
    assert "\n\n\n" not in page
    assert page.endswith("```\n")


def test_same_evidence_gives_the_same_bytes(english: Report) -> None:
    assert make_report(evidence(study=STUDY)) == english


@pytest.mark.usefixtures("no_figures")
def test_page_on_a_folder_shows_its_names_and_nothing_of_the_article() -> None:
    for study in (None, STUDY):
        page = make_report(evidence(dataset="folder", study=study)).markdown
        assert page.startswith("# convolutional network versus dense network on Ten things\n")
        assert "article" not in page
        assert "| thing 3 |" in page
    russian = make_report(evidence(dataset="folder", language="ru", study=STUDY)).markdown
    assert "татья" not in russian
    assert "татье" not in russian


@pytest.mark.usefixtures("no_figures")
def test_of_many_classes_the_hardest_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors_module, "MOST_SHOWN", 3)
    page = make_report(evidence(dataset="folder")).markdown
    rows = [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| thing ")]
    assert rows == ["thing 0", "thing 1", "thing 6"]  # the candidate errs on images 0 and 25
    assert "Of 10 classes, the 3 that the convolutional network finds least often are shown." in page
