"""The source article's claims, compared with what was measured here: in a study of many trainings, or in one run."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fashion_mnist.params import PublishedAccuracy
from fashion_mnist.scores.metrics import Reals, share_interval
from fashion_mnist.study.crossed import crossed_difference
from fashion_mnist.study.plan import Study
from fashion_mnist.study.spread import measure_spread


class Claim(NamedTuple):
    """One claim: its kind and model, the figure stated if there is one, ours with its interval, and if it holds.

    kind: test, train (an accuracy), overfits (train minus validation accuracy) or better (candidate minus baseline).
    trainings: how many our figure is the mean of; of candidate and baseline where both count.
    """

    kind: str
    model: str
    stated: float | None
    found: float
    low: float
    high: float
    holds: bool
    trainings: tuple[int, ...] = (1,)


def check_claims_by_study(
    article: Mapping[str, PublishedAccuracy], study: Study, *, baseline: str, candidate: str, confidence: float
) -> list[Claim]:
    """Check the same claims as `check_claims`, by many trainings under the article's own protocol.

    The article trains on all images and quotes what `fit` prints last: the accuracy on train while the last epoch runs.
    An accuracy holds if the prediction interval of one more such training meets the figures that round to the one
    stated: it is then no surprise that the article's training ended there. A difference holds if its interval over
    seeds and test images is above 0. For overfitting, see `_overfits`. study: holds baseline and candidate; figures of
    a model that it lacks are left out.
    """
    claims = []
    for model, stated in article.items():
        if ("article", model) in study.predictions:
            on_train = study.histories("article", model, "accuracy")[:, -1]
            measured = {"test": study.accuracies("article", model), "train": on_train}
            figures = {kind: getattr(stated, kind) for kind in measured}
            claims += [
                _reproduces(kind, model, figure, measured[kind], confidence)
                for kind, figure in figures.items()
                if figure is not None
            ]
    return [
        *claims,
        _overfits(study, candidate, confidence),
        _is_better(study, baseline=baseline, candidate=candidate, confidence=confidence),
    ]


def _reproduces(kind: str, model: str, stated: float, accuracies: Reals, confidence: float) -> Claim:
    """Judge a stated accuracy by those of several trainings, shape (n,)."""
    spread = measure_spread(accuracies, confidence=confidence)
    low, high = spread.predicted_low, spread.predicted_high
    holds = _meets(stated, low, high)
    return Claim(kind, model, stated, spread.mean, low, high, holds, (spread.trainings,))


def _overfits(study: Study, model: str, confidence: float) -> Claim:
    """Judge whether a network overfits, by trainings with validation.

    It does if the mean over trainings of train minus validation accuracy in the last epoch is above 0, the whole
    interval, and more than half of all trainings would have their lowest validation loss before the last epoch: the
    whole interval (Wilson's) of their share is above one half.
    """
    # One after the other, since trainings may have stopped after different epochs.
    histories = [trial.history for trial in study.trials if (trial.kind, trial.model) == ("replicate", model)]
    gaps = [history["accuracy"][-1] - history["val_accuracy"][-1] for history in histories]
    gap = measure_spread(np.array(gaps), confidence=confidence)
    rises = sum(int(history["val_loss"].argmin()) < len(history["val_loss"]) - 1 for history in histories)
    share_low, _ = share_interval(rises, gap.trainings, confidence=confidence)
    holds = gap.mean_low > 0 and share_low > 0.5
    return Claim("overfits", model, None, gap.mean, gap.mean_low, gap.mean_high, holds, (gap.trainings,))


def _is_better(study: Study, *, baseline: str, candidate: str, confidence: float) -> Claim:
    """Judge whether the candidate is more accurate on test when both are trained as in the article."""
    before, after = (study.right("article", model) for model in (baseline, candidate))
    found = crossed_difference(before, after, confidence=confidence)
    trainings = (len(after), len(before))
    return Claim("better", candidate, None, found.difference, found.low, found.high, found.low > 0, trainings)


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

    All by a single training of each, on fewer images than the article trains on; `check_claims_by_study` judges better.
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
                claims.append(Claim(kind, model, figure, found, low, high, _meets(figure, low, high)))
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


def _meets(stated: float, low: float, high: float) -> bool:
    """Tell whether an interval holds a figure that rounds to the one stated."""
    least, most = rounding_range(stated)
    return low < most and high >= least


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
