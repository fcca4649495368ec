"""An e-process: evidence against a mean that may be looked at any number of times, and its confidence sequence.

Somebody bets against "the mean difference is m" with a capital of 1, cluster by cluster. If m is the truth, no strategy
makes the capital grow on average, so it ever exceeds ``1 / alpha`` with probability ``alpha`` at most. Several
strategies run side by side, each with a fixed share of the capital: the result depends on which clusters were seen, not
on their order, and nothing is drawn at random.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from promptrial.stats import elementary
from promptrial.stats.clusters import ClusterTotals
from promptrial.stats.difference import agreeing_limits
from promptrial.stats.score_table import FloatArray

__all__ = ["EProcess", "beta_binomial_log_e", "bets"]

_BETS: Final = 64
_ROWS_AT_ONCE: Final = 100_000
_PRECISION: Final = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class EProcess:
    """Bets on the mean of paired differences, where clusters are drawn whole and independently.

    The estimand is the mean over items, as everywhere here: m is the truth if ``sum D_c - m n_c`` is 0 on average, with
    ``D_c`` the sum of the differences of a cluster and ``n_c`` its items.

    Parameters
    ----------
    totals : ClusterTotals
        Of the clusters seen so far.
    bound : float
        The largest difference that the scores can have, above 0: the width of the declared range.
    largest : int
        The most items that any *planned* cluster has; at least as many as those seen. It has to be known beforehand.

    Raises
    ------
    ValueError
        If a cluster is larger than ``largest``, or a difference lies outside ``[-bound, bound]``.

    Notes
    -----
    Against a mean of m, the factor of a cluster is ``1 + g (D_c - m n_c) / (largest (bound + m))`` where the bet is
    that the mean is greater, and ``1 - g (D_c - m n_c) / (largest (bound - m))`` where it is that it is less. g lies in
    (0, 1/2), so no factor is below 1/2. The bets are ``g = ((j - 1/2) / 64)^2 / 2`` with j from 1 to 64 and equal
    shares: many small ones, for small effects. One cluster that is much larger than the others makes all bets small.

    The capital of the bet on a greater mean falls with m, that of the other one grows, and both are log-convex in m. So
    the means that are not rejected are one interval, and a one-sided bet against m is one against all means beyond m.

    O(clusters x 64) time for one m; memory for 100,000 clusters at once. Equal clusters are counted, so 0/1 scores of
    single items take no longer for more of them.

    References
    ----------
    Waudby-Smith, I., Ramdas, A. (2024). Estimating means of bounded random variables by betting. JRSS B 86:1-27
    (sections 4.1 and 4.4; mixtures over bets instead of one plug-in).
    """

    totals: ClusterTotals
    bound: float
    largest: int

    def __post_init__(self) -> None:
        if self.totals.n_clusters and int(self.totals.sizes.max()) > self.largest:
            raise ValueError(f"a cluster has {int(self.totals.sizes.max())} items, more than the largest planned")
        if (np.abs(self.totals.sums) > self.totals.sizes * self.bound * (1 + 1e-9)).any():
            raise ValueError(f"a difference lies outside [-{self.bound:g}, {self.bound:g}]")

    def log_greater(self, mean: float = 0.0) -> float:
        """Return the log of the capital of the bet that the mean is greater than ``mean``, in (-bound, bound)."""
        return self._log_capital(self.totals.sums - mean * self.totals.sizes, self.bound + mean)

    def log_less(self, mean: float = 0.0) -> float:
        """Return the log of the capital of the bet that the mean is less than ``mean``, in (-bound, bound)."""
        return self._log_capital(mean * self.totals.sizes - self.totals.sums, self.bound - mean)

    def log_e(self, mean: float = 0.0) -> float:
        """Return the log of the two-sided e-value against ``mean``: half of the capital is bet on each side."""
        return float(np.logaddexp(self.log_greater(mean), self.log_less(mean))) - math.log(2)

    def limits(self, alpha: float) -> tuple[float, float]:
        """Return the means with an e-value below ``1 / alpha``: an interval that holds the truth at all looks at once.

        Parameters
        ----------
        alpha : float
            In (0, 1): the probability that the truth is ever left out.

        Returns
        -------
        tuple of float
            In [-bound, bound], to within 1e-9 bounds; 0 lies between them exactly when ``log_e(0)`` is below
            ``log(1 / alpha)``. The whole range where no cluster was seen.
        """
        if not self.totals.n_clusters:
            return -self.bound, self.bound
        limits = self._limit(-self.bound, alpha), self._limit(self.bound, alpha)
        return agreeing_limits(limits, self.totals.mean, rejects=self.log_e() >= -math.log(alpha))

    def _limit(self, end: float, alpha: float) -> float:
        """Return where the e-value reaches ``1 / alpha`` between the mean of the clusters and an end of the range.

        No bet gains anything against the mean of the clusters seen. At the ends of the range bets are not defined.
        """
        edge = self.bound * (1 - 1e-9)
        mean = math.fsum(self.totals.sums) / self.totals.n_items  # the same in any order
        kept, rejected = min(max(mean, -edge), edge), end
        while abs(rejected - kept) > _PRECISION * self.bound:
            middle = (kept + rejected) / 2
            kept, rejected = (middle, rejected) if self.log_e(middle) < -math.log(alpha) else (kept, middle)
        return rejected

    def _log_capital(self, excess: FloatArray, room: float) -> float:
        """Return the log of the average capital of all bets, given what each cluster is above the mean bet against."""
        stakes, counts = np.unique(excess / (self.largest * room), return_counts=True)
        logs = np.zeros(_BETS)
        for start in range(0, len(stakes), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            growth = elementary.log1p(np.multiply.outer(bets(), stakes[rows]))
            logs += elementary.weighted_sums(growth, counts[rows].astype(np.float64))
        highest = float(logs.max())
        return highest + math.log(float(elementary.exp(logs - highest).mean()))


@functools.cache
def bets() -> FloatArray:
    """Return the bets, as shares of the one that could lose everything: none stakes more than half."""
    return np.square((np.arange(_BETS) + 0.5) / _BETS) / 2


def beta_binomial_log_e(gains: int, losses: int) -> float:
    """Return the log of the e-value of discordant pairs against "a gain is as likely as a loss", as context.

    ``E = 2^(b + c) B(b + 1, c + 1)``: a bet on each discordant pair, with all probabilities of a gain mixed evenly.
    Only for 0/1 scores of items that share no cluster. No look decides by it, and no report has it: it is for analyses
    of your own, beside the e-value of ``EProcess``.

    Parameters
    ----------
    gains, losses : int
        b and c, at least 0; their order does not matter.

    References
    ----------
    Robbins, H. (1970). Statistical methods related to the law of the iterated logarithm. Annals of Mathematical
    Statistics 41:1397-1409 (mixtures of likelihood ratios).

    Examples
    --------
    >>> round(math.exp(beta_binomial_log_e(9, 1)), 4)
    9.3091
    >>> beta_binomial_log_e(0, 0)
    0.0
    """
    b, c = gains, losses
    return (b + c) * math.log(2) + math.lgamma(b + 1) + math.lgamma(c + 1) - math.lgamma(b + c + 2)
