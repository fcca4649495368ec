"""The bias-reduced clustered standard error of a mean (CR2) with Satterthwaite's degrees of freedom. For sensitivity.

It decides nothing: beside one large cluster no standard error helps, and with the degrees of freedom of independent
items it misses. Here the working model has the intraclass correlation that the data show.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from promptrial.documents.significance import Estimate, StatsSettings
from promptrial.stats.clusters import ClusterTotals, cluster_totals
from promptrial.stats.paired import without_variation_of
from promptrial.stats.pairing import FloatArray, IntArray, PairedSample
from promptrial.stats.statistic import estimate_row
from promptrial.stats.t_inference import t_inference

__all__ = ["STATISTIC", "Cr2", "cr2", "intraclass_correlation", "working_variances"]


@dataclass(frozen=True, slots=True)
class Cr2:
    """A mean with its CR2 standard error; NaN where there is no variation between clusters, or one cluster."""

    mean: float
    se: float
    df: float
    correlation: float
    t: float
    p: float
    ci_low: float
    ci_high: float


def intraclass_correlation(values: FloatArray, cluster: IntArray | None = None) -> float:
    """Estimate the intraclass correlation from a one-way analysis of variance, clipped to [0, 1].

    ``(MSB - MSW) / (MSB + (n0 - 1) MSW)``, ``n0 = (n - sum n_c^2 / n) / (C - 1)``.

    Returns
    -------
    float
        0 where every item is its own cluster, nothing varies, or there is one cluster.

    References
    ----------
    Donner, A. (1986). A review of inference procedures for the intraclass correlation coefficient in the one-way random
    effects model. International Statistical Review 54:67-82.

    Examples
    --------
    >>> intraclass_correlation(np.array([1.0, 1.0, 0.0, 0.0]), np.array([0, 0, 1, 1]))
    1.0
    """
    totals = cluster_totals(values, cluster)
    n, clusters = totals.n_items, totals.n_clusters
    if cluster is None or clusters < 2 or n == clusters:
        return 0.0
    sizes = totals.sizes
    means = totals.sums / sizes
    between = float((sizes * (means - totals.mean) ** 2).sum()) / (clusters - 1)
    total = float(((values - totals.mean) ** 2).sum())
    within = max(total - between * (clusters - 1), 0.0) / (n - clusters)
    size = (n - float((sizes.astype(np.float64) ** 2).sum()) / n) / (clusters - 1)
    below = between + (size - 1) * within
    return min(max((between - within) / below, 0.0), 1.0) if below > 0 else 0.0


def cr2(values: FloatArray, cluster: IntArray | None = None, confidence: float = 0.95) -> Cr2:
    """Estimate a mean with the CR2 standard error and test that it is 0.

    ``SE^2 = (1/n^2) sum_c (S_c - n_c mean)^2 / (1 - n_c/n)``. The degrees of freedom are ``(sum of g)^2 / sum of g^2``
    over the eigenvalues g of the covariance of the terms, for items of one cluster that correlate as estimated.

    Parameters
    ----------
    values : ndarray of float, shape (n,)
        Paired differences.
    cluster : ndarray of int, shape (n,), optional
    confidence : float
        In (0, 1).

    References
    ----------
    Bell, R.M., McCaffrey, D.F. (2002). Bias reduction in standard errors for linear regression with multi-stage
    samples. Survey Methodology 28:169-181. Imbens, G.W., Kolesar, M. (2016). Robust standard errors in small samples:
    some practical advice. Review of Economics and Statistics 98:701-712. Pustejovsky, J.E., Tipton, E. (2018).
    Small-sample methods for cluster-robust variance estimation. Journal of Business and Economic Statistics 36:672-683.

    Examples
    --------
    >>> result = cr2(np.array([1.0, 2.0, 3.0, 4.0]))  # without clusters: Student's t
    >>> round(result.t, 6), round(result.df, 6), round(result.p, 6)
    (3.872983, 3.0, 0.030466)
    """
    totals = cluster_totals(values, cluster)
    mean, correlation = totals.mean, intraclass_correlation(values, cluster)
    if without_variation_of(totals):
        return Cr2(mean, math.nan, math.nan, correlation, math.nan, math.nan, math.nan, math.nan)
    share = totals.sizes / totals.n_items
    residuals = totals.sums - totals.sizes * mean
    se = math.sqrt(float((residuals**2 / (1 - share)).sum())) / totals.n_items
    df = _satterthwaite(totals, correlation)
    low, high, p = t_inference(mean, se, df, confidence)
    return Cr2(mean, se, df, correlation, mean / se, p, low, high)


def working_variances(sizes: IntArray, correlation: float) -> FloatArray:
    """Return the variance of the sum of each cluster whose items correlate, where that of an item is 1."""
    found: FloatArray = sizes * (1 - correlation) + correlation * sizes.astype(np.float64) ** 2
    return found


def _satterthwaite(totals: ClusterTotals, correlation: float) -> float:
    """Return (tr G)^2 / tr(G^2); G = diag(a^2 v) - x y' - y x' + u y y', x = a v, y = a f, in O(C)."""
    share = totals.sizes / totals.n_items
    scale = 1 / np.sqrt(1 - share)
    variance = working_variances(totals.sizes, correlation)
    x, y, total = scale * variance, scale * share, float(variance.sum())
    diagonal, low_rank = scale**2 * variance, total * y * y - 2 * x * y
    xx, xy, yy = (float((p * q).sum()) for p, q in ((x, x), (x, y), (y, y)))
    # The low-rank part times itself: M = [[0, -1], [-1, total]] times the products of x and y, of which two cancel:
    # they are subtracted exactly, which is also the same on every processor.
    first, last = (float(Fraction(total) * Fraction(a) - Fraction(b)) for a, b in ((xy, xx), (yy, xy)))
    trace = float((diagonal + low_rank).sum())
    squares = float((diagonal**2 + 2 * diagonal * low_rank).sum()) + (xy * xy - yy * first - first * yy + last * last)
    return trace**2 / squares


class _Statistic:
    """One row, ``mean_difference``, where items share clusters."""

    name = "cr2"

    def applies(self, sample: PairedSample) -> bool:
        return sample.n_pairs > 0 and sample.clustered

    def compute(self, sample: PairedSample, settings: StatsSettings, rng: np.random.Generator) -> list[Estimate]:
        del rng
        result = cr2(sample.difference, sample.cluster, settings.confidence)
        return [
            estimate_row(
                sample,
                self.name,
                "mean_difference",
                result.mean,
                interval=(result.ci_low, result.ci_high),
                confidence=settings.confidence,
                p=result.p,
                reason="no variation between clusters, or only one: no standard error"
                if math.isnan(result.se)
                else None,
                notes=("a sensitivity analysis, which decides nothing",),
                figures={
                    "se": result.se,
                    "t": result.t,
                    "df": result.df,
                    "intraclass_correlation": result.correlation,
                },
            )
        ]


STATISTIC: Final = _Statistic()
