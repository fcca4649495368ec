"""The mean paired difference, with standard errors that are clustered by passage and Student's t."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import special

from promptrial.stats.clusters import ClusterTotals, cluster_totals
from promptrial.stats.pairing import Arm, FloatArray, IntArray
from promptrial.stats.statistic import floor_p_value

__all__ = [
    "ENOUGH_CLUSTERS",
    "PairedDifference",
    "VarianceSplit",
    "clustered_se",
    "paired_difference",
    "variance_split",
    "without_variation",
    "without_variation_of",
]

ENOUGH_CLUSTERS: Final = 40
"""Below this the t-test and the bootstrap lean on an approximation; cluster sign flips do not."""


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """A mean paired difference and its uncertainty.

    ``se`` is clustered, ``se_naive`` takes items as independent; ``design_effect`` is the square of their ratio and
    ``n_effective`` the number of independent items that would carry as much, at most the number of pairs. NaN is "not
    estimable": all of them with a single cluster; ``t`` and the limits when every cluster has the same mean difference
    (``degenerate``), and ``p`` too if that is not 0.
    """

    mean: float
    se: float
    se_naive: float
    t: float
    df: int
    p: float
    ci_low: float
    ci_high: float
    design_effect: float
    n_effective: float
    n_pairs: int
    n_clusters: int
    degenerate: bool


def clustered_se(totals: ClusterTotals) -> float:
    """Compute the clustered standard error of a mean over items, with the CR1 factor.

    ``SE = (1/n) sqrt( C/(C-1) sum_c ( sum_(i in c) (d_i - dbar) )^2 )``. With one item a cluster it is the usual
    standard error of the mean.

    Returns
    -------
    float
        NaN with fewer than two clusters.

    References
    ----------
    Miller, E. (2024). Adding error bars to evals. arXiv:2411.00640, appendix A (without the factor C/(C-1)).
    """
    c = totals.n_clusters
    if c < 2:
        return math.nan
    residuals = totals.sums - totals.sizes * totals.mean
    squares = float((residuals**2).sum())
    # What is left of equal differences after round-off is not variation.
    negligible = squares <= (1e-12 * max(1.0, abs(totals.mean)) * totals.n_items) ** 2 / c
    return 0.0 if negligible else math.sqrt(c / (c - 1) * squares) / totals.n_items


def paired_difference(
    difference: FloatArray, cluster: IntArray | None = None, confidence: float = 0.95
) -> PairedDifference:
    """Estimate the mean paired difference and test that it is 0.

    Student's t with C - 1 degrees of freedom, C the number of clusters.

    Parameters
    ----------
    difference : ndarray of float, shape (n_pairs,)
        Second arm minus first, one value an item; at least one.
    cluster : ndarray of int, shape (n_pairs,), optional
        Items with equal codes are one cluster; without it every item is its own.
    confidence : float
        In (0, 1).

    Raises
    ------
    ValueError
        If there is no pair.

    Notes
    -----
    If all differences are 0, as between identical arms, p is 1. There is no interval then: that nothing varied in a
    few pairs does not show that nothing varies.

    Examples
    --------
    >>> result = paired_difference(np.array([1.0, 2.0, 3.0, 4.0]))
    >>> round(result.t, 6), result.df, round(result.p, 6)
    (3.872983, 3, 0.030466)
    """
    if len(difference) == 0:
        raise ValueError("no pair: a mean difference needs at least one")
    totals = cluster_totals(difference, cluster)
    mean, se, df = totals.mean, clustered_se(totals), totals.n_clusters - 1
    se_naive = clustered_se(cluster_totals(difference)) if totals.clustered else se
    t, p = _t_test(mean, se, df)
    half = float(special.stdtrit(df, 0.5 + confidence / 2)) * se if se > 0 else math.nan
    design_effect = (se / se_naive) ** 2 if se_naive > 0 else math.nan
    return PairedDifference(
        mean=mean,
        se=se,
        se_naive=se_naive,
        t=t,
        df=df,
        p=p,
        ci_low=mean - half,
        ci_high=mean + half,
        design_effect=design_effect,
        n_effective=len(difference) / max(design_effect, 1.0) if design_effect > 0 else math.nan,
        n_pairs=len(difference),
        n_clusters=totals.n_clusters,
        degenerate=se == 0,
    )


def without_variation(result: PairedDifference) -> str:
    """Return in words what leaves a degenerate result without a standard error."""
    if result.n_clusters == result.n_pairs:
        return "all pairs have the same difference"
    return "every cluster has the same mean difference"


def without_variation_of(totals: ClusterTotals) -> bool:
    """Return whether no standard error can be computed: one cluster, or all with the same mean difference."""
    return not clustered_se(totals) > 0


@dataclass(frozen=True, slots=True)
class VarianceSplit:
    """Where the variance of a paired difference comes from.

    ``between`` is omega^2, the variance over items of the expected difference (never below 0); ``within`` is sigma^2 of
    each arm, the mean variance between replicates of an item; ``replicates`` is the harmonic mean of their number in
    each arm. More replicates help only where the within parts are large beside the between part.
    """

    between: float
    within: tuple[float, float]
    replicates: tuple[float, float]


def variance_split(difference: FloatArray, arms: tuple[Arm, Arm]) -> VarianceSplit | None:
    """Split the variance of the mean of replicates into items and replicates.

    ``Var(d) = omega^2 + sigma_A^2/K_A + sigma_B^2/K_B``; omega^2 is what is left after the other two.

    Returns
    -------
    VarianceSplit or None
        None unless at least two items have two or more replicates, with their standard deviation, in both arms.

    References
    ----------
    Miller, E. (2024). Adding error bars to evals. arXiv:2411.00640, sections 3 and 5.
    """
    known = np.flatnonzero(~np.isnan(np.stack([arm.deviation for arm in arms])).any(axis=0))
    if len(known) < 2:
        return None
    first, second = (arm.take(known) for arm in arms)
    noise = [float((arm.deviation**2 / arm.n_samples).mean()) for arm in (first, second)]
    return VarianceSplit(
        between=max(0.0, float(difference[known].var(ddof=1)) - sum(noise)),
        within=(_mean_variance(first), _mean_variance(second)),
        replicates=(_mean_replicates(first), _mean_replicates(second)),
    )


def _mean_variance(arm: Arm) -> float:
    return float((arm.deviation**2).mean())


def _mean_replicates(arm: Arm) -> float:
    return float(1 / (1 / arm.n_samples).mean())


def _t_test(mean: float, se: float, df: int) -> tuple[float, float]:
    if df == 0 or se == 0:
        return math.nan, 1.0 if df and mean == 0 else math.nan
    t = mean / se
    return t, floor_p_value(2 * float(special.stdtr(df, -abs(t))))
