"""What the numbers rest on: the data, the models' calibration, their parameters and the software."""

from typing import NamedTuple

import numpy as np

from fashion_mnist.report import figures
from fashion_mnist.report.drawing import Drawing
from fashion_mnist.report.evidence import Evidence
from fashion_mnist.report.language import Language, Table
from fashion_mnist.scores.metrics import reliability


class Trust(NamedTuple):
    """What the last section shows."""

    data: Table
    duplicates: str
    calibration_errors: str
    calibration: Drawing
    parameters: Table
    packages: Table
    command: str


def trust(evidence: Evidence, language: Language) -> Trust:
    """Return what a reader needs to judge these numbers, and to get them again."""
    calibration_errors = language.shares(evidence.scores("expected_calibration_error"))
    return Trust(
        data=_tabulate_data(evidence, language),
        duplicates=_describe_duplicates(evidence, language),
        calibration_errors=language.say("trust.calibration_see", errors=calibration_errors),
        calibration=_draw_calibration(evidence, language, calibration_errors),
        parameters=_tabulate_parameters(evidence, language),
        packages=[
            [language.say("trust.package"), language.say("trust.version")],
            *([package, version] for package, version in evidence.environment.packages.items()),
            [language.say("trust.lock"), _shorten(evidence.environment.lock)],
        ],
        command="make demo" if evidence.data.is_drawn else "make repro",
    )


def _tabulate_data(evidence: Evidence, language: Language) -> Table:
    say, splits = language.say, evidence.data.splits.values()
    return [
        [say("trust.data"), *(say(f"trust.{split}") for split in evidence.data.splits)],
        [say("trust.images"), *(language.count(split.images) for split in splits)],
        [say("trust.mean"), *(language.decimals(split.pixel_mean) for split in splits)],
        [say("trust.deviation"), *(language.decimals(split.pixel_std) for split in splits)],
        [say("trust.images_hash"), *(_shorten(split.images_sha256) for split in splits)],
        [say("trust.labels_hash"), *(_shorten(split.labels_sha256) for split in splits)],
    ]


def _describe_duplicates(evidence: Evidence, language: Language) -> str:
    """Count duplicates and near ones, and give the accuracy on the test images that are not in train."""
    duplicates = evidence.data.test_images_in_train
    kept = np.ones(len(evidence.labels), bool)
    kept[list(duplicates)] = False
    said = language.say(
        "trust.duplicates",
        within=language.count(evidence.data.duplicates_within_train),
        across=language.count(len(duplicates)),
        accuracies=language.shares({name: float(evidence.right(name)[kept].mean()) for name in evidence.models}),
    )
    if evidence.data.dataset != "folder":
        return said
    return f"{said} {language.say('trust.near', near=len(evidence.data.near_duplicates))}"


def _draw_calibration(evidence: Evidence, language: Language, calibration_errors: str) -> Drawing:
    bins = evidence.params.evaluate.calibration_bins
    models = {
        name: reliability(results.confidence, evidence.right(name), bins=bins)
        for name, results in evidence.models.items()
    }
    alternative = language.say("trust.calibration_figure", bins=bins, errors=calibration_errors)
    return Drawing("calibration", alternative, figures.calibration(models, language))


def _tabulate_parameters(evidence: Evidence, language: Language) -> Table:
    """Return a row for each parameter of a training; a dash where a model has none of that name."""
    trainings = [evidence.params.training_of(name) for name in evidence.models]
    sections = [{key: getattr(training, key) for key in type(training).model_fields} for training in trainings]
    keys = dict.fromkeys(key for section in sections for key in section)
    return [
        [language.say("trust.parameter"), *language.names("model", evidence.models)],
        *([f"`{key}`", *(language.setting(section.get(key)) for section in sections)] for key in keys),
    ]


def _shorten(digest: str) -> str:
    return f"`{digest[:12]}…`"
