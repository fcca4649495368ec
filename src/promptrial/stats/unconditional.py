"""The exact unconditional test of a paired risk difference against a margin, on the ordering of Tango's statistic.

Scalars and counts only; pairs are independent. The tail is every table whose score statistic is at least that of the
table seen. Its probability is the largest over the nuisance parameter, the probability of one kind of discordant pair,
over the whole of its range.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from scipy import special

from promptrial.stats import elementary
from promptrial.stats.fewest import unchanged_pairs
from promptrial.stats.pairing import FloatArray, IntArray
from promptrial.stats.risk_difference import score_limit, score_statistic

__all__ = ["Tail", "exact_lower_limit", "exact_margin_p", "unchanged_pairs_needed"]

_TIES: Final = 1e-9
_WINDOW: Final = 8.5
"""Standard deviations of a binomial that are summed: less than 1e-16 lies outside."""
_GRID: Final = 48
_REFINEMENTS: Final = 3
_SMALLEST: Final = 5e-324
_MOST_CHECKED: Final = 100_000
_ACCURACY: Final = 1e-5
"""How close a limit is found, in parts of its distance from the estimate."""


def exact_margin_p(b: int, c: int, n: int, delta0: float) -> float:
    """Test "the difference is ``delta0`` or less" against a larger one, exactly.

    ``p = max over q of P(score(B, C) >= score(b, c))`` where (B, C, n - B - C) is multinomial with probabilities q,
    q - delta0 and the rest. For each B the largest C in the tail is found, so that the probability is a sum over B of
    a binomial probability times a binomial tail. The other side is ``exact_margin_p(c, b, n, -delta0)``.

    Parameters
    ----------
    b, c : int
        Pairs with a gain (0 in the first arm, 1 in the second), and pairs with a loss.
    n : int
        All pairs, above 0.
    delta0 : float
        In [-1, 1]; minus the margin, for non-inferiority.

    Returns
    -------
    float
        In (0, 1].

    Raises
    ------
    ValueError
        If the counts are no table of n pairs, or ``delta0`` is outside [-1, 1].

    Notes
    -----
    Its level is at most alpha whatever the nuisance parameter is, up to the search for the maximum (a grid, refined
    around its best points). About 50 ms at n = 100,000.

    References
    ----------
    Tango, T. (1998). Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design. Statistics in Medicine 17:891-908. Hsueh, H.M., Liu, J.P., Chen, J.J. (2001). Unconditional exact tests for
    equivalence or noninferiority for paired binary endpoints. Biometrics 57:478-483.

    Examples
    --------
    >>> exact_margin_p(0, 0, 298, -0.01) <= 0.05, exact_margin_p(0, 0, 299, -0.01) <= 0.05
    (False, True)
    """
    if n < 1 or min(b, c) < 0 or b + c > n or not -1 <= delta0 <= 1:
        raise ValueError(f"{b} and {c} discordant of {n} pairs against {delta0}: not a table or not a difference")
    if abs(delta0) == 1:
        return 1.0 if delta0 == 1 or c == n else _SMALLEST
    return Tail(n, delta0, float(score_statistic(float(b), float(c), n, delta0))).largest_probability()


def exact_lower_limit(b: int, c: int, n: int, alpha: float) -> float:
    """Return the one-sided lower limit of the difference at level ``1 - alpha``: the inversion of ``exact_margin_p``.

    The upper limit is ``-exact_lower_limit(c, b, n, alpha)``.

    Parameters
    ----------
    b, c, n : int
        As for ``exact_margin_p``.
    alpha : float
        In (0, 0.5).

    Returns
    -------
    float
        In [-1, (b - c)/n], to within a 100,000th of its distance from the estimate.

    Examples
    --------
    >>> round(exact_lower_limit(0, 0, 299, 0.05), 5) == round(0.05 ** (1 / 299) - 1, 5)
    True
    """
    if c == n:
        return -1.0
    critical, highest = float(-special.ndtri(alpha)), (b - c) / n

    def excess(delta0: float) -> float:
        """Rise through 0 at the limit, in a nearly straight line."""
        p = min(max(exact_margin_p(b, c, n, delta0), 1e-300), 1 - 1e-15)
        return float(special.ndtri(p)) + critical

    from scipy import optimize  # it takes longer to import than all else that most trials need

    start = score_limit(b, c, n, critical)
    low, high = _bracket(excess, start, highest, (highest - start) / 20 + 1e-9)
    return (
        low
        if low == high
        else float(optimize.brentq(excess, low, high, xtol=_ACCURACY * (highest - start) + 1e-12, rtol=1e-12))
    )


def unchanged_pairs_needed(margin: float, alpha: float = 0.05) -> int:
    """Return how many pairs, all unchanged, the exact test needs to show that the difference is above ``-margin``.

    At least ``ceil(log(alpha) / log(1 - margin))``, the least n with (1 - margin)^n <= alpha; at a level of 0.05 it is
    that number for margins of practical size. At smaller levels Tango's ordering may ask for a few more, which is not
    looked into above 100,000.

    Parameters
    ----------
    margin : float
        In (0, 1].
    alpha : float
        One-sided level.

    Raises
    ------
    ValueError
        If the margin is outside (0, 1].

    Examples
    --------
    >>> unchanged_pairs_needed(0.01), unchanged_pairs_needed(0.05), unchanged_pairs_needed(1.0)
    (299, 59, 1)
    """
    if not 0 < margin <= 1:
        raise ValueError(f"a margin of {margin}: it must be above 0 and at most 1")
    if margin == 1:
        return 1
    short, enough, step = 0, unchanged_pairs(margin, alpha), 1
    if enough > _MOST_CHECKED:
        return enough
    while exact_margin_p(0, 0, enough, -margin) > alpha:
        short, enough, step = enough, enough + step, 2 * step
    while short and enough - short > 1:
        middle = (short + enough) // 2
        shown = exact_margin_p(0, 0, middle, -margin) <= alpha
        short, enough = (short, middle) if shown else (middle, enough)
    return enough


class Tail:
    """The tables whose statistic is at least one value: for each b the largest c among them, -1 for none.

    Parameters
    ----------
    n : int
        All pairs, above 0.
    delta0 : float
        In (-1, 1).
    reached : float
        The value; one that is less by a rounding error reaches it too.
    """

    def __init__(self, n: int, delta0: float, reached: float) -> None:
        self.n = n
        self.delta0 = delta0
        self.least = reached - _TIES
        highest = (1 + delta0) / 2
        self.largest_c = self._largest(np.arange(self._window(np.array([highest]))[1][0] + 1))

    def largest_probability(self) -> float:
        """Return the largest probability of the tail where the difference is ``delta0``: the p-value of the value."""
        low, high = max(0.0, self.delta0), (1 + self.delta0) / 2
        points = _grid(low, high, self.n)
        found = self.probabilities(points, points - self.delta0)
        for _ in range(_REFINEMENTS):
            best = np.argsort(found)[-3:]
            before, after = np.maximum(best - 1, 0), np.minimum(best + 1, len(points) - 1)
            new = np.unique(
                np.concatenate([np.linspace(points[i], points[j], 7) for i, j in zip(before, after, strict=True)])
            )
            new = np.setdiff1d(new, points)
            if not len(new):
                break
            found = np.concatenate([found, self.probabilities(new, new - self.delta0)])
            points = np.concatenate([points, new])
            order = np.argsort(points)
            points, found = points[order], found[order]
        return min(1.0, max(float(found.max()), _SMALLEST))

    def probabilities(self, gains: FloatArray, losses: FloatArray) -> FloatArray:
        """Return the probability of the tail at each pair of probabilities: of a gain, and of a loss."""
        first, last = self._window(gains)
        counts = last - first + 1
        start = np.cumsum(counts) - counts
        which = np.repeat(np.arange(len(gains)), counts)
        b = np.arange(int(counts.sum())) - start[which] + first[which]
        treatment_only = gains[which]
        rest = 1 - treatment_only
        control_only = np.clip(losses[which] / np.where(rest > 0, rest, 1.0), 0.0, 1.0)
        c = np.minimum(self.largest_c[b], self.n - b)
        within = np.where(c >= 0, special.bdtr(np.maximum(c, 0), self.n - b, control_only), 0.0)
        result: FloatArray = np.add.reduceat(self._weights(b, treatment_only) * within, start)
        return result

    def _weights(self, b: IntArray, share: FloatArray) -> FloatArray:
        choose = special.gammaln(self.n + 1) - special.gammaln(b + 1) - special.gammaln(self.n - b + 1)
        weights: FloatArray = elementary.exp(choose + special.xlogy(b, share) + special.xlog1py(self.n - b, -share))
        return weights

    def _window(self, points: FloatArray) -> tuple[IntArray, IntArray]:
        """Return the first and the last b that matter at each point."""
        centre, half_width = self.n * points, _WINDOW * np.sqrt(self.n * points * (1 - points)) + 2 * _WINDOW
        first = np.maximum(np.floor(centre - half_width), 0).astype(np.int64)
        return first, np.minimum(np.ceil(centre + half_width), self.n).astype(np.int64)

    def _largest(self, b: IntArray) -> IntArray:
        """Find the largest c by bisection: between those of every sixteenth b, as they rise with b."""
        coarse = np.unique(np.r_[b[::16], b[-1]])
        known = self._bisected(coarse, np.full(len(coarse), -1), self.n - coarse + 1)
        place = np.searchsorted(coarse, b)
        below = np.where(place > 0, known[np.maximum(place - 1, 0)], -1)
        # Where all c that are possible at the next b are in the tail, that says nothing of the c possible here.
        above = np.where(known[place] < self.n - coarse[place], known[place], self.n)
        return self._bisected(b, np.minimum(below, self.n - b), np.minimum(above, self.n - b) + 1)

    def _bisected(self, b: IntArray, inside: IntArray, outside: IntArray) -> IntArray:
        while (outside - inside > 1).any():
            middle = (inside + outside) // 2
            reaches = (
                score_statistic(b.astype(np.float64), middle.astype(np.float64), self.n, self.delta0) >= self.least
            )
            open_ = outside - inside > 1
            inside, outside = np.where(open_ & reaches, middle, inside), np.where(open_ & ~reaches, middle, outside)
        return inside


def _grid(low: float, high: float, n: int) -> FloatArray:
    """Return points of the nuisance parameter: even in standard deviations, and dense at both ends.

    Near the ends few pairs of one kind are expected (discordant ones, or others), and the tail changes quickly.
    """
    angles = np.linspace(math.asin(math.sqrt(low)), math.asin(math.sqrt(min(high, 1.0))), _GRID)
    few = np.array([0.0, 0.1, 0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24]) / n
    few = few[few < high - low]
    return np.unique(
        np.clip(np.concatenate([elementary.sin(angles) ** 2, low + few, high - few, high - few / 2]), low, high)
    )


def _bracket(rising: Callable[[float], float], start: float, highest: float, step: float) -> tuple[float, float]:
    """Return two points around a zero of a rising function, near ``start``; equal ones at the end of the range."""
    low = high = min(start, highest - step)
    if rising(low) <= 0:
        while rising(high) < 0:
            if high >= highest:
                return highest, highest
            low, high, step = high, min(high + step, highest), 3 * step
        return low, high
    while rising(low) > 0:
        if low <= -1:
            return -1.0, -1.0
        low, high, step = max(low - step, -1.0), low, 3 * step
    return low, high
