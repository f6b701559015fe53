"""Parameters as frozen typed values; a file that holds anything else is refused by name.

Every field is required: defaults live in params.yaml alone. What a field means is said there, beside its value.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from fashion_mnist.errors import ParamsError

Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
CLASSES = 10


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
        return 60_000 if self.dataset == "fashion_mnist" else self.synthetic.train_images

    @property
    def test_images(self) -> int:
        """Images in the test file."""
        return 10_000 if self.dataset == "fashion_mnist" else self.synthetic.test_images


class NormalizeParams(Section):
    """How validation is cut from train."""

    validation_images: BalancedCount
    seed: Seed


class TrainingParams(Section):
    """What the training of every network needs."""

    epochs: Count
    batch_size: Count
    learning_rate: Annotated[float, Field(gt=0, lt=1)]
    precision: Literal["float32", "mixed_bfloat16"]
    jit_compile: bool
    threads: Count
    seed: Seed


class DenseParams(TrainingParams):
    """The dense network."""

    units: Count


class CnnParams(TrainingParams):
    """The convolutional network."""

    filters: Annotated[tuple[Count, Count], Field(strict=False)]
    kernel_size: Annotated[int, Field(ge=1, le=28)]
    units: Count


ModelParams = DenseParams | CnnParams


class TrainParams(Section):
    """One section for each network that can be trained."""

    dense: DenseParams
    cnn: CnnParams

    def __getitem__(self, model: str) -> ModelParams:
        """Return the section of a model. Raises ParamsError for a name that has none."""
        if model not in type(self).model_fields:
            raise ParamsError(f"params.yaml: train.{model} is missing; expected one of {', '.join(self.names())}")
        section: ModelParams = getattr(self, model)
        return section

    @classmethod
    def names(cls) -> list[str]:
        """Every model that has a section, in order."""
        return list(cls.model_fields)


class RobustnessParams(Section):
    """By how much test images are changed, to see what accuracy remains."""

    images: Count
    pixels: Annotated[int, Field(ge=1, lt=28)]
    degrees: Annotated[tuple[Annotated[float, Field(gt=0, le=180)], ...], Field(min_length=1, strict=False)]
    deviations: Annotated[tuple[Fraction, ...], Field(min_length=1, strict=False)]
    seed: Seed


class EvaluateParams(Section):
    """How models are scored."""

    batch_size: Count
    confidence: Fraction
    calibration_bins: Count
    threads: Count
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
    article: Annotated[Mapping[str, PublishedAccuracy], Field(strict=False), AfterValidator(MappingProxyType)]


class Floors(Section):
    """What one model must reach, whatever the baseline reached."""

    accuracy: Fraction
    recall: Fraction


class GateParams(Section):
    """When a change counts as a regression."""

    margin: Fraction
    confidence: Fraction
    floors: Annotated[Mapping[str, Floors], Field(strict=False), AfterValidator(MappingProxyType)]
    seeds: Annotated[tuple[Seed, ...], Field(min_length=2, strict=False)]

    @field_validator("seeds")
    @classmethod
    def _differ(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("each seed once")
        return seeds


class Params(Section):
    """The whole of params.yaml: the models of the matrix, a section for each stage, then the gate's."""

    models: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]
    download: DownloadParams
    normalize: NormalizeParams
    train: TrainParams
    evaluate: EvaluateParams
    report: ReportParams
    gate: GateParams

    @field_validator("models")
    @classmethod
    def _have_sections(cls, models: tuple[str, ...]) -> tuple[str, ...]:
        known = TrainParams.names()
        strangers = [model for model in models if model not in known]
        if strangers:
            raise ValueError(f"models that have a section under train ({', '.join(known)}), unlike {strangers[0]!r}")
        if len(set(models)) < len(models):
            raise ValueError("each model once")
        return models

    @model_validator(mode="after")
    def _compares_trained_models(self) -> "Params":
        for role in ("baseline", "candidate"):
            found = getattr(self.report, role)
            if found not in self.models:
                raise ParamsError(f"report.{role} is {found!r}; expected one of models ({', '.join(self.models)})")
        if self.report.candidate == self.report.baseline:
            raise ParamsError(
                f"report.candidate is {self.report.candidate!r}; expected another model than the baseline"
            )
        for key, named in (("report.article", self.report.article), ("gate.floors", self.gate.floors)):
            strangers = [name for name in named if name not in TrainParams.names()]
            if strangers:
                raise ParamsError(f"{key}.{strangers[0]} is unknown; expected {', '.join(TrainParams.names())}")
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


def parse_params(document: object, *, source: str) -> Params:
    """Turn a parsed YAML document into parameters.

    source: the name that an error carries. Raises ParamsError that names the key, its value and what was expected.
    """
    try:
        return Params.model_validate(document)
    except ValidationError as error:
        # A misspelled key is also a missing one: its spelling says more.
        problems = sorted(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
        raise ParamsError(" ".join(f"{source}: {_describe(problems[0])}".split())) from error
    except ParamsError as error:
        raise ParamsError(f"{source}: {error}") from error


def _describe(problem: Mapping[str, Any]) -> str:
    """Say in one line what is wrong with one key, from pydantic's account of it."""
    key = ".".join(map(str, problem["loc"]))
    if problem["type"] == "missing":
        return f"{key} is missing; every key is required"
    if problem["type"] == "extra_forbidden":
        *path, unknown = problem["loc"]
        known = _keys_at(path)
        hint = get_close_matches(str(unknown), known, n=1)
        return f"{key} is unknown; expected {hint[0] if hint else 'one of ' + ', '.join(known)}"
    expected = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    expected = expected.replace("greater than or equal to", "at least").replace("less than or equal to", "at most")
    return f"{key or 'the document'} is {problem['input']!r}; expected {expected[:1].lower()}{expected[1:]}"


def _keys_at(path: Sequence[Any]) -> list[str]:
    """List the keys of the section that stands at a path."""
    section: type[BaseModel] = Params
    for key in path:
        field = section.model_fields.get(key)
        annotation = field.annotation if field else PublishedAccuracy
        section = annotation if isinstance(annotation, type) else PublishedAccuracy
    return list(section.model_fields)
