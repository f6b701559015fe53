"""Parameters as frozen typed values; a file that holds anything else is refused by name.

Every field is required: defaults live in params.yaml alone. What a field means is said there, beside its value.
The parameters of one network are in its file in `networks/`.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from fashion_mnist.data.fashion_mnist import CLASSES, TEST_IMAGES, TRAIN_IMAGES
from fashion_mnist.errors import ParamsError

Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Instructions = Literal["avx2", "native"]
Fraction = Annotated[float, Field(gt=0, lt=1)]
ModelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]  # also the name of a file and of a DVC stage
Value = TypeVar("Value")
# A mapping by name that cannot be changed.
ByName = Annotated[Mapping[ModelName, Value], Field(strict=False), AfterValidator(MappingProxyType)]


def _of_equal_classes(value: int) -> int:
    if value % CLASSES:
        raise ValueError(f"a multiple of {CLASSES}, so that classes are balanced")
    return value


BalancedCount = Annotated[Count, AfterValidator(_of_equal_classes)]


class Section(BaseModel):
    """A mapping with exactly these keys; no value is converted to another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SyntheticParams(Section):
    """How many garments to draw when the data set is synthetic."""

    train_images: BalancedCount
    test_images: BalancedCount
    seed: Seed


class DownloadParams(Section):
    """Which data set the pipeline is about."""

    dataset: Literal["fashion_mnist", "synthetic"]
    synthetic: SyntheticParams

    @property
    def train_images(self) -> int:
        """Images in the training file, before validation is cut from it."""
        return TRAIN_IMAGES if self.dataset == "fashion_mnist" else self.synthetic.train_images

    @property
    def test_images(self) -> int:
        """Images in the test file."""
        return TEST_IMAGES if self.dataset == "fashion_mnist" else self.synthetic.test_images


class NormalizeParams(Section):
    """How validation is cut from train."""

    validation_images: BalancedCount
    seed: Seed


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
    pixels: Annotated[int, Field(ge=1, lt=28)]
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
    """The whole of params.yaml: the models and their networks, a section for each stage, the gate's and the study's."""

    models: Annotated[ByName[str], Field(min_length=1)]
    download: DownloadParams
    normalize: NormalizeParams
    train: ByName[TrainingParams]
    evaluate: EvaluateParams
    report: ReportParams
    gate: GateParams
    study: StudyParams

    def training_of(self, model: str) -> TrainingParams:
        """Return the section of a model under train. Raises ParamsError for a name that has none."""
        if model not in self.train:
            raise ParamsError(f"params.yaml: train.{model} is missing; expected one of {', '.join(self.train)}")
        return self.train[model]

    @model_validator(mode="after")
    def _models_are_trained_and_compared(self) -> "Params":
        sections = ", ".join(self.train)
        for model, network in self.models.items():
            if model not in self.train:
                raise ParamsError(f"models.{model} has no section under train; expected one of {sections}")
            if network != self.train[model].network:
                raise ParamsError(
                    f"models.{model} is {network!r}; expected train.{model}.network, {self.train[model].network!r}"
                )
        for role in ("baseline", "candidate"):
            found = getattr(self.report, role)
            if found not in self.models:
                raise ParamsError(f"report.{role} is {found!r}; expected one of models ({', '.join(self.models)})")
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
        for key, named in sections_by_model:
            strangers = [name for name in named if name not in self.train]
            if strangers:
                raise ParamsError(f"{key}.{strangers[0]} is unknown; expected {sections}")
        return self

    @model_validator(mode="after")
    def _half_precision_may_use_its_instructions(self) -> "Params":
        # On a CPU that has bfloat16, TensorFlow asks oneDNN for it, which aborts where AVX2 is the limit.
        half = [name for name, section in self.train.items() if section.precision == "mixed_bfloat16"]
        chosen = [(f"train.{name}", self.train[name].instructions) for name in half]
        chosen += [("evaluate", self.evaluate.instructions) for name in half if name in self.models]
        for key, instructions in chosen:
            if instructions != "native":
                raise ParamsError(
                    f"{key}.instructions is {instructions!r}; expected native, "
                    f"since train.{half[0]}.precision is mixed_bfloat16"
                )
        return self

    @model_validator(mode="after")
    def _swept_models_have_units(self) -> "Params":
        for model in self.study.sweep:
            if "units" not in type(self.train[model]).model_fields:
                raise ParamsError(f"study.sweep.{model} is there, but its network has no units; expected one that has")
        return self

    @model_validator(mode="after")
    def _example_is_a_test_image(self) -> "Params":
        if self.evaluate.example >= self.download.test_images:
            raise ParamsError(
                f"evaluate.example is {self.evaluate.example}; expected at most {self.download.test_images - 1}, "
                f"since test holds {self.download.test_images} images"
            )
        return self

    @model_validator(mode="after")
    def _validation_leaves_train(self) -> "Params":
        found, available = self.normalize.validation_images, self.download.train_images
        if found > available - CLASSES:
            raise ParamsError(
                f"normalize.validation_images is {found}; expected at most {available - CLASSES}, "
                f"since train holds {available} images"
            )
        return self
