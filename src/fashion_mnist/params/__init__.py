"""Parameters as frozen typed values; a file that holds anything else is refused by name.

Every field is required: defaults live in params.yaml alone. What a field means is said there, beside its value.
The parameters of one network are in its file in `networks/`.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, model_validator

from fashion_mnist.errors import ParamsError
from fashion_mnist.params.data import Count as Count
from fashion_mnist.params.data import DownloadParams, Fraction, NormalizeParams, Seed, of_equal_classes
from fashion_mnist.params.data import Section as Section
from fashion_mnist.sources.fashion_mnist import CLASS_NAMES, SIDE

Instructions = Literal["avx2", "native"]
ModelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]  # also the name of a file and of a DVC stage
Value = TypeVar("Value")
# A mapping by name that cannot be changed.
ByName = Annotated[Mapping[ModelName, Value], Field(strict=False), AfterValidator(MappingProxyType)]


class TrainingParams(Section):
    """What the training of every network needs; a network's own `Params` add to it."""

    network: str
    epochs: Count
    batch_size: Count
    schedule: Literal["constant", "one_cycle"]
    learning_rate: Annotated[float, Field(gt=0, lt=1)]
    precision: Literal["float32", "mixed_bfloat16"]
    jit_compile: bool
    threads: Count
    instructions: Instructions
    seed: Seed


class RobustnessParams(Section):
    """By how much test images are changed, to see what accuracy remains."""

    images: Count
    pixels: Count
    degrees: Annotated[tuple[Annotated[float, Field(gt=0, le=180)], ...], Field(min_length=1, strict=False)]
    deviations: Annotated[tuple[Fraction, ...], Field(min_length=1, strict=False)]
    seed: Seed


class EvaluateParams(Section):
    """How models are scored."""

    confidence: Fraction
    calibration_bins: Count
    threads: Count
    instructions: Instructions
    example: Annotated[int, Field(ge=0)]
    robustness: RobustnessParams

    def check_fit(self, *, images: int, side: int) -> None:
        """Raise ParamsError unless the example is one of so many test images, and no image is shifted out of itself.

        side: the shorter one of an image, in pixels.
        """
        if self.robustness.pixels >= side:
            raise ParamsError(
                f"evaluate.robustness.pixels is {self.robustness.pixels}; expected less than {side}, the shorter "
                "side of the images"
            )
        if self.example >= images:
            raise ParamsError(
                f"evaluate.example is {self.example}; expected at most {images - 1}, since test holds {images} images"
            )


class PublishedAccuracy(Section):
    """What the source article states for one model; None where it states nothing."""

    train: Fraction | None
    test: Fraction | None


class ReportParams(Section):
    """How models are compared."""

    language: Literal["en", "ru"]
    baseline: str
    candidate: str
    article: ByName[PublishedAccuracy]


class Floors(Section):
    """What one model must reach, whatever the baseline reached."""

    accuracy: Fraction
    recall: Fraction


class GateParams(Section):
    """When a change counts as a regression."""

    margin: Fraction
    confidence: Fraction
    floors: ByName[Floors]


class SweepParams(Section):
    """Which numbers of hidden units one model is trained with, how long, and how often each."""

    units: Annotated[tuple[Count, ...], Field(min_length=1, strict=False)]
    epochs: Count
    seeds: Count


class StudyParams(Section):
    """What is trained many times over, to see what another training would give."""

    threads: Count
    replicates: ByName[Annotated[int, Field(ge=2)]]
    sweep: ByName[SweepParams]


class Params(Section):
    """The whole of params.yaml: a section for each stage, the recipes, the gate's and the study's.

    train: the models that are trained and compared. recipes: models that only a user who names them trains.
    """

    download: DownloadParams
    normalize: NormalizeParams
    train: Annotated[ByName[TrainingParams], Field(min_length=1)]
    recipes: ByName[TrainingParams]
    evaluate: EvaluateParams
    report: ReportParams
    gate: GateParams
    study: StudyParams

    def training_of(self, model: str) -> TrainingParams:
        """Return the section of a model or recipe. Raises ParamsError for a name that has none."""
        if section := self.train.get(model) or self.recipes.get(model):
            return section
        known = ", ".join([*self.train, *self.recipes])
        raise ParamsError(f"params.yaml: train.{model} is missing; expected one of {known}")

    @model_validator(mode="after")
    def _named_models_are_there(self) -> "Params":
        for name in self.recipes:
            if name in self.train:
                raise ParamsError(f"recipes.{name} is also a section under train; expected another name")
        for role in ("baseline", "candidate"):
            found = getattr(self.report, role)
            if found not in self.train:
                raise ParamsError(f"report.{role} is {found!r}; expected one under train: {', '.join(self.train)}")
        if self.report.candidate == self.report.baseline:
            raise ParamsError(
                f"report.candidate is {self.report.candidate!r}; expected another model than the baseline"
            )
        sections_by_model: Sequence[tuple[str, Mapping[str, object]]] = (
            ("report.article", self.report.article),
            ("gate.floors", self.gate.floors),
            ("study.replicates", self.study.replicates),
            ("study.sweep", self.study.sweep),
        )
        known = (*self.train, *self.recipes)
        for key, named in sections_by_model:
            if strangers := [name for name in named if name not in known]:
                raise ParamsError(f"{key}.{strangers[0]} is unknown; expected one of {', '.join(known)}")
        return self

    def _trainings(self) -> dict[str, TrainingParams]:
        """Return all sections of models and recipes, by dotted key."""
        both = (("train", self.train), ("recipes", self.recipes))
        return {f"{place}.{name}": section for place, sections in both for name, section in sections.items()}

    @model_validator(mode="after")
    def _half_precision_may_use_its_instructions(self) -> "Params":
        # On a CPU that has bfloat16, TensorFlow asks oneDNN for it, which aborts where AVX2 is the limit.
        half = [key for key, section in self._trainings().items() if section.precision == "mixed_bfloat16"]
        chosen = [(key, self._trainings()[key].instructions) for key in half]
        chosen += [("evaluate", self.evaluate.instructions) for key in half if key.startswith("train.")]
        for key, instructions in chosen:
            if instructions != "native":
                raise ParamsError(
                    f"{key}.instructions is {instructions!r}; expected native, "
                    f"since {half[0]}.precision is mixed_bfloat16"
                )
        return self

    @model_validator(mode="after")
    def _swept_models_have_units(self) -> "Params":
        for model in self.study.sweep:
            if "units" not in type(self.training_of(model)).model_fields:
                raise ParamsError(f"study.sweep.{model} is there, but its network has no units; expected one that has")
        return self

    @model_validator(mode="after")
    def _example_is_a_test_image(self) -> "Params":
        available = self.download.test_images
        if available is not None:
            self.evaluate.check_fit(images=available, side=SIDE)
        return self

    @model_validator(mode="after")
    def _validation_leaves_train(self) -> "Params":
        available = self.download.train_images
        if available is not None:
            self.normalize.check_fit(images=available, classes=len(CLASS_NAMES))
            try:
                of_equal_classes(self.normalize.validation_images)
            except ValueError as error:
                found = self.normalize.validation_images
                raise ParamsError(f"normalize.validation_images is {found}; expected {error}") from error
        return self
