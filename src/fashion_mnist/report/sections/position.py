"""Accuracy on test images that are shifted, rotated or noisy."""

from typing import NamedTuple

from fashion_mnist.report import figures
from fashion_mnist.report.drawing import Drawing
from fashion_mnist.report.evidence import Evidence
from fashion_mnist.report.language import Language, Table
from fashion_mnist.scores.robustness import CHANGES, DIRECTIONS


class Position(NamedTuple):
    """What the section on position shows."""

    shifted: str
    shift: Drawing
    measured: str
    shifts: Table
    directions: list[Table]
    others: str
    rotation: Drawing
    noise: Drawing
    rotations: Table
    noises: Table


def position(evidence: Evidence, language: Language) -> Position:
    """Return how much accuracy every model keeps, by the amount of each kind of change."""
    measured = language.say(
        "position.means",
        images=language.count(min(evidence.params.evaluate.robustness.images, len(evidence.labels))),
        level=language.plain(100 * evidence.params.evaluate.confidence),
    )
    return Position(
        shifted=_describe_shift(evidence, language),
        shift=_draw("position", evidence, language),
        measured=measured,
        shifts=_tabulate("position", evidence, language),
        directions=_tabulate_directions(evidence, language),
        others=_describe_others(evidence, language),
        rotation=_draw("rotation", evidence, language),
        noise=_draw("noise", evidence, language),
        rotations=_tabulate("rotation", evidence, language),
        noises=_tabulate("noise", evidence, language),
    )


def _describe_shift(evidence: Evidence, language: Language) -> str:
    """Say how accurate candidate and baseline are after half the largest shift, and after the largest."""
    curves = evidence.curves("position")
    candidate, baseline = curves[evidence.candidate], curves[evidence.baseline]
    middle = len(candidate["pixels"]) // 2
    return language.say(
        evidence.wording("position.see"),
        candidate=language.name("model", evidence.candidate),
        baseline=language.name("model", evidence.baseline),
        middle=language.plain(candidate["pixels"][middle]),
        most=language.plain(candidate["pixels"][-1]),
        kept=language.percent(candidate["accuracy"][middle]),
        kept_by_baseline=language.percent(baseline["accuracy"][middle]),
        last=language.percent(candidate["accuracy"][-1]),
        last_of_baseline=language.percent(baseline["accuracy"][-1]),
    )


def _describe_others(evidence: Evidence, language: Language) -> str:
    """Say how accurate candidate and baseline are after the largest rotation, and with the strongest noise."""
    rotation, noise = evidence.curves("rotation"), evidence.curves("noise")
    return language.say(
        "position.other_see",
        candidate=language.name("model", evidence.candidate),
        baseline=language.name("model", evidence.baseline),
        degrees=language.plain(rotation[evidence.candidate]["degrees"][-1]),
        deviation=language.plain(noise[evidence.candidate]["deviation"][-1]),
        rotated=language.percent(rotation[evidence.candidate]["accuracy"][-1]),
        rotated_baseline=language.percent(rotation[evidence.baseline]["accuracy"][-1]),
        noisy=language.percent(noise[evidence.candidate]["accuracy"][-1]),
        noisy_baseline=language.percent(noise[evidence.baseline]["accuracy"][-1]),
    )


def _draw(change: str, evidence: Evidence, language: Language) -> Drawing:
    """Draw the accuracy of every model under a kind of change, and say where each curve begins and ends."""
    amount, curves = CHANGES[change][0], evidence.curves(change)
    ends = " ".join(
        language.say(
            f"position.{change}_curve",
            model=language.name("model", name),
            first=language.percent(curve["accuracy"][0]),
            last=language.percent(curve["accuracy"][-1]),
            most=language.plain(curve[amount][-1]),
        )
        for name, curve in curves.items()
    )
    label, y = language.say(f"position.{change}_x"), language.say("position.accuracy")
    figure = figures.robustness(curves, amount, language, label=label, y=y)
    return Drawing(change, language.say(f"position.{change}_figure", curves=ends), figure)


def _tabulate(change: str, evidence: Evidence, language: Language) -> Table:
    """Return a row for each amount of a kind of change: the accuracy of every model with its interval."""
    curves = evidence.curves(change)
    amounts = curves[evidence.candidate][CHANGES[change][0]]
    table = [[language.say(f"position.{change}_x"), *language.names("model", curves)]]
    for row, amount in enumerate(amounts):
        estimates = ([curve[key][row] for key in ("accuracy", "low", "high")] for curve in curves.values())
        table.append([language.plain(amount), *(language.estimate(*estimate) for estimate in estimates)])
    return table


def _tabulate_directions(evidence: Evidence, language: Language) -> list[Table]:
    """Return a table for each model: its accuracy by direction and by pixels shifted."""
    return [
        [
            [language.name("model", name), *map(language.plain, curve["pixels"][1:])],
            *(
                [language.say(f"position.{direction}"), *map(language.percent, curve[direction][1:])]
                for direction in DIRECTIONS
            ),
        ]
        for name, curve in evidence.curves("position").items()
    ]
