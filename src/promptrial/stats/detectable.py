"""The smallest difference that a trial like this one would probably detect, and when there is none to speak of."""

from __future__ import annotations

import math

import numpy as np

from promptrial.documents.usual import POWER
from promptrial.stats.difference import decided_by_score
from promptrial.stats.effective import INTERVAL_SLOPE, density, effective_pairs
from promptrial.stats.flip_power import distance_found, flips_that_reject
from promptrial.stats.pairing import PairedSample
from promptrial.stats.power import minimum_detectable_effect
from promptrial.stats.risk_difference import score_p_value

__all__ = ["detectable_difference", "smallest_p_value"]


def smallest_p_value(sample: PairedSample) -> float:
    """Return the smallest p-value that the deciding test could have given on the units that differ here.

    All of them would have to favour one arm: with D discordant pairs the score test gives the tail of chi-square D, and
    sign flips of D clusters that lean give ``2^(1 - D)``. In sparse 0/1 clusters the score test on effective counts has
    to reject too. 1 without any.
    """
    leaning = int((sample.totals.sums != 0).sum())
    if decided_by_score(sample):
        return score_p_value(leaning, 0)
    by_flips = min(1.0, math.exp2(1 - leaning))
    if sample.n_clusters < 2 or not sample.binary or density(sample.difference, sample.cluster).dense:
        return by_flips
    effective = effective_pairs(np.abs(sample.difference), sample.cluster, INTERVAL_SLOPE)
    return max(by_flips, effective.p_value())


def detectable_difference(sample: PairedSample, se: float, df: float, alpha: float) -> float:
    """Return the difference that a test at level ``alpha`` detects with power ``POWER``; NaN where none can be named.

    Parameters
    ----------
    se, df : float
        Standard error of the difference and its degrees of freedom, clustered where the sample is.

    Returns
    -------
    float
        By Student's t; where sign flips of so few clusters decide that it would say too little, by their power.
        NaN without a standard error, where no p-value can reach ``alpha`` (too few clusters or discordant pairs), and
        where it would take more than the largest difference that scores can have.
    """
    if not se > 0 or smallest_p_value(sample) > alpha:
        return math.nan
    flips = None if decided_by_score(sample) else flips_that_reject(sample.n_clusters, alpha)
    if flips is None:
        effect = minimum_detectable_effect(se, df, alpha=alpha)
    else:
        effect = distance_found(sample.n_clusters, flips, POWER) * se
    return effect if effect <= sample.largest_difference else math.nan
