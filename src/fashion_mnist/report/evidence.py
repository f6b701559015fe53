"""What the report is made from: the measurements of the earlier stages, by model, and the parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fashion_mnist.data.description import DataDescription
from fashion_mnist.data.split import Labels
from fashion_mnist.params import Params, PublishedAccuracy
from fashion_mnist.report.language import Language
from fashion_mnist.scores.comparison import compare
from fashion_mnist.scores.metrics import Reals
from fashion_mnist.sources.fashion_mnist import TRANSLATED_NAMES
from fashion_mnist.study.crossed import CrossedDifference, crossed_difference
from fashion_mnist.study.plan import Kind, Study

Columns = Mapping[str, npt.NDArray[Any]]


class ModelResults(NamedTuple):
    """What was measured of one model.

    scores: the content of its file in reports/metrics. history: the columns epoch, loss, accuracy, val_loss and
    val_accuracy. predictions, confidence: the predicted class of each test image and its probability, shape (n,).
    curves: by kind of change, the columns of its table in reports/position, rotation or noise.
    """

    scores: Mapping[str, float]
    history: Columns
    predictions: Labels
    confidence: Reals
    curves: Mapping[str, Columns]


class PageSection(SimpleNamespace):
    """What one section of the page shows: texts, tables and drawings, by the name that the template has for them."""


@dataclass(frozen=True)
class Evidence:
    """Everything that the report rests on.

    labels: of the test images, shape (n,). models: results by name, in the order of params.train. arrays:
    `example_image`; the indices and pixels of the test images that some model gets wrong, `misjudged` and
    `misjudged_images`; and MODEL/kernels/LAYER and MODEL/maps/LAYER. packages: their versions by name. lock: the sha256
    of the file that these come from. study: of these data and parameters, if there is one.
    """

    params: Params
    data: DataDescription
    labels: Labels
    models: Mapping[str, ModelResults]
    arrays: Mapping[str, npt.NDArray[Any]]
    packages: Mapping[str, str]
    lock: str
    study: Study | None

    @cached_property
    def language(self) -> Language:
        """The language of the page."""
        return Language(self.params.report.language)

    def say(self, key: str, **values: Any) -> str:
        """Return a text of the page by its key.

        A text may use these values besides the given ones: candidate, baseline, the numbers of their comparison, and
        level, the confidence of the intervals in percent.
        """
        level = self.language.plain(100 * self.confidence)
        shared = {"candidate": self.candidate, "baseline": self.baseline, "level": level}
        return self.language.say(key, **{**self.comparison, **shared, **values})

    def wording(self, key: str) -> str:
        """Return the key of a text that is worded differently if the article is about these images."""
        return f"{key}_article" if self.data.is_article else key

    @cached_property
    def class_names(self) -> list[str]:
        """The names of the classes by number; garments have names in every language."""
        if self.data.dataset == "folder":
            return list(self.data.classes)
        return list(TRANSLATED_NAMES.get(self.language.code, self.data.classes))

    @property
    def confidence(self) -> float:
        """The confidence of every interval."""
        return self.params.evaluate.confidence

    @property
    def baseline(self) -> str:
        """The name of the model that the candidate is compared with."""
        return self.params.report.baseline

    @property
    def candidate(self) -> str:
        """The name of the model that is expected to be better."""
        return self.params.report.candidate

    @cached_property
    def comparison(self) -> dict[str, Any]:
        """The paired comparison of candidate and baseline on test, as `compare` returns it."""
        return compare(
            self.labels,
            self.models[self.baseline].predictions,
            self.models[self.candidate].predictions,
            confidence=self.confidence,
        )

    @cached_property
    def comparison_study(self) -> Study | None:
        """The study, if it holds both the baseline and the candidate; only then can it compare them."""
        both = {self.baseline, self.candidate} <= set(self.studied("replicate"))
        return self.study if both else None

    @cached_property
    def mean_difference(self) -> CrossedDifference | None:
        """The mean difference of candidate and baseline over the trainings of the study; None without one."""
        if self.comparison_study is None:
            return None
        right = (self.comparison_study.right("replicate", model) for model in (self.baseline, self.candidate))
        return crossed_difference(*right, confidence=self.confidence)

    @property
    def all_comparisons(self) -> dict[str, Any]:
        """The paired comparison and, if there is a study, the mean difference with its interval, as flat numbers."""
        if not (found := self.mean_difference):
            return self.comparison
        ends = {"": found.difference, "_low": found.low, "_high": found.high}
        return self.comparison | {f"mean_difference{end}": value for end, value in ends.items()}

    def studied(self, kind: Kind) -> list[str]:
        """Return the models of which the study has trainings of this kind, in the order of params.train."""
        trials = self.study.trials if self.study else ()
        held = {trial.model for trial in trials if trial.kind == kind}
        return [name for name in self.models if name in held]

    def scores(self, key: str) -> dict[str, float]:
        """Return one score of every model, by the model's name."""
        return {name: results.scores[key] for name, results in self.models.items()}

    def curves(self, change: str) -> dict[str, Columns]:
        """Return every model's accuracy under a kind of change, by the model's name."""
        return {name: results.curves[change] for name, results in self.models.items()}

    def right(self, model: str) -> npt.NDArray[np.bool_]:
        """Return which test images a model classifies correctly: bool, shape (n,)."""
        right: npt.NDArray[np.bool_] = self.models[model].predictions == self.labels
        return right

    def published(self, model: str) -> PublishedAccuracy:
        """Return what the article states of a model; nothing if it omits the model, or is about other images."""
        nothing = PublishedAccuracy(train=None, test=None)
        stated = self.params.report.article.get(model, nothing)
        return stated if self.data.is_article else nothing
