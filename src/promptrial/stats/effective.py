"""Clustered 0/1 pairs as so many independent ones: design effects with a floor, and when sign flips need them.

Where few clusters hold a discordant pair, the flips of the others change nothing, and limits from flips alone are too
narrow. The score test on effective counts stands in for the clusters that say nothing yet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from promptrial.documents.density import Density
from promptrial.stats.clusters import cluster_codes
from promptrial.stats.fewest import INTERVAL_SLOPE
from promptrial.stats.paired import paired_difference
from promptrial.stats.pairing import FloatArray, IntArray
from promptrial.stats.risk_difference import score_limit, score_statistic

__all__ = [
    "INTERVAL_SLOPE",
    "EffectivePairs",
    "density",
    "effective_pairs",
]


def density(difference: FloatArray, cluster: IntArray | None = None) -> Density:
    """Count the clusters that hold a pair that differs.

    Parameters
    ----------
    difference : ndarray of float, shape (n_pairs,)
        At least one.
    cluster : ndarray of int, shape (n_pairs,), optional
        Without it every pair is its own cluster.

    Examples
    --------
    >>> density(np.array([1.0, -1.0, 0.0, 0.0]), np.array([0, 0, 0, 1]))
    Density(n_clusters=2, discordant=1, gains=1, losses=1, varies=False)
    """
    result = paired_difference(difference, cluster)
    discordant, gains, losses = (
        int(chosen.sum()) if cluster is None else len(cluster_codes(cluster[chosen]))
        for chosen in (difference != 0, difference > 0, difference < 0)
    )
    return Density(result.n_clusters, discordant, gains, losses, bool(result.se > 0))


@dataclass(frozen=True, slots=True)
class EffectivePairs:
    """Clustered pairs as independent ones: discordant pairs ``b`` and ``c`` of ``n``, divided by the design effect.

    ``design_effect`` is the larger of the estimated one and ``floor``; ``df`` is clusters less one. ``n`` is never
    above the number of pairs.
    """

    b: float
    c: float
    n: float
    design_effect: float
    floor: float
    df: int

    @property
    def floored(self) -> bool:
        """Whether the floor was used: the estimated design effect is smaller, or unknown."""
        return self.design_effect == self.floor

    def said(self) -> str:
        """Return the design effect in words, and whether it is the floor."""
        if self.floored:
            return f"design effect {self.floor:.3g}, the floor"
        return f"design effect {self.design_effect:.3g}, above the floor of {self.floor:.3g}"

    def p_value(self) -> float:
        """Return the two-sided p-value of the score test of no difference, the score referred to Student's t."""
        if self.b + self.c == 0:
            return 1.0
        score = abs(self.b - self.c) / math.sqrt(self.b + self.c)
        return max(2 * float(special.stdtr(self.df, -score)), 5e-324)

    def limits(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return Tango's limits on the effective counts, with a quantile of Student's t: the inversion of ``p_value``.

        With few clusters the design effect is itself uncertain, and a normal quantile would cover too seldom.
        """
        quantile = float(special.stdtrit(self.df, 0.5 + confidence / 2))
        return score_limit(self.b, self.c, self.n, quantile), -score_limit(self.c, self.b, self.n, quantile)

    def p_greater(self, delta0: float) -> float:
        """Return the one-sided p-value of "the difference is ``delta0`` or less", the score referred to Student's t."""
        score = float(score_statistic(self.b, self.c, self.n, delta0))
        return max(float(special.stdtr(self.df, -score)) if math.isfinite(score) else float(score < 0), 5e-324)

    def lower_limit(self, alpha: float) -> float:
        """Return the one-sided lower limit at level ``1 - alpha``, by Student's t: the inversion of ``p_greater``."""
        return score_limit(self.b, self.c, self.n, float(special.stdtrit(self.df, 1 - alpha)))


def effective_pairs(difference: FloatArray, cluster: IntArray | None, slope: float) -> EffectivePairs:
    """Divide counts of pairs by their design effect, which is at least ``1 + slope (m - 1)``, ``m = sum n_c^2 / n``.

    Parameters
    ----------
    difference : ndarray of float, shape (n_pairs,)
        Of scores in [0, 1]. ``b`` is the sum of the gains and ``c`` that of the losses: counts, for 0/1 scores. For
        other scores they overstate the variance, since d^2 <= |d|, and the test errs on the safe side.
    cluster : ndarray of int, shape (n_pairs,), optional
    slope : float
        ``INTERVAL_SLOPE``, or ``fewest.MARGIN_SLOPE``.

    Raises
    ------
    ValueError
        If there are fewer than two clusters.

    References
    ----------
    Kish, L. (1965). Survey sampling, section 5.4: the design effect 1 + (m - 1) rho.

    Examples
    --------
    >>> pairs = effective_pairs(np.zeros(40), np.arange(40) // 4, INTERVAL_SLOPE)
    >>> round(pairs.floor, 4), pairs.floored, round(pairs.n, 4)
    (1.15, True, 34.7826)
    """
    result = paired_difference(difference, cluster)
    if result.n_clusters < 2:
        raise ValueError("one cluster: no design effect")
    n = len(difference)
    sizes = np.ones(n) if cluster is None else np.bincount(cluster).astype(np.float64)
    floor = 1 + slope * (float((sizes**2).sum()) / n - 1)
    estimated = result.design_effect if math.isfinite(result.design_effect) else 0.0
    effect = max(estimated, floor)
    gains, losses = float(np.maximum(difference, 0).sum()), float(np.maximum(-difference, 0).sum())
    return EffectivePairs(gains / effect, losses / effect, n / effect, effect, floor, result.n_clusters - 1)
