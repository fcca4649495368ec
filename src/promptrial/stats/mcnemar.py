"""McNemar's conditional tests of a binary endpoint, and the odds ratio of matched pairs: for context.

Throughout, ``b`` and ``c`` are the two kinds of discordant pairs: in rows made from a sample, ``b`` counts the gains
(0 in the first arm, 1 in the second) and ``c`` the losses. Pairs are taken as independent;
where items share passages the rows say so, and a chi-square adjusted for clusters is beside them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import special

from promptrial.documents.significance import SIDES, Estimate, StatsSettings
from promptrial.stats.binomial import log_half_binomial_cdf, log_half_binomial_pmf
from promptrial.stats.clusters import ClusterTotals
from promptrial.stats.intervals import clopper_pearson
from promptrial.stats.pairing import PairedSample
from promptrial.stats.risk_difference import PairedTable, newcombe_interval, paired_table, tango_interval
from promptrial.stats.statistic import estimate_row, floor_p_value

__all__ = [
    "STATISTIC",
    "McNemar",
    "mcnemar",
    "obuchowski",
    "odds_ratio_interval",
]


@dataclass(frozen=True, slots=True)
class McNemar:
    """The forms of McNemar's test.

    ``exact`` is the conditional binomial test, ``midp`` its mid-p version, ``chi2``/``p_chi2`` the asymptotic test
    without and ``chi2_cc``/``p_cc`` with continuity correction. The chi-squares are NaN when no pair is discordant.
    No p-value is 0: one that is too small for a double is the smallest positive double, and ``log10_exact`` and
    ``log10_midp`` say how small it really is.
    """

    b: int
    c: int
    exact: float
    midp: float
    log10_exact: float
    log10_midp: float
    chi2: float
    p_chi2: float
    chi2_cc: float
    p_cc: float


def mcnemar(b: int, c: int) -> McNemar:
    """Test whether the two kinds of discordant pairs are equally likely.

    With X ~ Bin(b + c, 1/2) and m = min(b, c), the exact p is ``min(1, 2 P(X <= m))`` and the mid-p is the exact p less
    ``P(X = m)``, or ``1 - P(X = m) / 2`` if b = c. Mid-p is the one to prefer: the exact test is too conservative, and
    the continuity correction more so (Fagerland et al. 2013).

    Parameters
    ----------
    b, c : int
        At least 0. Without discordant pairs both p-values are 1.

    Raises
    ------
    ValueError
        If a count is negative.

    References
    ----------
    Fagerland, M.W., Lydersen, S., Laake, P. (2013). The McNemar test for binary matched-pairs data: mid-p and
    asymptotic are better than exact conditional. BMC Medical Research Methodology 13:91.

    Examples
    --------
    >>> result = mcnemar(1, 7)
    >>> round(result.exact, 12), round(result.midp, 12), result.chi2
    (0.0703125, 0.0390625, 4.5)
    """
    if b < 0 or c < 0:
        raise ValueError(f"{b} and {c} discordant pairs: counts are not negative")
    n, m = b + c, min(b, c)
    if n == 0:
        return McNemar(b, c, 1.0, 1.0, 0.0, 0.0, math.nan, math.nan, math.nan, math.nan)
    log_point = log_half_binomial_pmf(m, n)
    if b == c:
        log_exact, log_mid = 0.0, math.log1p(-math.exp(log_point) / 2)
    else:
        log_exact = min(0.0, math.log(2) + log_half_binomial_cdf(m, n))
        log_mid = log_exact + math.log1p(-math.exp(log_point - log_exact))
    chi2, chi2_cc = (b - c) ** 2 / n, max(abs(b - c) - 1, 0) ** 2 / n
    return McNemar(
        b=b,
        c=c,
        exact=floor_p_value(math.exp(log_exact)),
        midp=floor_p_value(math.exp(log_mid)),
        log10_exact=log_exact / math.log(10),
        log10_midp=log_mid / math.log(10),
        chi2=chi2,
        p_chi2=_chi2_tail(chi2),
        chi2_cc=chi2_cc,
        p_cc=_chi2_tail(chi2_cc),
    )


def odds_ratio_interval(b: int, c: int, confidence: float = 0.95) -> tuple[float, float]:
    """Compute the exact interval of the conditional odds ratio b/c.

    The Clopper-Pearson limits of b/(b + c), each turned from p into p/(1 - p).

    Returns
    -------
    tuple of float
        In [0, inf]; the upper limit is infinite when c = 0 and the lower one 0 when b = 0.

    Raises
    ------
    ValueError
        If there is no discordant pair.

    References
    ----------
    Fay, M.P. (2010). Two-sided exact tests and matching confidence intervals for discrete data. The R Journal 2:53-58.
    """
    low, high = clopper_pearson(b, b + c, confidence)
    return low / (1 - low), high / (1 - high) if high < 1 else math.inf


def obuchowski(totals: ClusterTotals) -> tuple[float, float]:
    """Test a binary endpoint with Obuchowski's chi-square, which allows for clusters.

    With S_k the difference between the two kinds of discordant pairs in cluster k of C,
    ``X^2 = (C - 1)/C (sum S_k)^2 / sum S_k^2`` on one degree of freedom.

    Parameters
    ----------
    totals : ClusterTotals
        Of the paired differences, which are -1, 0 or 1.

    Returns
    -------
    tuple of float
        Chi-square and p; NaN without two clusters or when no cluster has a difference other than 0.

    References
    ----------
    Obuchowski, N.A. (1998). On the comparison of correlated proportions for clustered data. Statistics in Medicine
    17:1495-1507.
    """
    squares = float((totals.sums**2).sum())
    if totals.n_clusters < 2 or squares == 0:
        return math.nan, math.nan
    chi2 = (totals.n_clusters - 1) / totals.n_clusters * float(totals.sums.sum()) ** 2 / squares
    return chi2, _chi2_tail(chi2)


class _Statistic:
    """Rows ``risk_difference``, with the mid-p, and ``odds_ratio``, with the exact p that its interval inverts.

    The first has no interval: none is the inversion of mid-p. Newcombe's and Tango's limits are among its figures.
    """

    name = "mcnemar"

    def applies(self, sample: PairedSample) -> bool:
        return sample.binary

    def compute(self, sample: PairedSample, settings: StatsSettings, rng: np.random.Generator) -> list[Estimate]:
        del rng
        table = paired_table(sample)
        test = mcnemar(table.gains, table.losses)
        notes = ("treats the pairs as independent, although items share clusters",) if sample.clustered else ()
        return [
            _risk_difference(sample, table, test, settings.confidence, notes),
            _odds_ratio(sample, test, settings.confidence, notes),
        ]


STATISTIC: Final = _Statistic()


def _risk_difference(
    sample: PairedSample, table: PairedTable, test: McNemar, confidence: float, notes: tuple[str, ...]
) -> Estimate:
    tango_low, tango_high = tango_interval(table, confidence)
    newcombe_low, newcombe_high = newcombe_interval(table, confidence)
    chi2_clusters, p_clusters = obuchowski(sample.totals) if sample.clustered else (None, None)
    return estimate_row(
        sample,
        "mcnemar",
        "risk_difference",
        table.difference,
        p=test.midp,
        notes=(*notes, *(("no discordant pair",) if test.b + test.c == 0 else ())),
        figures={
            "both": table.both,
            "treatment_only": table.gains,
            "control_only": table.losses,
            "neither": table.neither,
            "p_exact": test.exact,
            "p_midp": test.midp,
            "log10_p_exact": test.log10_exact,
            "log10_p_midp": test.log10_midp,
            "chi2": test.chi2,
            "p_asymptotic": test.p_chi2,
            "chi2_corrected": test.chi2_cc,
            "p_corrected": test.p_cc,
            "newcombe_low": newcombe_low,
            "newcombe_high": newcombe_high,
            "tango_low": tango_low,
            "tango_high": tango_high,
            "chi2_obuchowski": chi2_clusters,
            "p_obuchowski": p_clusters,
        },
    )


def _odds_ratio(sample: PairedSample, test: McNemar, confidence: float, notes: tuple[str, ...]) -> Estimate:
    if test.b + test.c == 0:
        return estimate_row(sample, "mcnemar", "odds_ratio", None, reason="no discordant pair", notes=notes)
    low, high = odds_ratio_interval(test.b, test.c, confidence)
    return estimate_row(
        sample,
        "mcnemar",
        "odds_ratio",
        test.b / test.c if test.c else None,
        interval=(low, high),
        confidence=confidence,
        p=test.exact,
        reason=None if test.c else f"infinite: the {SIDES[0]} alone is never right, so there is no upper limit",
        notes=notes,
        figures={"treatment_only": test.b, "control_only": test.c},
    )


def _chi2_tail(chi2: float) -> float:
    return floor_p_value(float(special.erfc(math.sqrt(chi2 / 2))))
