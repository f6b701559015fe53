"""Two classifiers on the same images: how far apart they are, and whether that could be chance."""

from typing import Any

import numpy as np
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.weightstats import DescrStatsW

from fashion_mnist.errors import DataError
from fashion_mnist.metrics import Labels


def compare(labels: Labels, baseline: Labels, candidate: Labels, *, confidence: float) -> dict[str, Any]:
    """Compare predictions of two models for the same images, pairwise.

    labels, baseline, candidate: uint8, shape (n,), in the same order. Pairing removes what both find hard: the
    interval is that of the mean of the n differences (-1, 0 or 1), by the normal approximation, and p is McNemar's,
    exact. Raises DataError when lengths differ.
    """
    if not len(labels) == len(baseline) == len(candidate):
        raise DataError(
            f"{len(labels)} labels, {len(baseline)} and {len(candidate)} predictions; expected equally many"
        )
    right_before, right_after = baseline == labels, candidate == labels
    difference = right_after.astype(np.int8) - right_before.astype(np.int8)
    low, high = DescrStatsW(difference.astype(np.float64)).zconfint_mean(alpha=1 - confidence)
    table = [
        [int(np.sum(right_before & right_after)), int(np.sum(right_before & ~right_after))],
        [int(np.sum(~right_before & right_after)), int(np.sum(~right_before & ~right_after))],
    ]
    return {
        "images": len(labels),
        "difference": float(difference.mean()),
        "difference_low": float(low),
        "difference_high": float(high),
        "mcnemar_p": float(mcnemar(table, exact=True).pvalue),
        "only_baseline_right": table[0][1],
        "only_candidate_right": table[1][0],
        "both_right": table[0][0],
        "both_wrong": table[1][1],
    }
