"""The binomial tail at one half, exact and in logarithms: no overflow at any n, and no p-value that is silently 0."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special

__all__ = ["half_binomial_critical_values", "log_half_binomial_cdf", "log_half_binomial_pmf"]

_UNDERFLOW = 1e-290
_BLOCK = 4096


def log_half_binomial_pmf(k: int, n: int) -> float:
    """Return ``log P(X = k)`` for X ~ Bin(n, 1/2).

    Examples
    --------
    >>> round(math.exp(log_half_binomial_pmf(5, 10)), 12)
    0.24609375
    """
    return float(special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)) - n * math.log(2)


def log_half_binomial_cdf(k: int, n: int) -> float:
    """Return ``log P(X <= k)`` for X ~ Bin(n, 1/2).

    Parameters
    ----------
    k, n : int
        ``0 <= k <= n``; ``n`` may be far above a million.

    Notes
    -----
    The regularised incomplete beta function gives the tail where it is a double; below that the tail is its
    largest term times a series of falling ratios, ``1 + k/(n-k+1) + k(k-1)/((n-k+1)(n-k+2)) + ...``, summed until the
    terms no longer matter.

    Examples
    --------
    >>> round(math.exp(log_half_binomial_cdf(1, 8)), 12)
    0.03515625
    >>> round(log_half_binomial_cdf(0, 5000), 6) == round(-5000 * math.log(2), 6)
    True
    """
    if k >= n:
        return 0.0
    tail = float(special.betainc(n - k, k + 1, 0.5))
    if tail > _UNDERFLOW:
        return math.log(tail)
    series, term, start = 1.0, 1.0, 0
    while start < k and term > 1e-18 * series:
        steps = np.arange(start, min(start + _BLOCK, k), dtype=np.float64)
        terms = term * np.cumprod((k - steps) / (n - k + 1 + steps))
        series += float(terms.sum())
        term = float(terms[-1])
        start += _BLOCK
    return log_half_binomial_pmf(k, n) + math.log(series)


def half_binomial_critical_values(n: int, alpha: float, *, midp: bool) -> npt.NDArray[np.int64]:
    """Return, for d = 0..n discordant pairs, the largest ``min(b, c)`` that a two-sided test rejects; -1 for none.

    Parameters
    ----------
    n : int
    alpha : float
    midp : bool
        Test by mid-p; by the exact conditional p otherwise.

    Examples
    --------
    >>> half_binomial_critical_values(8, 0.05, midp=False).tolist()
    [-1, -1, -1, -1, -1, -1, 0, 0, 0]
    >>> half_binomial_critical_values(8, 0.05, midp=True).tolist()
    [-1, -1, -1, -1, -1, 0, 0, 0, 1]
    """
    d = np.arange(n + 1)
    rejected, kept = (
        np.full(n + 1, -1),
        (d + 1) // 2,
    )  # the least p-value that is kept lies at most at d/2, where p is 1
    while (kept - rejected > 1).any():
        k = (rejected + kept) // 2
        tail = special.bdtr(k, d, 0.5)
        other = np.where(k > 0, special.bdtr(np.maximum(k - 1, 0), d, 0.5), 0.0) if midp else tail
        rejects = tail + other <= alpha
        rejected, kept = np.where(rejects, k, rejected), np.where(rejects, kept, k)
    return rejected
