"""Claims about the report's page, made from forty images that two models judge."""

import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from fashion_mnist.params import Params
from fashion_mnist.parsing import parse_params
from fashion_mnist.report.language import Language
from fashion_mnist.report.page import Evidence, Measured, Report, Surroundings, make_report
from fashion_mnist.scores.robustness import DIRECTIONS
from tests.unit.report.test_language import LANGUAGES
from tests.unit.test_params import changed

LABELS = np.repeat(np.arange(10, dtype=np.uint8), 4)


def predicted(*wrong: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The labels, but for some images, which are taken for the next class."""
    predictions = LABELS.copy()
    for number in wrong:
        predictions[number] = (predictions[number] + 1) % 10
    return predictions


DENSE = predicted(*range(16), 24)
CNN = predicted(0, 25)


def scores(accuracy: float) -> dict[str, float]:
    return {
        "accuracy": accuracy,
        "accuracy_low": accuracy - 0.11,
        "accuracy_high": accuracy + 0.021,
        "macro_f1": 0.87654,
        "loss": 0.34567,
        "expected_calibration_error": 0.01234,
        "train_accuracy": 0.97417,
        "validation_accuracy": 0.91818,
        "train_validation_gap": 0.05599,
        "parameters": 421642,
        "multiply_adds": 4241152,
    }


def curve(amount: str, *more: str) -> dict[str, Any]:
    shares = np.array([0.9, 0.75, 0.5])
    columns = {amount: np.array([0.0, 1.0, 2.0]), "accuracy": shares, "low": shares - 0.05, "high": shares + 0.05}
    return columns | dict.fromkeys(more, shares)


def measured(predictions: Any, values: dict[str, float]) -> Measured:
    rising = np.linspace(0.5, 0.9, 3)
    history = {
        "epoch": np.arange(1, 4),
        "loss": 1 - rising,
        "accuracy": rising,
        "val_loss": np.abs(rising - 0.7) + 0.2,
        "val_accuracy": rising - 0.05,
    }
    confidence = np.linspace(0.3, 0.99, 40)
    curves = {"position": curve("pixels", *DIRECTIONS), "rotation": curve("degrees"), "noise": curve("deviation")}
    return Measured(values, history, predictions, confidence, curves)


def evidence(
    *,
    language: str = "en",
    dataset: str = "fashion_mnist",
    models: dict[str, Any] | None = None,
    layers: bool = True,
    duplicates: list[int] | None = None,
) -> Evidence:
    document = changed("report.language", language)
    document["evaluate"]["example"] = 36
    params: Params = parse_params(document, source="params.yaml")
    split = {"pixel_mean": 0.28604, "pixel_std": 0.35302, "images_sha256": "0123456789abcdef" * 4}
    split["labels_sha256"] = "fedcba9876543210" * 4
    data = {"dataset": dataset, "duplicates_within_train": 43, "test_images_in_train": duplicates or []}
    data |= {name: split | {"images": images} for name, images in (("train", 55_000), ("validation", 5_000))}
    data["test"] = split | {"images": 40}
    found = models or {"dense": DENSE, "cnn": CNN}
    tables = {
        name: measured(predictions, scores(float((predictions == LABELS).mean())))
        for name, predictions in found.items()
    }
    wrong = np.flatnonzero(np.any([predictions != LABELS for predictions in found.values()], axis=0))
    pixels = np.arange(784, dtype=np.uint8).reshape(28, 28)
    arrays: dict[str, Any] = {
        "misjudged": wrong,
        "misjudged_images": np.repeat(pixels[np.newaxis], len(wrong), axis=0),
        "example_image": pixels,
    }
    if layers:
        arrays["cnn/kernels/convolution_1"] = np.ones((3, 3, 2), np.float32)
        arrays["cnn/maps/convolution_1"] = np.ones((28, 28, 2), np.float32)
    return Evidence(params, data, LABELS, tables, arrays, Surroundings({"keras": "3.15.1"}, "0a1b2c3d4e5f" * 6))


@pytest.fixture(scope="module")
def english() -> Report:
    return make_report(evidence())


@pytest.fixture(scope="module")
def russian() -> Report:
    return make_report(evidence(language="ru"))


def cells(page: str, label: str) -> list[str]:
    """Return the cells of the first table row that begins with a label, with plain spaces."""
    row = next(line for line in page.splitlines() if line.startswith(f"| {label} |"))
    return [cell.strip().replace("\u00a0", " ") for cell in row.strip("|").split("|")][1:]


class Page(HTMLParser):
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


def test_page_has_seven_sections_in_the_order_of_the_questions(english: Report) -> None:
    assert re.findall(r"^## (.*)$", english.markdown, re.MULTILINE) == [
        "The answer",
        "The article's claims, checked",
        "Learning curves",
        "Where they err",
        "Why: position",
        "How it works",
        "Trust",
    ]


def test_numbers_on_the_page_are_those_of_the_files(english: Report) -> None:
    page = english.markdown
    assert cells(page, "**test accuracy**") == ["57.50 %", "95.00 %"]
    assert cells(page, "its 95 % interval") == ["46.50 % to 59.60 %", "84.00 % to 97.10 %"]
    assert cells(page, "the article's test accuracy") == ["87.82 %", "91.00 %"]
    assert cells(page, "train accuracy") == ["97.42 %"] * 2
    assert cells(page, "validation accuracy") == ["91.82 %"] * 2
    assert cells(page, "macro F1 on test") == ["0.8765"] * 2
    assert cells(page, "loss on test, nats") == ["0.3457"] * 2
    assert cells(page, "parameters") == ["421,642"] * 2
    assert cells(page, "multiply-adds for an image") == ["4,241,152"] * 2
    assert cells(page, "train − validation at the end, points") == ["+5.60"] * 2
    assert cells(page, "images") == ["55,000", "5,000", "40"]
    assert cells(page, "sha256 of the labels") == ["`fedcba987654…`"] * 3
    assert cells(page, "keras") == ["3.15.1"]
    assert cells(page, "sha256 of the lock") == ["`0a1b2c3d4e5f…`"]
    assert "| 2 | 50.00\u00a0% (45.00\u00a0% to 55.00\u00a0%) | 50.00\u00a0% (45.00\u00a0% to 55.00\u00a0%) |" in page


def test_claims_stand_with_their_verdict_our_figure_and_its_interval(english: Report) -> None:
    page = english.markdown
    assert cells(page, "dense network: accuracy on test")[:3] == ["**not held**", "87.82 %", "57.50 %"]
    assert cells(page, "convolutional network: accuracy on train")[:3] == ["held", "97.00 %", "97.42 %"]
    assert cells(page, "convolutional network overfits: train − validation, points")[:3] == ["held", "–", "+5.60"]
    verdict, *figures = cells(page, "convolutional network is better: difference on test, points")
    assert (verdict, figures) == ("held", ["–", "+37.50", "+20.76 to +54.24"])


def test_images_are_counted_by_who_is_right(english: Report) -> None:
    assert cells(english.markdown, "dense network right") == ["22", "1"]
    assert cells(english.markdown, "dense network wrong") == ["16", "1"]
    assert english.comparison["only_candidate_right"] == 16


def test_best_epochs_are_those_of_the_history(english: Report) -> None:
    assert cells(english.markdown, "after epoch") == ["3", "3"]
    assert cells(english.markdown, "lowest loss on validation after epoch") == ["2", "2"]
    assert cells(english.markdown, "best accuracy on validation") == ["85.00 %"] * 2


def test_recall_and_pairs_are_counted_from_the_predictions(english: Report) -> None:
    page = english.markdown
    assert [cell.split(" (")[0] for cell in cells(page, "T-shirt/top")] == ["0.00 %", "75.00 %"]
    assert [cell.split(" (")[0] for cell in cells(page, "Bag")] == ["100.00 %"] * 2
    assert "T-shirt/top / Trouser: 4 (4 + 0)" in page
    assert "Hardest for the convolutional network: T-shirt/top, 75.00\u00a0%." in page


def test_parameters_of_the_training_stand_beside_each_other(english: Report) -> None:
    assert cells(english.markdown, "`epochs`") == ["5", "10"]
    assert cells(english.markdown, "`filters`") == ["–", "32; 64"]


@pytest.mark.parametrize(
    ("dense", "cnn", "said"),
    [
        (
            DENSE,
            CNN,
            "**The convolutional network is more accurate than the dense network by 37.50 percentage points**",
        ),
        (
            CNN,
            DENSE,
            "**The convolutional network is less accurate than the dense network, by 37.50 percentage points**",
        ),
        (
            predicted(1),
            predicted(0, 25),
            "**The test images cannot tell the convolutional network and the dense network apart: −2.50 percentage "
            "points**",
        ),
    ],
)
def test_answer_says_who_is_ahead_as_far_as_the_images_can_tell(dense: Any, cnn: Any, said: str) -> None:
    assert said in make_report(evidence(models={"dense": dense, "cnn": cnn})).markdown


def test_galleries_show_the_surest_mistakes_and_say_them(english: Report) -> None:
    alternative = re.search(r"!\[Test images that only the dense network gets right, (.*?)\]", english.markdown)
    assert alternative is not None
    assert "Shirt taken for Sneaker, 74.2 %." in alternative[1]


def test_accuracy_without_duplicates_leaves_them_out() -> None:
    # Without image 0, which both get wrong: 23 and 38 of 39.
    page = make_report(evidence(duplicates=[0])).markdown
    assert "43 within the published training file, 1 test images that also stand in it." in page
    assert "dense network 58.97\u00a0%, convolutional network 97.44\u00a0%." in page


def test_synthetic_data_are_announced_and_not_held_against_the_article() -> None:
    page = make_report(evidence(dataset="synthetic")).markdown
    assert page.startswith("# A convolutional against a dense network on drawn garments\n\n> **Synthetic data.**")
    assert "the article's test accuracy" not in page
    assert "network: accuracy on test" not in page
    assert "make demo" in page


def test_published_data_carry_no_warning(english: Report) -> None:
    assert "ynthetic" not in english.markdown


def test_candidate_without_convolution_has_nothing_to_show_inside() -> None:
    report = make_report(evidence(layers=False))
    assert "has no layer that keeps an image an image" in report.markdown
    assert not any(name.startswith(("layer_", "example")) for name in report.figures)


def test_every_figure_is_shown_once_and_described(english: Report) -> None:
    shown = re.findall(r"!\[(.+?)\]\(figures/(\w+)\.svg\)", english.markdown)
    assert sorted(name for _, name in shown) == sorted(english.figures)
    assert len({alternative for alternative, _ in shown}) == len(shown)


def test_html_holds_its_pictures_and_asks_nobody_for_anything(english: Report) -> None:
    page = Page(english.html)
    fetched = [address for address in page.addresses if not address.startswith(("data:", "#", "../docs/"))]
    assert fetched == []
    assert "url(" not in english.html
    assert "<script" not in english.html
    assert len(page.alternatives) == len(english.figures)
    assert all(page.alternatives)


def test_html_says_what_the_markdown_says(english: Report) -> None:
    text = re.sub(r"<[^>]+>", " ", english.html)
    for number in re.findall(r"[+−]?\d[\d,]*\.\d+", re.sub(r"!\[.*?\]\(.*?\)", "", english.markdown)):
        assert number in text


def test_html_can_be_walked_by_its_contents(english: Report, russian: Report) -> None:
    for report, code in ((english, "en"), (russian, "ru")):
        page = Page(report.html)
        links = [address.removeprefix("#") for address in page.addresses if address.startswith("#")]
        assert links == page.ids == [f"section-{number}" for number in range(1, 8)]
        assert page.language == code


def test_languages_show_the_same_numbers_and_figures(english: Report, russian: Report) -> None:
    assert list(russian.figures) == list(english.figures)
    rows = [
        [re.findall(r"\d+", line) for line in report.markdown.splitlines() if line.startswith("|")]
        for report in (english, russian)
    ]
    assert rows[0] == rows[1]


def test_russian_page_holds_no_english_words(russian: Report) -> None:
    text = re.sub(r"`[^`]*`|\]\([^)]*\)|```.*?```|</?sup>", "", russian.markdown, flags=re.DOTALL)
    names = {"Fashion", "MNIST", "F", "p", "sha", "keras", "convolution"}
    assert set(re.findall(r"[A-Za-z]+", text)) - names == {"float", "False", "True"}


def test_every_text_is_used() -> None:
    used = set()

    class Recording(Language):
        def say(self, key: str, **values: Any) -> str:
            used.add(key)
            return super().say(key, **values)

        def name(self, kind: str, word: str) -> str:
            used.add(f"{kind}.{word}")
            return super().name(kind, word)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fashion_mnist.report.page.Language", Recording)
        for shown in (
            evidence(),
            evidence(models={"dense": CNN, "cnn": DENSE}),
            evidence(models={"dense": CNN, "cnn": CNN}),
            evidence(dataset="synthetic", layers=False),
        ):
            make_report(shown)
    assert {key for key in LANGUAGES["en"] if not key.startswith("number.")} - used == set()


def test_tables_have_equally_many_cells_in_each_row(english: Report, russian: Report) -> None:
    for page in (english.markdown, russian.markdown):
        tables = [block.strip().splitlines() for block in page.split("\n\n") if block.strip().startswith("|")]
        assert len(tables) == 14
        assert all(len({row.count("|") for row in rows}) == 1 for rows in tables)


def test_lines_of_the_page_hold_no_trailing_space_and_end_in_one_newline(english: Report) -> None:
    assert [line for line in english.markdown.splitlines() if line != line.rstrip()] == []
    assert english.markdown.endswith("```\n")
    assert not english.markdown.endswith("\n\n")


def test_same_evidence_gives_the_same_bytes(english: Report) -> None:
    assert make_report(evidence()) == english
