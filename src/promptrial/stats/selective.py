"""Coverage and selective accuracy: how often an arm answers, and how often it is right when it does.

No risk-coverage curve is drawn: that needs a confidence score, and an abstention is a single yes or no.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from promptrial.documents.significance import SIDES, Estimate, Scope, StatsSettings
from promptrial.stats.clusters import cluster_totals
from promptrial.stats.intervals import wilson
from promptrial.stats.pairing import BoolArray, FloatArray, IntArray, PairedSample, Pairing
from promptrial.stats.statistic import estimate_row

__all__ = ["Ratio", "ratio_estimate", "selective_rows"]


@dataclass(frozen=True, slots=True, eq=False)
class Ratio:
    """A ratio of two totals with its linearised, clustered standard error.

    ``influence`` holds one value a cluster; standard errors of differences of ratios come from differences of these.
    ``n_clusters`` counts the clusters that the denominator reaches. All NaN when the denominator is 0; ``se`` is NaN
    with fewer than two clusters.
    """

    value: float
    se: float
    numerator: float
    denominator: float
    n_clusters: int
    influence: FloatArray

    @property
    def df(self) -> int:
        """Degrees of freedom: clusters less one."""
        return len(self.influence) - 1


def ratio_estimate(numerator: FloatArray, denominator: FloatArray, cluster: IntArray) -> Ratio:
    """Estimate sum(numerator)/sum(denominator), with clusters as the units that vary.

    ``SE = sqrt( C/(C-1) sum_c ( sum_(i in c) (u_i - r v_i) )^2 ) / sum v``: for v = 1 it is the clustered standard
    error of a mean.

    Parameters
    ----------
    numerator, denominator, cluster : ndarray, shape (n_items,)

    References
    ----------
    Cochran, W.G. (1977). Sampling techniques, 3rd ed., chapter 6.

    Examples
    --------
    >>> ratio = ratio_estimate(np.array([1.0, 0.0, 1.0]), np.array([1.0, 1.0, 1.0]), np.array([0, 1, 2]))
    >>> round(ratio.value, 6), round(ratio.se, 6)
    (0.666667, 0.333333)
    """
    below = float(denominator.sum())
    of_clusters = cluster_totals(denominator, cluster).sums
    if below == 0:
        return Ratio(math.nan, math.nan, float(numerator.sum()), below, 0, np.full(len(of_clusters), math.nan))
    value = float(numerator.sum()) / below
    influence = cluster_totals(numerator - value * denominator, cluster).sums / below
    return Ratio(value, _se(influence), float(numerator.sum()), below, int((of_clusters > 0).sum()), influence)


def selective_rows(
    accuracy: Pairing,
    abstention: Pairing,
    unanswerable: BoolArray,
    settings: StatsSettings,
    scope: Scope = "overall",
    subset: str = "all",
    chosen: BoolArray | None = None,
) -> list[Estimate]:
    """Return coverage and selective accuracy of both arms and their differences.

    Parameters
    ----------
    accuracy, abstention : Pairing
        Of the same table and temperature.
    unanswerable : ndarray of bool, shape (n_items,)
        An answer to such an item is never right, and an abstention is not an answer.
    settings : StatsSettings
    scope, subset, chosen
        As for ``Pairing.sample``.

    Notes
    -----
    Over the items that are paired in both measures. Wilson's interval where every item is 0 or 1 and no two
    share a cluster; otherwise, and for differences, Student's t with a linearised clustered standard error. Where
    clusters do not differ, a share of 0/1 items has Wilson's interval with each cluster as one item, and anything else
    has none. The arms answer different items, so a difference in selective accuracy mixes accuracy with the choice of
    what to answer.
    """
    everything = np.ones(len(unanswerable), dtype=np.bool_) if chosen is None else chosen
    scored = [~np.isnan(arm.score) for pairing in (accuracy, abstention) for arm in pairing.arms]
    kept = everything & np.logical_and.reduce(scored)
    # Which items share clusters is a matter of the plan, and not of which of them were answered.
    sample = replace(abstention.sample(scope, subset, kept), clustered=abstention.is_clustered(everything))
    if sample.n_pairs == 0:
        return []
    rows = []
    for metric in ("coverage", "selective_accuracy"):
        ratios = []
        for abstained, right in zip(sample.arms, accuracy.arms, strict=True):
            answered = 1 - abstained.score
            correct = np.where(unanswerable[kept], 0.0, np.minimum(right.score[kept], answered))
            top, bottom = (answered, np.ones(len(answered))) if metric == "coverage" else (correct, answered)
            ratios.append(ratio_estimate(top, bottom, sample.cluster))
        binary = accuracy.binary and abstention.binary
        rows += [
            *(
                _arm_row(sample, metric, side, ratio, settings.confidence, binary=binary)
                for side, ratio in zip(SIDES, ratios, strict=True)
            ),
            _difference_row(sample, metric, ratios[0], ratios[1], settings.confidence),
        ]
    return rows


def _arm_row(sample: PairedSample, metric: str, arm: str, ratio: Ratio, confidence: float, *, binary: bool) -> Estimate:
    if binary and not sample.clustered and ratio.denominator > 0:
        interval, note = wilson(ratio.numerator, round(ratio.denominator), confidence), "Wilson"
    elif binary and ratio.se == 0:
        clusters = ratio.n_clusters
        interval, note = wilson(ratio.value * clusters, clusters, confidence), "Wilson, each cluster as one item"
    else:
        half = _half_width(ratio.se, ratio.df, confidence)
        interval, note = _cut(ratio.value - half, ratio.value + half, 0.0), "Student's t, clustered"
    return _row(sample, metric, arm, ratio.value, interval, confidence, note, ratio)


def _difference_row(sample: PairedSample, metric: str, first: Ratio, second: Ratio, confidence: float) -> Estimate:
    value = second.value - first.value
    half = _half_width(_se(second.influence - first.influence), first.df, confidence)
    interval = _cut(value - half, value + half, -1.0)
    return _row(sample, metric, "difference", value, interval, confidence, "Student's t, clustered")


def _cut(low: float, high: float, least: float) -> tuple[float, float]:
    """Cut limits where no share (from 0) or difference of shares (from -1) can be; NaN stays NaN."""
    return max(low, least), min(high, 1.0)


def _row(
    sample: PairedSample,
    metric: str,
    quantity: str,
    value: float,
    interval: tuple[float, float],
    confidence: float,
    note: str,
    ratio: Ratio | None = None,
) -> Estimate:
    reason = "an arm answered nothing" if math.isnan(value) else None
    if reason is None and math.isnan(interval[0]):
        why = "one cluster" if sample.n_clusters < 2 else "no variation between clusters"
        reason = f"{why}: no interval can be computed"
    figures = {} if ratio is None else {"numerator": ratio.numerator, "denominator": ratio.denominator}
    return estimate_row(
        sample,
        "selective",
        quantity,
        value,
        metric=metric,
        interval=interval,
        confidence=confidence,
        reason=reason,
        notes=(note,),
        figures=figures,
    )


def _se(influence: FloatArray) -> float:
    c = len(influence)
    if c < 2:
        return math.nan
    # What is left of equal influences after round-off is not variation; one item in a million would give 1e-12.
    return math.sqrt(c / (c - 1) * float((influence**2).sum())) if np.abs(influence).max() > 1e-14 else 0.0


def _half_width(se: float, df: int, confidence: float) -> float:
    return float(special.stdtrit(df, 0.5 + confidence / 2)) * se if se > 0 else math.nan
