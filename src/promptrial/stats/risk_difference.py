"""The difference between two proportions of matched pairs, with Newcombe's and Tango's intervals.

Pairs are taken as independent; with clusters the interval of ``paired`` is the one to use.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import special

from promptrial.stats.intervals import two_sided_z, wilson
from promptrial.stats.pairing import FloatArray, IntArray, PairedSample

__all__ = [
    "PairedTable",
    "newcombe_interval",
    "paired_table",
    "score_limit",
    "score_p_value",
    "score_statistic",
    "tango_interval",
    "tango_limits",
]

_BISECTIONS: Final = 100


@dataclass(frozen=True, slots=True)
class PairedTable:
    """Matched pairs of a binary outcome: 1 in both arms, 0 and then 1 (gains), 1 and then 0 (losses), 0 in both."""

    both: int
    gains: int
    losses: int
    neither: int

    @property
    def n(self) -> int:
        """How many pairs there are."""
        return self.both + self.gains + self.losses + self.neither

    @property
    def difference(self) -> float:
        """The risk difference, second arm minus first."""
        return (self.gains - self.losses) / self.n


def paired_table(sample: PairedSample) -> PairedTable:
    """Count the pairs of a binary endpoint."""
    first, second = (arm.score == 1 for arm in sample.arms)
    return PairedTable(
        both=int((first & second).sum()),
        gains=int((second & ~first).sum()),
        losses=int((first & ~second).sum()),
        neither=int((~first & ~second).sum()),
    )


def newcombe_interval(table: PairedTable, confidence: float = 0.95) -> tuple[float, float]:
    """Compute Newcombe's method 10 interval of the paired risk difference.

    The Wilson limits of the two margins are combined ("square and add"), allowing for their correlation phi, which is
    corrected for continuity when positive.

    Returns
    -------
    tuple of float
        In [-1, 1].

    Raises
    ------
    ValueError
        If there are no pairs.

    References
    ----------
    Newcombe, R.G. (1998). Improved confidence intervals for the difference between binomial proportions based on paired
    data. Statistics in Medicine 17:2635-2650, method 10.

    Examples
    --------
    >>> low, high = newcombe_interval(PairedTable(both=36, gains=12, losses=2, neither=0))
    >>> f"{low:.4f} {high:.4f}"
    '0.0569 0.3404'
    """
    in_second, in_first = table.both + table.gains, table.both + table.losses
    low1, high1 = wilson(in_second, table.n, confidence)
    low2, high2 = wilson(in_first, table.n, confidence)
    phi = _newcombe_phi(table)
    p1, p2, delta = in_second / table.n, in_first / table.n, table.difference
    down = (p1 - low1) ** 2 - 2 * phi * (p1 - low1) * (high2 - p2) + (high2 - p2) ** 2
    up = (high1 - p1) ** 2 - 2 * phi * (high1 - p1) * (p2 - low2) + (p2 - low2) ** 2
    return delta - math.sqrt(max(down, 0.0)), delta + math.sqrt(max(up, 0.0))


def tango_interval(table: PairedTable, confidence: float = 0.95) -> tuple[float, float]:
    """Compute Tango's score interval of the paired risk difference: the differences that a score test does not reject.

    Returns
    -------
    tuple of float
        In [-1, 1], to within 2^-99.

    Raises
    ------
    ValueError
        If there are no pairs.

    References
    ----------
    Tango, T. (1998). Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design. Statistics in Medicine 17:891-908.

    Examples
    --------
    >>> low, high = tango_interval(PairedTable(both=1, gains=1, losses=7, neither=12))
    >>> f"{low:.3f} {high:.3f}"
    '-0.517 -0.026'
    """
    return tango_limits(table.gains, table.losses, table.n, confidence)


def tango_limits(b: float, c: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Compute Tango's interval from the discordant pairs alone, which may be effective numbers rather than counts.

    Parameters
    ----------
    b, c : float
        Pairs with a gain (0 in the first arm, 1 in the second), and pairs with a loss; at least 0.
    n : float
        All pairs, above 0.

    Raises
    ------
    ValueError
        If there are no pairs.

    Notes
    -----
    Without discordant pairs the limits are ``-z^2/(n + z^2)`` and ``z^2/(n + z^2)``.

    Examples
    --------
    >>> low, high = tango_limits(0, 0, 10)
    >>> f"{low:.4f} {high:.4f}"
    '-0.2775 0.2775'
    """
    if n == 0:
        raise ValueError("no pairs: the risk difference has no interval")
    z = two_sided_z(confidence)
    return score_limit(b, c, n, z), -score_limit(c, b, n, z)


def score_p_value(b: float, c: float) -> float:
    """Return the two-sided p-value of the score test of no difference: McNemar's, without continuity correction.

    ``z = (b - c) / sqrt(b + c)``. It is 1 without discordant pairs, and never 0.

    Examples
    --------
    >>> round(score_p_value(1, 7), 6)
    0.033895
    """
    if b + c == 0:
        return 1.0
    return max(float(special.erfc(abs(b - c) / math.sqrt(2 * (b + c)))), 5e-324)


def score_limit(b: float, c: float, n: float, critical: float) -> float:
    """Return the smallest difference that the score test does not reject in favour of a larger one, by bisection.

    Parameters
    ----------
    b, c, n : float
        As for ``tango_limits``.
    critical : float
        Quantile that the statistic is compared with, above 0: normal for Tango's interval.

    Returns
    -------
    float
        In [-1, (b - c)/n], to within 2^-99. The upper limit is ``-score_limit(c, b, n, critical)``.
    """
    low, high = -1.0, (b - c) / n
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if middle in (low, high):  # no number lies between them, so that further steps change nothing
            break
        low, high = (low, middle) if float(score_statistic(b, c, n, middle)) < critical else (middle, high)
    return (low + high) / 2


def score_statistic(
    b: FloatArray | IntArray | float, c: FloatArray | IntArray | float, n: float, delta0: float
) -> FloatArray:
    """Compute Tango's score statistic, ``(b - c - n delta0) / sqrt(n (2 q + delta0 (1 - delta0)))``.

    q is the maximum-likelihood estimate of the probability of a loss, where the
    difference is ``delta0``: the larger root of ``2 n q^2 + ((2 n - b + c) delta0 - b - c) q - c delta0 (1 - delta0)``.

    Parameters
    ----------
    b, c : ndarray or float
        Of shapes that broadcast.
    n : float
    delta0 : float
        In [-1, 1].

    Returns
    -------
    ndarray of float
        0 where numerator and variance are 0; infinite where the variance alone is.
    """
    linear = (2 * n - b + c) * delta0 - b - c
    root = np.sqrt(np.maximum(linear**2 + 8 * n * c * delta0 * (1 - delta0), 0.0))
    variance = np.asarray(n * ((root - linear) / (2 * n) + delta0 * (1 - delta0)), dtype=np.float64)
    excess = np.asarray(b - c - n * delta0, dtype=np.float64)
    # Where b - c = n delta0 exactly, round-off must not decide.
    excess = np.where(np.abs(excess) <= 1e-12 * n, 0.0, excess)
    positive = variance > 1e-14 * n
    score = excess / np.sqrt(np.where(positive, variance, 1.0))
    return np.where(positive, score, np.where(excess == 0, 0.0, np.copysign(np.inf, excess)))


def _newcombe_phi(table: PairedTable) -> float:
    in_second, in_first = table.both + table.gains, table.both + table.losses
    margins = in_second * (table.n - in_second) * in_first * (table.n - in_first)
    if margins == 0:
        return 0.0
    cross: float = table.both * table.neither - table.gains * table.losses
    if cross > 0:
        cross = max(cross - table.n / 2, 0.0)
    return cross / math.sqrt(margins)
