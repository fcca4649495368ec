"""The interval beside a difference: which one suits the scale and the design, and when there is none. Decided once."""

from __future__ import annotations

import math
from dataclasses import dataclass

from promptrial.stats.paired import paired_difference, without_variation
from promptrial.stats.pairing import PairedSample
from promptrial.stats.risk_difference import newcombe_interval, paired_table, tango_limits

__all__ = ["DifferenceInterval", "difference_interval"]


@dataclass(frozen=True, slots=True)
class DifferenceInterval:
    """Limits of a mean paired difference and the method's name; or NaN, no method and the ``reason``."""

    low: float
    high: float
    method: str | None
    reason: str | None = None


def difference_interval(sample: PairedSample, confidence: float = 0.95) -> DifferenceInterval:
    """Compute the interval of the mean paired difference that suits the endpoint.

    ``newcombe``
        Binary, no two pairs in one cluster.
    ``clustered_t``
        Anything else, as long as the clusters differ.
    ``tango_clusters``
        Binary and clustered, but every cluster has the same mean difference (mostly: no pair is discordant). The
        standard error is then 0 and the design effect cannot be known; it is taken at its largest, that of clusters
        whose items are all alike. So each cluster counts as one pair, as it does for the means of the arms, and the
        interval is Tango's at the observed rates.

    Parameters
    ----------
    sample : PairedSample
        At least one pair.
    confidence : float
        In (0, 1).

    Returns
    -------
    DifferenceInterval
        Never of no width: a graded endpoint without variation, and one cluster, have no interval. Limits are cut at
        the width of the range of scores, which no difference can pass.

    References
    ----------
    Newcombe, R.G. (1998). Improved confidence intervals for the difference between binomial proportions based on paired
    data. Statistics in Medicine 17:2635-2650, method 10.
    Tango, T. (1998). Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design. Statistics in Medicine 17:891-908.
    Kish, L. (1965). Survey sampling, section 5.4: the design effect 1 + (m - 1) rho, here at rho = 1.
    """
    if sample.binary and not sample.clustered:
        return DifferenceInterval(*newcombe_interval(paired_table(sample), confidence), "newcombe")
    result = paired_difference(sample.difference, sample.cluster, confidence)
    if result.n_clusters < 2:
        return DifferenceInterval(math.nan, math.nan, None, "one cluster: no interval can be had")
    widest = sample.largest_difference
    if not result.degenerate:
        return DifferenceInterval(max(result.ci_low, -widest), min(result.ci_high, widest), "clustered_t")
    if sample.binary:
        table, per_pair = paired_table(sample), result.n_clusters / result.n_pairs
        discordant = table.treatment_only * per_pair, table.control_only * per_pair
        return DifferenceInterval(*tango_limits(*discordant, result.n_clusters, confidence), "tango_clusters")
    return DifferenceInterval(math.nan, math.nan, None, f"{without_variation(result)}: no interval can be had")
