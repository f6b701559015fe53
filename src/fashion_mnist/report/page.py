"""The report as a page: what was measured, told in Markdown and in HTML that holds its own pictures."""

import base64
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import cycle, pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from markdown_it import MarkdownIt

from fashion_mnist.data.fashion_mnist import CLASS_NAMES
from fashion_mnist.data.split import Labels
from fashion_mnist.params import Params, PublishedAccuracy
from fashion_mnist.report import figures
from fashion_mnist.report.figures import COLOURS, Columns, Estimate, Picture, render_svg
from fashion_mnist.report.language import Language
from fashion_mnist.report.templating import template_environment
from fashion_mnist.scores.claims import check_claims
from fashion_mnist.scores.comparison import Pair, compare, exchanged_pairs, most_confident
from fashion_mnist.scores.metrics import ClassScore, Reals, confusion, reliability, score_classes
from fashion_mnist.scores.robustness import DIRECTIONS

PAIRS = 5
PICTURES = 8
NOT_IN_ARTICLE = PublishedAccuracy(train=None, test=None)


class ModelResults(NamedTuple):
    """What the files say of one model.

    predictions, confidence: of each test image, shape (n,). curves: by kind of change, the columns of its table.
    """

    scores: Mapping[str, float]
    history: Columns
    predictions: Labels
    confidence: Reals
    curves: Mapping[str, Columns]


class Environment(NamedTuple):
    """The versions of packages, and the sha256 of the lock that they come from."""

    packages: Mapping[str, str]
    lock: str


class Evidence(NamedTuple):
    """All that the report rests on; labels: of the test images; models: in the order of params.models.

    arrays: `example_image`; the numbers and pixels of test images that some model gets wrong, `misjudged` and
    `misjudged_images`; and MODEL/kernels/LAYER and MODEL/maps/LAYER.
    """

    params: Params
    data: Mapping[str, Any]
    labels: Labels
    models: Mapping[str, ModelResults]
    arrays: Mapping[str, npt.NDArray[Any]]
    environment: Environment


class Report(NamedTuple):
    """The report: the paired comparison, the page in two formats, and its figures as SVG by name."""

    comparison: dict[str, Any]
    markdown: str
    html: str
    figures: dict[str, bytes]


class Subject:
    """One model as the page speaks of it."""

    def __init__(self, name: str, measured: ModelResults, evidence: Evidence, language: Language) -> None:
        self.name = name
        self.title = language.name("model", name)
        self.scores, self.history = measured.scores, measured.history
        self.predictions, self.confidence = measured.predictions, measured.confidence
        section = evidence.params.train[name]
        self.params = {key: getattr(section, key) for key in type(section).model_fields}
        stated = evidence.params.report.article.get(name, NOT_IN_ARTICLE)
        self.article = NOT_IN_ARTICLE if evidence.data["dataset"] == "synthetic" else stated
        self.right = measured.predictions == evidence.labels
        self.counts = confusion(evidence.labels, measured.predictions, classes=len(CLASS_NAMES))
        self.pairs = exchanged_pairs(self.counts, top=PAIRS)
        self.classes = score_classes(
            evidence.labels,
            measured.predictions,
            class_names=CLASS_NAMES,
            confidence=evidence.params.evaluate.confidence,
        )
        self.reliability = reliability(measured.confidence, self.right, bins=evidence.params.evaluate.calibration_bins)

    @property
    def hardest(self) -> ClassScore:
        """The class of which the smallest share is found."""
        return min(self.classes, key=lambda score: score.recall)

    @property
    def best_epoch(self) -> int:
        """The epoch with the best accuracy on validation, the first of equals."""
        return int(self.history["epoch"][np.argmax(self.history["val_accuracy"])])

    @property
    def best_accuracy(self) -> float:
        """The accuracy on validation after that epoch."""
        return float(self.history["val_accuracy"].max())

    @property
    def lowest_epoch(self) -> int:
        """The epoch with the lowest loss on validation, the first of equals."""
        return int(self.history["epoch"][np.argmin(self.history["val_loss"])])


class Gallery(NamedTuple):
    """Test images, by number, and how a model mistakes each of them; name: of the figure."""

    name: str
    model: str
    title: str
    numbers: Sequence[int]
    mistaken_by: Subject


class Layer(NamedTuple):
    """A layer that keeps an image an image: its kernels or maps, shape (height, width, count)."""

    figure: str
    kind: str
    name: str
    tiles: npt.NDArray[np.float32]


class Page:
    """Everything that the template and the figures ask for, from the evidence."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence, self.params, self.data = evidence, evidence.params, evidence.data
        self.language = Language(self.params.report.language)
        self.synthetic = self.data["dataset"] == "synthetic"
        self.confidence = self.params.evaluate.confidence
        self.subjects = {
            name: Subject(name, measured, evidence, self.language) for name, measured in evidence.models.items()
        }
        self.models = list(self.subjects.values())
        self.baseline = self.subjects[self.params.report.baseline]
        self.candidate = self.subjects[self.params.report.candidate]
        self.comparison = compare(
            evidence.labels, self.baseline.predictions, self.candidate.predictions, confidence=self.confidence
        )
        self.class_names = [self.language.name("class", name) for name in CLASS_NAMES]
        example = int(evidence.labels[self.params.evaluate.example])
        self.example = self.class_names[example]
        self.layers = [
            Layer(f"layer_{kind}_{layer}", kind, layer, tiles)
            for key, tiles in evidence.arrays.items()
            if key.startswith(f"{self.candidate.name}/")
            for _, kind, layer in [key.split("/")]
        ]

    @property
    def outcome(self) -> str:
        """Which of the two is more accurate, as far as the interval can tell."""
        if self.comparison["difference_low"] > 0:
            return "more"
        return "less" if self.comparison["difference_high"] < 0 else "alike"

    @cached_property
    def galleries(self) -> dict[str, list[Gallery]]:
        """The images that are shown: right in one model alone, and the most_confident errors of each."""
        pairs = ((self.candidate, self.baseline), (self.baseline, self.candidate))
        return {
            "only": [
                Gallery(
                    f"only_{right.name}",
                    right.title,
                    self.language.say("errors.only_heading", model=right.title),
                    most_confident(right.right & ~wrong.right, wrong.confidence, top=PICTURES),
                    wrong,
                )
                for right, wrong in pairs
            ],
            "confident": [
                Gallery(
                    f"confident_{model.name}",
                    model.title,
                    self.language.say("errors.confident_heading", model=model.title),
                    most_confident(~model.right, model.confidence, top=PICTURES),
                    model,
                )
                for model in self.models
            ],
        }

    @property
    def by(self) -> str:
        """The difference in points; without its sign where the sentence says which of the two is ahead."""
        difference = self.comparison["difference"]
        return (
            self.language.points(difference)
            if self.outcome == "alike"
            else self.language.write(f"{100 * abs(difference):.2f}")
        )

    def curves(self, change: str) -> dict[str, Columns]:
        """Return the curves of all models for a kind of change, by the models' titles."""
        return {subject.title: self.evidence.models[name].curves[change] for name, subject in self.subjects.items()}

    def describe_curves(self, change: str, amounts: str) -> str:
        """Say where the curves of all models begin and end."""
        return " ".join(
            self.language.say(
                f"position.{change}_curve",
                model=title,
                first=self.language.percent(table["accuracy"][0]),
                last=self.language.percent(table["accuracy"][-1]),
                most=self.language.plain(table[amounts][-1]),
            )
            for title, table in self.curves(change).items()
        )

    def describe_mistakes(self, gallery: Gallery) -> str:
        """Say what each image of a gallery is and what it is taken for."""
        return ", ".join(self.language.say("errors.mistake", **self.mistake(gallery, n)) for n in gallery.numbers)

    def mistake(self, gallery: Gallery, number: int) -> dict[str, str]:
        """Return the label of an image, what it is taken for, and how surely."""
        return {
            "label": self.class_names[self.evidence.labels[number]],
            "prediction": self.class_names[gallery.mistaken_by.predictions[number]],
            "confidence": self.language.write(f"{100 * gallery.mistaken_by.confidence[number]:.1f} %"),
        }

    def interval(self, low: float, high: float) -> str:
        """Write an interval of shares."""
        return self.language.say("page.range", low=self.language.percent(low), high=self.language.percent(high))

    def estimate(self, value: float, low: float, high: float) -> str:
        """Write a share with its interval."""
        return f"{self.language.percent(value)} ({self.interval(low, high)})"

    def describe_pair(self, pair: Pair) -> str:
        """Say which two classes are exchanged, and how often in all and each way."""
        return self.language.say(
            "errors.pair",
            first=self.class_names[pair.first],
            second=self.class_names[pair.second],
            total=self.language.count(pair.first_as_second + pair.second_as_first),
            there=self.language.count(pair.first_as_second),
            back=self.language.count(pair.second_as_first),
        )

    @property
    def training(self) -> dict[str, list[str]]:
        """The parameters of every training, by key, in the order of the models; a dash where a model has none."""
        keys = dict.fromkeys(key for model in self.models for key in model.params)
        return {key: [self.language.setting(model.params.get(key)) for model in self.models] for key in keys}

    def scores(self, metric: str) -> dict[str, float]:
        """Return a metric of every model, by title."""
        return {model.title: model.scores[metric] for model in self.models}

    def each(self, values: Mapping[str, float]) -> str:
        """Name a share of each model, by its title."""
        return ", ".join(
            self.language.say("trust.each", model=title, accuracy=self.language.percent(value))
            for title, value in values.items()
        )


def make_report(evidence: Evidence) -> Report:
    """Turn what was measured into the report."""
    page = Page(evidence)
    drawn = {name: render_svg(figure) for name, figure in draw_figures(page).items()}
    markdown = render_markdown(page)
    return Report(page.comparison, markdown, render_html(markdown, drawn, page.language), drawn)


def draw_figures(page: Page) -> dict[str, Any]:
    """Draw every figure of the page, by name."""
    language, evidence = page.language, page.evidence
    say = language.say
    drawn = {
        "answer": figures.answer(
            [
                Estimate(
                    model.title,
                    model.scores["accuracy"],
                    model.scores["accuracy_low"],
                    model.scores["accuracy_high"],
                    model.article.test,
                )
                for model in page.models
            ],
            Estimate(say("answer.difference"), *(page.comparison[f"difference{end}"] for end in ("", "_low", "_high"))),
            language,
        ),
        "recall": figures.recalls({model.title: model.classes for model in page.models}, language),
        "calibration": figures.calibration({model.title: model.reliability for model in page.models}, language),
    }
    limits = {metric: _limits(page.models, metric) for metric in ("accuracy", "loss")}
    for model, colour in zip(page.models, cycle(COLOURS)):
        drawn[f"learning_curves_{model.name}"] = figures.learning_curves(
            model.history, model.title, colour, language, limits=limits
        )
        drawn[f"confusion_{model.name}"] = figures.confusion_matrix(
            model.counts, model.title, page.class_names, language
        )
    for change, amounts in (("position", "pixels"), ("rotation", "degrees"), ("noise", "deviation")):
        drawn[change] = figures.robustness(
            page.curves(change), amounts, language, label=say(f"position.{change}_x"), y=say("position.accuracy")
        )
    where = {int(number): row for row, number in enumerate(evidence.arrays["misjudged"])}
    for gallery in (gallery for galleries in page.galleries.values() for gallery in galleries):
        pictures = [
            Picture(evidence.arrays["misjudged_images"][where[number]], _caption(page, gallery, number))
            for number in gallery.numbers
        ]
        drawn[gallery.name] = figures.gallery(pictures, gallery.title)
    if page.layers:
        picture = Picture(evidence.arrays["example_image"], [page.example])
        drawn["example"] = figures.gallery([picture], say("inside.image_heading"), columns=1)
    for layer in page.layers:
        height, width, count = layer.tiles.shape
        heading = say(f"inside.{layer.kind}_heading", layer=layer.name, count=count, height=height, width=width)
        drawn[layer.figure] = figures.mosaic(layer.tiles, heading, columns=8, signed=layer.kind == "kernels")
    return drawn


def render_markdown(page: Page) -> str:
    """Render the page for a reader on GitHub; paths in it are relative to the folder of the report."""
    language = page.language
    environment = template_environment()
    environment.filters |= {
        name: getattr(language, name) for name in ("percent", "points", "decimals", "count", "plain")
    }
    environment.filters |= {
        "accuracy_range": lambda model: page.interval(model.scores["accuracy_low"], model.scores["accuracy_high"]),
        "recall": lambda score: page.estimate(score.recall, score.recall_low, score.recall_high),
        "kept": lambda table, row: page.estimate(*(table[key][row] for key in ("accuracy", "low", "high"))),
        "pair": lambda model, rank: page.describe_pair(model.pairs[rank]),
        "hash": lambda digest: f"`{digest[:12]}…`",
    }
    return environment.get_template("report.md.jinja").render(
        page=page,
        say=language.say,
        language=language,
        names=[model.title for model in page.models],
        directions=list(DIRECTIONS),
        claims=check_claims(
            {model.name: model.article for model in page.models},
            {model.name: model.scores for model in page.models},
            {model.name: model.history["val_loss"] for model in page.models},
            page.comparison,
            images={split: page.data[split]["images"] for split in ("train", "validation", "test")},
            candidate=page.candidate.name,
            confidence=page.confidence,
        ),
        accuracy_without_duplicates=_accuracy_without(page, page.data["test_images_in_train"]),
    )


def render_html(markdown: str, drawn: Mapping[str, bytes], language: Language) -> str:
    """Render the page's Markdown as HTML that needs nothing from outside: its pictures are within it."""
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = parser.parse(markdown)
    sections: list[str] = []
    for heading, inline in pairwise(tokens):
        if heading.type == "heading_open" and heading.tag == "h2":
            heading.attrSet("id", f"section-{len(sections) + 1}")
            sections.append(inline.content)
    content = parser.renderer.render(tokens, parser.options, {})

    def embed(found: re.Match[str]) -> str:
        return f'src="data:image/svg+xml;base64,{base64.b64encode(drawn[found[1]]).decode()}"'

    return (
        template_environment()
        .get_template("report.html.jinja")
        .render(
            language=language,
            title=next(inline.content for heading, inline in pairwise(tokens) if heading.tag == "h1"),
            sections=sections,
            content=re.sub(r'src="figures/([^"]+)\.svg"', embed, content),
        )
    )


def _limits(models: Sequence[Subject], metric: str) -> tuple[float, float]:
    """Return the limits of an axis that holds a metric of all models, on train and validation."""
    values = np.concatenate([model.history[key] for model in models for key in (metric, f"val_{metric}")])
    margin = 0.05 * float(np.ptp(values)) or 0.05
    return float(values.min()) - margin, float(values.max()) + margin


def _caption(page: Page, gallery: Gallery, number: int) -> list[str]:
    mistake = page.mistake(gallery, number)
    return [mistake["label"], f"→ {mistake['prediction']}", mistake["confidence"]]


def _accuracy_without(page: Page, numbers: Sequence[int]) -> dict[str, float]:
    """Return each model's accuracy on the test images that are not among the numbers, by title."""
    kept = np.ones(len(page.evidence.labels), bool)
    kept[list(numbers)] = False
    return {model.title: float(model.right[kept].mean()) for model in page.models}
