"""Parameters as frozen typed values; a file that holds anything else is refused by name.

Every field is required but for those of a training that a newcomer never sets.
The parameters of a network are in its file in `networks/`.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from fashion_mnist.errors import ParamsError
from fashion_mnist.params.fields import ByName, Count, FolderPath, Fraction, Instructions, Section, Seed, Side
from fashion_mnist.params.training import TrainingParams


class SyntheticParams(Section):
    """How many garments to draw if the data set is synthetic."""

    train_images: Count
    test_images: Count
    seed: Seed


class DownloadParams(Section):
    """Which data set the pipeline is about."""

    dataset: Literal["fashion_mnist", "synthetic", "folder"]
    synthetic: SyntheticParams
    folder: FolderPath
    name: Annotated[str, Field(pattern=r"^\w[\w .+-]*$", max_length=60)]


class NormalizeParams(Section):
    """How validation is cut from train, and how a folder of images becomes arrays.

    validation_images: None if a folder has val. size: height and width that every image is scaled to; None if all have
    the same. test_share: of a folder without test, what becomes test. duplicates: what happens to an image that
    is in two splits.
    """

    validation_images: Count | None
    seed: Seed
    size: Annotated[tuple[Side, Side] | None, Field(strict=False)]
    test_share: Annotated[float, Field(gt=0, le=0.5)]
    duplicates: Literal["refuse", "drop"]

    def check_fit(self, *, images: int, classes: int, has_validation: bool = False) -> None:
        """Raise ParamsError unless train and validation can both hold an image of each class.

        images: how many train holds before validation is cut from it. has_validation: whether nothing is to be cut.
        """
        found, least, most = self.validation_images, classes, images - classes
        if has_validation != (found is None):
            there = "the images have a folder val" if has_validation else "there is no folder val"
            expected = "null" if has_validation else "a number of images"
            raise ParamsError(f"normalize.validation_images is {found}; expected {expected}, since {there}")
        if found is not None and not least <= found <= most:
            expected = f"at most {most}" if found > most else f"at least {least}, one of each class"
            raise ParamsError(
                f"normalize.validation_images is {found}; expected {expected}, since train holds {images} images"
            )


class RobustnessParams(Section):
    """How test images are changed, to see what accuracy remains."""

    images: Count
    pixels: Count
    degrees: Annotated[tuple[Annotated[float, Field(gt=0, le=180)], ...], Field(min_length=1, strict=False)]
    deviations: Annotated[tuple[Fraction, ...], Field(min_length=1, strict=False)]
    seed: Seed


class EvaluateParams(Section):
    """How models are scored."""

    confidence: Fraction
    calibration_bins: Count
    instructions: Instructions
    example: Annotated[int, Field(ge=0)]
    robustness: RobustnessParams

    def check_fit(self, *, images: int, side: int) -> None:
        """Raise ParamsError if the example is not among the test images, or a shift leaves nothing of an image.

        images: how many test holds. side: the shorter side of an image, in pixels.
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
    """What one model must exceed, whatever the baseline reached."""

    accuracy: Fraction
    recall: Fraction


class GateParams(Section):
    """When a change counts as a regression."""

    margin: Fraction
    confidence: Fraction
    floors: ByName[Floors]


class SweepParams(Section):
    """The numbers of hidden units that one model is trained with, for how many epochs, and with how many seeds each."""

    units: Annotated[tuple[Count, ...], Field(min_length=1, strict=False)]
    epochs: Count
    seeds: Count


class StudyParams(Section):
    """Which models are trained many times, to see what another training would give."""

    replicates: ByName[Annotated[int, Field(ge=2)]]
    sweep: ByName[SweepParams]


class Params(Section):
    """The whole of params.yaml: a section for each stage, for recipes, for the gate and for the study.

    train: the models that are trained and compared. recipes: models that are trained only by name.
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
        named: dict[str, Mapping[str, object]] = {
            "report.article": self.report.article,
            "gate.floors": self.gate.floors,
            "study.replicates": self.study.replicates,
            "study.sweep": self.study.sweep,
        }
        known = (*self.train, *self.recipes)
        for key, sections in named.items():
            if strangers := [name for name in sections if name not in known]:
                raise ParamsError(f"{key}.{strangers[0]} is unknown; expected one of {', '.join(known)}")
        return self

    @model_validator(mode="after")
    def _half_precision_is_also_scored_with_native_instructions(self) -> "Params":
        half = [name for name, section in self.train.items() if section.precision == "mixed_bfloat16"]
        if half and self.evaluate.instructions != "native":
            raise ParamsError(
                f"evaluate.instructions is {self.evaluate.instructions!r}; expected native, "
                f"since train.{half[0]}.precision is mixed_bfloat16"
            )
        return self

    @model_validator(mode="after")
    def _swept_models_have_units(self) -> "Params":
        for model in self.study.sweep:
            if "units" not in type(self.training_of(model)).model_fields:
                raise ParamsError(f"study.sweep.{model} is there, but its network has no units; expected one that has")
        return self
