"""The test that decides whether a difference is 0, and the interval that is its inversion. Chosen by design.

* Binary, no two pairs in one cluster: the score test, and Tango's interval.
* Anything else: sign flips of whole clusters, inverted.
* 0/1 scores in clusters of which few say anything: both the flips and the score test on effective counts have to
  reject, and the interval is the hull of both. Zero then lies in the interval exactly when p is above the level. That
  few do is seen in the answers, so the test may become stricter than planned, and never less strict.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import Final
from weakref import WeakKeyDictionary

from promptrial.documents.density import Density
from promptrial.documents.significance import StatsSettings
from promptrial.stats.clusters import ClusterTotals, cluster_totals
from promptrial.stats.effective import INTERVAL_SLOPE, EffectivePairs, density, effective_pairs
from promptrial.stats.fewest import clusters_needed, counted_clusters
from promptrial.stats.intervals import level_text
from promptrial.stats.paired import paired_difference, without_variation
from promptrial.stats.pairing import FloatArray, IntArray, PairedSample
from promptrial.stats.risk_difference import score_p_value, tango_limits
from promptrial.stats.sign_flips import FEWEST_FLIPS, SignFlips, sign_flips

__all__ = [
    "DifferenceTest",
    "agreeing_limits",
    "binary_difference_test",
    "clustered_difference_test",
    "decided_by_score",
    "deciding_test",
    "difference_test",
    "few_clusters",
]

_ROUNDING: Final = 1 + 1e-12


@dataclass(frozen=True, slots=True)
class DifferenceTest:
    """A two-sided test of no difference and its inversion; NaN and None with a ``reason`` where there is none.

    Attributes
    ----------
    p, low, high : float
        0 lies in [low, high] exactly when p is above ``1 - confidence``. The limits are NaN where there is no interval.
    method : str
        Of the p-value: ``score`` or ``permutation``.
    ci_method : str or None
        ``tango``, ``sign_flips``, or ``sign_flips_hull``.
    standard_error : float
        Monte Carlo standard error of p; 0 where p is exact.
    flips : SignFlips or None
    effective : EffectivePairs or None
        What the score test on effective counts was made on, where it was.
    p_flips : float
        The p-value of the flips alone; NaN without flips.
    clusters_needed : int or None
        How many clusters an interval needs, where there are fewer.
    density : Density or None
        How many clusters differ, where there is an interval by sign flips.
    """

    estimate: float
    p: float
    low: float
    high: float
    method: str
    ci_method: str | None
    reason: str | None = None
    standard_error: float = 0.0
    flips: SignFlips | None = None
    effective: EffectivePairs | None = None
    p_flips: float = math.nan
    clusters_needed: int | None = None
    density: Density | None = None

    def not_shown(self, alpha: float) -> bool:
        """Whether the flips alone reject, but the score test for sparse data does not."""
        return self.effective is not None and self.p_flips <= alpha < self.p


_MADE: Final = WeakKeyDictionary[PairedSample, dict[tuple[float, float, int, int], DifferenceTest]]()
"""The tests made so far, because several rows show one; they are kept as long as their sample, and keep no sample."""


def difference_test(sample: PairedSample, settings: StatsSettings) -> DifferenceTest:
    """Make the test that decides on an endpoint, by its planned scale and clustering.

    Parameters
    ----------
    sample : PairedSample
        At least one pair.
    settings : StatsSettings
        Level, confidence, flips to begin with (at least 9,999) and seed.
    """
    asked = settings.confidence, settings.alpha, settings.permutation_samples, settings.random_seed
    made = _MADE.setdefault(sample, {})
    if asked not in made:
        made[asked] = deciding_test(
            sample.difference, sample.cluster, settings, binary=sample.binary, clustered=sample.clustered
        )
    return made[asked]


def deciding_test(
    difference: FloatArray, cluster: IntArray, settings: StatsSettings, *, binary: bool, clustered: bool
) -> DifferenceTest:
    """Make the test that decides on differences: the score test of independent 0/1 pairs, else sign flips of clusters.

    Parameters
    ----------
    difference : ndarray of float, shape (n_pairs,)
        At least one.
    cluster : ndarray of int, shape (n_pairs,)
    settings : StatsSettings
        As for ``difference_test``.
    binary, clustered : bool
        Whether all scores are 0 or 1, and whether planned items share clusters.
    """
    if binary and not clustered:
        gains, losses = int((difference > 0).sum()), int((difference < 0).sum())
        return binary_difference_test(gains, losses, len(difference), settings.confidence)
    return clustered_difference_test(
        difference,
        cluster,
        binary=binary,
        confidence=settings.confidence,
        alpha=settings.alpha,
        draws=max(settings.permutation_samples, FEWEST_FLIPS),
        seed=settings.random_seed,
    )


def decided_by_score(sample: PairedSample) -> bool:
    """Return whether the endpoint is binary and no two of its planned items share a cluster."""
    return sample.binary and not sample.clustered


@functools.lru_cache(maxsize=1024)
def binary_difference_test(b: int, c: int, n: int, confidence: float = 0.95) -> DifferenceTest:
    """Test 0/1 pairs that share no cluster: the score test, inverted to Tango's interval.

    Parameters
    ----------
    b, c : int
        Pairs with a gain (0 in the first arm, 1 in the second), and pairs with a loss.
    n : int
        All pairs, above 0.
    confidence : float
        In (0, 1).

    References
    ----------
    Tango, T. (1998). Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design. Statistics in Medicine 17:891-908.

    Examples
    --------
    >>> test = binary_difference_test(1, 7, 21)
    >>> f"{test.p:.4f} {test.low:.3f} {test.high:.3f}"
    '0.0339 -0.517 -0.026'
    """
    p, estimate = score_p_value(b, c), (b - c) / n
    limits = agreeing_limits(tango_limits(b, c, n, confidence), estimate, rejects=p <= (1 - confidence) * _ROUNDING)
    return DifferenceTest(estimate, p, *limits, "score", "tango")


def clustered_difference_test(
    difference: FloatArray,
    cluster: IntArray | None = None,
    *,
    binary: bool,
    confidence: float = 0.95,
    alpha: float = 0.05,
    draws: int = FEWEST_FLIPS,
    seed: int = 0,
) -> DifferenceTest:
    """Test paired differences by sign flips of whole clusters, inverted.

    Parameters
    ----------
    difference : ndarray of float, shape (n_pairs,)
        At least one.
    cluster : ndarray of int, shape (n_pairs,), optional
        Without it every pair is its own cluster.
    binary : bool
        Whether the scores are 0 or 1. Then sparse data get the hull with the score interval on effective counts.
    confidence : float
        In (0, 1).
    alpha : float
        Level of the decision. More flips are drawn while p is within three standard errors of it, or of
        ``1 - confidence``.
    draws, seed
        As for ``sign_flips``.

    Notes
    -----
    With fewer clusters than ``clusters_needed(1 - confidence)`` there is no interval. Scores that are not binary have
    none either where all clusters have the same mean difference: a point would claim certainty.

    Examples
    --------
    >>> import numpy as np
    >>> test = clustered_difference_test(np.array([0.2, 0.1, 0.3, 0.1, 0.4, 0.1]), binary=False)
    >>> test.p, test.low, test.high
    (0.03125, 0.1, 0.4)
    """
    totals = cluster_totals(difference, cluster)
    if totals.n_clusters < 2:
        reason = "one cluster: no test and no interval can be computed"
        return DifferenceTest(totals.mean, math.nan, math.nan, math.nan, "permutation", None, reason)
    flips = sign_flips(totals, draws=draws, seed=seed, decisive=((0.0, alpha), (0.0, 1 - confidence)))
    test, needed = _of_flips(totals, flips, confidence), clusters_needed(1 - confidence)
    if totals.n_clusters < needed:
        return _without_interval(test, few_clusters(totals, f"a {level_text(confidence)} interval", needed), needed)
    say = density(difference, cluster)
    test = replace(test, density=say)
    if binary and not say.dense:
        return _hull(test, effective_pairs(difference, cluster, INTERVAL_SLOPE), confidence)
    if not say.varies:
        why = without_variation(paired_difference(difference, cluster))
        return _without_interval(test, f"{why}: no interval can be computed")
    return test


def few_clusters(totals: ClusterTotals, what: str, needed: int) -> str:
    """Return in words that there are too few clusters, or pairs, for something."""
    counted = counted_clusters(totals.n_clusters, clustered=totals.clustered)
    return f"not estimable with {counted}: {what} needs at least {needed}"


def agreeing_limits(limits: tuple[float, float], estimate: float, *, rejects: bool) -> tuple[float, float]:
    """Return limits between which 0 lies exactly when the test does not reject it, whatever the last digits say.

    Examples
    --------
    >>> agreeing_limits((1e-17, 0.2), 0.1, rejects=False)
    (0.0, 0.2)
    """
    low, high = limits
    if not rejects:
        return min(low, 0.0), max(high, 0.0)
    if estimate > 0:
        return max(low, math.ulp(0.0)), high
    return low, min(high, -math.ulp(0.0))


def _without_interval(test: DifferenceTest, reason: str, needed: int | None = None) -> DifferenceTest:
    return replace(test, low=math.nan, high=math.nan, ci_method=None, reason=reason, clusters_needed=needed)


def _of_flips(totals: ClusterTotals, flips: SignFlips, confidence: float) -> DifferenceTest:
    p = flips.p_value()
    error = 0.0 if flips.exact_p is not None else flips.standard_error(p)
    limits = flips.limits(confidence)
    return DifferenceTest(
        totals.mean, p, *limits, "permutation", "sign_flips", standard_error=error, flips=flips, p_flips=p
    )


def _hull(test: DifferenceTest, effective: EffectivePairs, confidence: float) -> DifferenceTest:
    """Return the test that rejects where both the flips and the score test do, and the hull of their intervals."""
    p = max(test.p, effective.p_value())
    low, high = effective.limits(confidence)
    limits = agreeing_limits(
        (min(low, test.low), max(high, test.high)), test.estimate, rejects=p <= (1 - confidence) * _ROUNDING
    )
    return replace(test, p=p, low=limits[0], high=limits[1], ci_method="sign_flips_hull", effective=effective)
