"""What the numbers rest on: the data, the models' calibration, their parameters and the software."""

from collections.abc import Mapping
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fashion_mnist.report.drawing import COLOURS, INK, WIDTH, Drawing, percent_ticks, styled
from fashion_mnist.report.evidence import Evidence, PageSection
from fashion_mnist.report.language import Language
from fashion_mnist.report.tables import Table, tabulate
from fashion_mnist.scores.metrics import Reliability, reliability


def trust(evidence: Evidence) -> PageSection:
    """Return what a reader needs to judge these numbers, and to get them again."""
    errors = evidence.language.shares(evidence.scores("expected_calibration_error"))
    return PageSection(
        data=_tabulate_data(evidence),
        duplicates=_describe_duplicates(evidence),
        calibration_errors=evidence.say("trust.calibration_see", errors=errors),
        calibration=_draw_calibration(evidence, errors),
        parameters=_tabulate_parameters(evidence),
        packages=[
            [evidence.say("trust.package"), evidence.say("trust.version")],
            *(list(package) for package in evidence.packages.items()),
            [evidence.say("trust.lock"), _abbreviate(evidence.lock)],
        ],
        command="make demo" if evidence.data.is_drawn else "make repro",
    )


def _tabulate_data(evidence: Evidence) -> Table:
    write = evidence.language.format_field
    rows = {
        "images": lambda split: write(split.images, "count"),
        "mean": lambda split: write(split.pixel_mean, ".4f"),
        "deviation": lambda split: write(split.pixel_std, ".4f"),
        "images_hash": lambda split: _abbreviate(split.images_sha256),
        "labels_hash": lambda split: _abbreviate(split.labels_sha256),
    }
    named = {evidence.say(f"trust.{key}"): row for key, row in rows.items()}
    splits = {evidence.say(f"trust.{name}"): split for name, split in evidence.data.splits.items()}
    return tabulate(evidence.say("trust.data"), splits, named)


def _describe_duplicates(evidence: Evidence) -> str:
    """Count duplicates, and give the accuracy on the test images that are not in train."""
    duplicates = evidence.data.test_images_in_train
    kept = np.ones(len(evidence.labels), bool)
    kept[list(duplicates)] = False
    return evidence.say(
        "trust.duplicates",
        within=evidence.data.duplicates_within_train,
        across=len(duplicates),
        accuracies=evidence.language.shares({name: evidence.right(name)[kept].mean() for name in evidence.models}),
    )


def _draw_calibration(evidence: Evidence, errors: str) -> Drawing:
    bins = evidence.params.evaluate.calibration_bins
    models = {
        name: reliability(results.confidence, evidence.right(name), bins=bins)
        for name, results in evidence.models.items()
    }
    alternative = evidence.say("trust.calibration_figure", bins=bins, errors=errors)
    return Drawing("calibration", alternative, calibration(models, evidence.language))


@styled
def calibration(models: Mapping[str, Reliability], language: Language) -> Figure:
    """Draw accuracy by confidence, bin by bin; a larger dot means more images."""
    figure = Figure(figsize=(WIDTH, 4.0), layout="constrained")
    axis = figure.subplots()
    axis.plot((0, 1), (0, 1), color=INK, linestyle=":", linewidth=1, label=language.say("trust.ideal"))
    for (model, bins), colour in zip(models.items(), cycle(COLOURS)):
        held = bins.images > 0
        axis.plot(bins.confidence[held], bins.accuracy[held], color=colour, label=language.model(model))
        sizes = 4 + 60 * np.sqrt(bins.images[held] / bins.images.sum())
        axis.scatter(bins.confidence[held], bins.accuracy[held], s=sizes, color=colour)
    axis.set(
        xlabel=language.say("trust.calibration_x"),
        ylabel=language.say("trust.calibration_y"),
        xlim=(0, 1.02),
        ylim=(0, 1.02),
    )
    axis.xaxis.set_major_formatter(percent_ticks(language))
    axis.yaxis.set_major_formatter(percent_ticks(language))
    axis.legend(loc="upper left")
    return figure


def _tabulate_parameters(evidence: Evidence) -> Table:
    """Return a row for each parameter that params.yaml sets for a training; a dash if a model has none of that name."""
    trainings = {name: evidence.params.training_of(name) for name in evidence.models}
    chosen = {key for training in trainings.values() for key in training.model_fields_set}
    keys = dict.fromkeys(key for training in trainings.values() for key in type(training).model_fields if key in chosen)
    rows = {
        f"`{key}`": lambda training, key=key: setting(getattr(training, key, None), evidence.language) for key in keys
    }
    return tabulate(evidence.say("trust.parameter"), trainings, rows, name=evidence.language.model)


def setting(value: Any, language: Language) -> str:
    """Write the value of a parameter; a dash for None."""
    if isinstance(value, tuple):
        return "; ".join(setting(part, language) for part in value)
    if isinstance(value, bool | str):
        return str(value)
    return "–" if value is None else language.plain(value)


def _abbreviate(digest: str) -> str:
    return f"`{digest[:12]}…`"
