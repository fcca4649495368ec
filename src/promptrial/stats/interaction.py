"""Whether an effect differs between two subsets: the test of interaction that subgroup results call for.

That an effect is significant in one subset and not in another shows nothing; the difference of the two effects is what
is tested here. Each subset keeps its own variance, and the items of a cluster their dependence.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from promptrial.documents.significance import Interaction, StatsSettings, number
from promptrial.stats.clusters import cluster_codes
from promptrial.stats.cr2 import Cr2, cr2
from promptrial.stats.fewest import clusters_needed
from promptrial.stats.pairing import FloatArray, IntArray, PairedSample
from promptrial.stats.shared_clusters import Influences, difference_df
from promptrial.stats.t_inference import t_inference

__all__ = ["interaction"]

_NEGLIGIBLE: Final = 1e-12
"""What is left of a variance after round-off, as a share of it."""


def interaction(sample: PairedSample, other: PairedSample, settings: StatsSettings) -> Interaction:
    """Test that the effect is the same in two subsets of the items.

    The difference of the two mean paired differences, with Welch's t: ``SE^2 = SE_1^2 + SE_2^2``, each SE clustered and
    bias-reduced (CR2), and ``df = (SE_1^2 + SE_2^2)^2 / (SE_1^4/df_1 + SE_2^4/df_2)`` with Satterthwaite's degrees of
    freedom of each. Clusters with items in both subsets take their covariance off ``SE^2``, and then the degrees of
    freedom are those of the differences that each cluster makes (``difference_df``).

    Parameters
    ----------
    sample, other : PairedSample
        Of one measure at one temperature, with no item in common; the difference is the effect in ``sample`` less that
        in ``other``.
    settings : StatsSettings

    Returns
    -------
    Interaction
        Not yet corrected. Without a p-value, with the reason, where a subset has no pair, no variation between its
        clusters, or fewer clusters than a test at this level needs. The interval is cut where no difference of two
        effects can be.

    Notes
    -----
    One large cluster makes the test conservative. What it rejects under the null, and what other tests reject, is in
    ``docs/adr/0008-differences-between-subsets.md``.

    References
    ----------
    Welch, B.L. (1947). The generalization of 'Student's' problem when several different population variances are
    involved. Biometrika 34:28-35. Altman, D.G., Bland, J.M. (2003). Interaction revisited: the difference between two
    estimates. BMJ 326:219. CR2: see ``cr2``.
    """
    reason = _why_not(sample, settings) or _why_not(other, settings)
    if reason is not None:
        return _row(sample, other, settings, reason=reason)
    one, two = (cr2(subset.difference, subset.cluster) for subset in (sample, other))
    if math.isnan(one.se) or math.isnan(two.se):
        lacking = sample if math.isnan(one.se) else other
        return _row(sample, other, settings, reason=f"every cluster of {lacking.subset} has the same mean difference")
    apart, covariance = one.se**2 + two.se**2, _covariance(sample, other)
    variance = apart - 2 * (covariance or 0.0)
    if variance <= _NEGLIGIBLE * apart:
        return _row(sample, other, settings, reason="the two effects vary together: no standard error")
    if covariance is None:
        df = _welch_df(one, two)
    else:
        df = difference_df(_influences(sample, one), _influences(other, two), variance)
    return _tested(sample, other, settings, math.sqrt(variance), df)


def _why_not(sample: PairedSample, settings: StatsSettings) -> str | None:
    if sample.n_pairs == 0:
        return f"no pair in {sample.subset}"
    needed = clusters_needed(settings.alpha)
    if sample.n_clusters < needed:
        return f"{sample.subset} has {sample.n_clusters} clusters; at level {settings.alpha:g} it needs {needed}"
    return None


def _welch_df(one: Cr2, two: Cr2) -> float:
    return (one.se**2 + two.se**2) ** 2 / (one.se**4 / one.df + two.se**4 / two.df)


def _influences(sample: PairedSample, mean: Cr2) -> Influences:
    return Influences(cluster_codes(sample.cluster), sample.totals.sizes, mean)


def _covariance(sample: PairedSample, other: PairedSample) -> float | None:
    """Return the covariance of the two effects, from the clusters that have items in both subsets; None without any."""
    codes, shares = _cluster_influences(sample)
    other_codes, other_shares = _cluster_influences(other)
    _, here, there = np.intersect1d(codes, other_codes, assume_unique=True, return_indices=True)
    return float((shares[here] * other_shares[there]).sum()) if len(here) else None


def _cluster_influences(sample: PairedSample) -> tuple[IntArray, FloatArray]:
    """Return the codes of the clusters and what each adds to the mean, as in the CR2 standard error."""
    totals = sample.totals
    residuals = totals.sums - totals.sizes * totals.mean
    return cluster_codes(sample.cluster), residuals / np.sqrt(1 - totals.sizes / totals.n_items) / totals.n_items


def _tested(sample: PairedSample, other: PairedSample, settings: StatsSettings, se: float, df: float) -> Interaction:
    difference = sample.totals.mean - other.totals.mean
    low, high, p = t_inference(difference, se, df, settings.confidence)
    most = 2 * sample.largest_difference
    return _row(
        sample,
        other,
        settings,
        limits=(max(low, -most), min(high, most)),
        se=se,
        df=df,
        p=p,
    )


def _row(
    sample: PairedSample,
    other: PairedSample,
    settings: StatsSettings,
    *,
    limits: tuple[float | None, float | None] = (None, None),
    se: float | None = None,
    df: float | None = None,
    p: float | None = None,
    reason: str | None = None,
) -> Interaction:
    return Interaction(
        contrast=sample.label,
        metric=sample.metric,
        temp=sample.temp,
        scope=sample.scope,
        subset=sample.subset,
        other=other.subset,
        n_pairs=sample.n_pairs,
        n_pairs_other=other.n_pairs,
        n_clusters=sample.n_clusters,
        n_clusters_other=other.n_clusters,
        difference=number(sample.totals.mean - other.totals.mean),
        ci_low=limits[0],
        ci_high=limits[1],
        confidence=settings.confidence,
        method="welch_cr2",
        se=se,
        df=df,
        p=p,
        family=None,
        p_adjusted=None,
        significant=None,
        reason=reason,
    )
