"""The source article's claims, compared with what was measured here."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fashion_mnist.params import PublishedAccuracy
from fashion_mnist.scores.metrics import share_interval


class Claim(NamedTuple):
    """One claim: its kind and model, the figure stated if there is one, ours with its interval, and if it holds.

    kind: test, train (an accuracy), overfits (train minus validation accuracy) or better (candidate minus baseline).
    """

    kind: str
    model: str
    stated: float | None
    found: float
    low: float
    high: float
    holds: bool


def check_claims(
    article: Mapping[str, PublishedAccuracy],
    scores: Mapping[str, Mapping[str, float]],
    val_losses: Mapping[str, npt.NDArray[np.float64]],
    comparison: Mapping[str, float],
    *,
    images: Mapping[str, int],
    candidate: str,
    confidence: float,
) -> list[Claim]:
    """Check every accuracy that the article states, that the candidate overfits, and that it is the better one.

    scores: what `evaluate` measured, by model. val_losses: validation loss of each epoch, by model. images: how many
    each split holds. An accuracy holds if its interval here meets the figures that round to the one stated; a network
    overfits if its accuracy on train is above that on validation, the whole interval, and its loss on validation was
    lowest before the last epoch; a difference holds if its whole interval is above 0.
    """
    claims = []
    for model, stated in article.items():
        for kind, key, split in (("test", "accuracy", "test"), ("train", "train_accuracy", "train")):
            figure = getattr(stated, kind)
            if model in scores and figure is not None:
                found = scores[model][key]
                low, high = share_interval(round(found * images[split]), images[split], confidence=confidence)
                least, most = rounding_range(figure)
                claims.append(Claim(kind, model, figure, found, low, high, low < most and high >= least))
    of_candidate = scores[candidate]
    gap = of_candidate["train_accuracy"] - of_candidate["validation_accuracy"]
    low, high = difference_interval(
        of_candidate["train_accuracy"],
        images["train"],
        of_candidate["validation_accuracy"],
        images["validation"],
        confidence=confidence,
    )
    rises = int(np.argmin(val_losses[candidate])) < len(val_losses[candidate]) - 1
    claims.append(Claim("overfits", candidate, None, gap, low, high, low > 0 and rises))
    difference, low, high = (comparison[f"difference{end}"] for end in ("", "_low", "_high"))
    claims.append(Claim("better", candidate, None, difference, low, high, low > 0))
    return claims


def rounding_range(share: float) -> tuple[float, float]:
    """Return the range of shares that round to a stated one: to whole percents, or finer if it is stated finer."""
    decimals = max(2, len(repr(share).partition(".")[2]))
    half = 0.5 * 10.0**-decimals
    return share - half, share + half


def difference_interval(
    first: float, first_images: int, second: float, second_images: int, *, confidence: float
) -> tuple[float, float]:
    """Return the interval of the difference first - second of two shares, measured on different images.

    From Wilson's intervals of both. Source: Newcombe 1998, Statistics in Medicine 17, method 10.
    """
    (low_1, high_1), (low_2, high_2) = (
        share_interval(round(share * images), images, confidence=confidence)
        for share, images in ((first, first_images), (second, second_images))
    )
    below = float(np.hypot(first - low_1, high_2 - second))
    above = float(np.hypot(high_1 - first, second - low_2))
    return first - second - below, first - second + above
