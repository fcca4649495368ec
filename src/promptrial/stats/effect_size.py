"""Effect sizes: how large a difference is, in units that can be compared. The risk difference comes first.

They describe the items at hand. Only the risk (mean) difference carries an interval here; the methods beside it say how
sure the direction is.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from promptrial.documents.significance import Estimate, StatsSettings
from promptrial.stats.difference import difference_test
from promptrial.stats.hodges_lehmann import hodges_lehmann
from promptrial.stats.pairing import FloatArray, PairedSample
from promptrial.stats.statistic import estimate_row
from promptrial.stats.wilcoxon import signed_rank_sums

__all__ = ["STATISTIC", "cliffs_delta", "cohens_dz", "cohens_h", "rank_biserial"]

_NOTES: Final = {
    "tango": "Tango's score interval",
    "sign_flips": "inversion of the sign flips",
    "sign_flips_hull": "hull of the sign flips' interval and of the score interval on effective counts",
}


def cohens_dz(difference: FloatArray) -> float:
    """Compute d_z, the mean paired difference over the standard deviation of the differences.

    Returns
    -------
    float
        NaN with fewer than two differences, or when they are all equal.
    """
    if len(difference) < 2 or difference.min() == difference.max():
        return math.nan
    return float(difference.mean() / difference.std(ddof=1))


def rank_biserial(difference: FloatArray) -> float:
    """Compute the matched-pairs rank-biserial correlation (W+ - W-)/(W+ + W-), with Pratt's ranks.

    Returns
    -------
    float
        In [-1, 1]: the share of the ranks of gains less that of losses. NaN if all differences are 0.

    References
    ----------
    Kerby, D.S. (2014). The simple difference formula. Comprehensive Psychology 3:11.IT.3.1.

    Examples
    --------
    >>> rank_biserial(np.array([1.0, 2.0, -3.0]))
    0.0
    """
    plus, minus = signed_rank_sums(difference)
    return (plus - minus) / (plus + minus) if plus + minus > 0 else math.nan


def cohens_h(p1: float, p2: float) -> float:
    """Compute Cohen's h, ``2 asin(sqrt(p1)) - 2 asin(sqrt(p2))``. It ignores the pairing.

    References
    ----------
    Cohen, J. (1988). Statistical power analysis for the behavioral sciences, chapter 6.

    Examples
    --------
    >>> round(cohens_h(0.535, 0.474), 6)
    0.122081
    """
    return 2 * math.asin(math.sqrt(p1)) - 2 * math.asin(math.sqrt(p2))


def cliffs_delta(scores: FloatArray, others: FloatArray) -> float:
    """Compute Cliff's delta: over all couples, the share with a score above the other less that with one below.

    Ties count in the denominator. It ignores the pairing.

    Notes
    -----
    O(n log n) time by a sorted search; the couples are never formed.

    References
    ----------
    Cliff, N. (1993). Dominance statistics: ordinal analyses to answer ordinal questions. Psychological Bulletin
    114:494-509.

    Examples
    --------
    >>> cliffs_delta(np.array([1.0, 2.0]), np.array([1.0, 0.0]))
    0.75
    """
    ordered = np.sort(others)
    below = np.searchsorted(ordered, scores, side="left")
    above = len(ordered) - np.searchsorted(ordered, scores, side="right")
    return int((below - above).sum()) / (len(scores) * len(others))


class _Statistic:
    """Rows ``risk_difference`` or ``mean_difference``, ``d_z``, ``rank_biserial``; then by scale of the endpoint.

    A binary endpoint adds ``cohens_h``; a continuous one ``hodges_lehmann`` and ``cliffs_delta``.
    """

    name = "effect_size"

    def applies(self, sample: PairedSample) -> bool:
        return sample.n_pairs > 0

    def compute(self, sample: PairedSample, settings: StatsSettings, rng: np.random.Generator) -> list[Estimate]:
        del rng
        difference = sample.difference
        rows = [
            _difference_row(sample, settings),
            _row(sample, "d_z", cohens_dz(difference), "fewer than two differences, or all are equal"),
            _row(sample, "rank_biserial", rank_biserial(difference), "all differences are 0"),
        ]
        first, second = (arm.score for arm in sample.arms)
        if sample.binary:
            h = cohens_h(float(second.mean()), float(first.mean()))
            return [*rows, _row(sample, "cohens_h", h, notes=("ignores the pairing",))]
        delta = cliffs_delta(second, first)
        return [
            *rows,
            _row(sample, "hodges_lehmann", hodges_lehmann(difference)),
            _row(sample, "cliffs_delta", delta, notes=("ignores the pairing",)),
        ]


STATISTIC: Final = _Statistic()


def _difference_row(sample: PairedSample, settings: StatsSettings) -> Estimate:
    """Return the difference with the interval that inverts the test that decides."""
    test = difference_test(sample, settings)
    return estimate_row(
        sample,
        "effect_size",
        "risk_difference" if sample.binary else "mean_difference",
        sample.totals.mean,
        interval=(test.low, test.high),
        confidence=settings.confidence,
        reason=test.reason,
        notes=() if test.ci_method is None else (_NOTES[test.ci_method],),
    )


def _row(
    sample: PairedSample, quantity: str, value: float, reason: str | None = None, notes: tuple[str, ...] = ()
) -> Estimate:
    missing = math.isnan(value)
    return estimate_row(sample, "effect_size", quantity, value, reason=reason if missing else None, notes=notes)
