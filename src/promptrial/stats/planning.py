"""What a trial of a given size can show, and how large it has to be: from stated assumptions, before any answer.

Pairs of 0/1 scores without clusters: the power of the test that decides, McNemar's without correction, is summed over
all outcomes. Scores on a scale, clusters and replicates: Student's t with the standard error that the assumptions
imply, which is the figure that a report calls detectable; of few clusters, the power of their sign flips. Where 0/1
clusters may be so sparse that the score test on effective counts has to reject too, no more than its power.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from promptrial.documents.usual import POWER
from promptrial.stats.fewest import INTERVAL_SLOPE, clusters_needed
from promptrial.stats.flip_power import distance_found, flip_power, flips_that_reject
from promptrial.stats.hull_power import probability_dense, score_power
from promptrial.stats.score_power import score_test_power
from promptrial.stats.student import normal_quantile, t_cdf, t_quantile

__all__ = ["Design", "detectable", "least_enough", "power_at", "questions_needed"]

_MOST_ENUMERATED: Final = 200_000
"""Pairs up to which the exact power is summed; above, the normal approximation differs by less than 0.001."""
_MOST: Final = 10**9
_STEPS: Final = 100
_CLOSE: Final = 1e-9
"""How close the power of the difference that is found is to the one asked for."""
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """What is assumed of a paired comparison.

    Attributes
    ----------
    discordance : float, optional
        The share of pairs of single answers of which one is right and the other wrong, in (0, 1]. Without it the scores
        are on a scale, and ``sd`` is given.
    sd : float, optional
        The standard deviation of the difference between the two scores of an item, above 0.
    baseline : float, optional
        The mean score of the control, in [0, 1], for binary scores: no difference may lead out of [0, 1].
    cluster_size : float
        Items that share a passage, on average over passages; 1 without clusters.
    shared_by : float, optional
        Items of the passage of an average item, ``sum n_c^2 / n``; the same as ``cluster_size`` if all are equal.
    icc : float
        The intraclass correlation of the differences within a cluster, in [0, 1].
    replicates : int
        Answers of each arm to each item.
    within : float
        The share of the variance of a difference that is between replicates of one item, in [0, 1].
    alpha : float
        The level of the two-sided test.
    power : float
        The probability with which a difference is to be found.
    """

    discordance: float | None = None
    sd: float | None = None
    baseline: float | None = None
    cluster_size: float = 1.0
    shared_by: float | None = None
    icc: float = 0.0
    replicates: int = 1
    within: float = 0.0
    alpha: float = 0.05
    power: float = POWER

    @property
    def is_exact(self) -> bool:
        """Whether the power is that of the score test on independent 0/1 pairs, summed over all outcomes."""
        return self.discordance is not None and self.cluster_size == 1 and self.replicates == 1

    @property
    def design_effect(self) -> float:
        """By how much clusters raise the variance: ``1 + (m - 1) icc``, m the items of an average item's passage."""
        return 1 + (self.mates - 1) * self.icc

    @property
    def mates(self) -> float:
        """Items in the passage of an average item, itself among them."""
        return self.shared_by or self.cluster_size

    @property
    def fewest(self) -> float:
        """Items below which no p-value can reach ``alpha``: those of so many clusters as sign flips need."""
        return 0.0 if self.is_exact else clusters_needed(self.alpha) * self.cluster_size

    @property
    def largest(self) -> float:
        """The largest difference that the assumptions allow; infinite for scores on a scale."""
        if self.discordance is None:
            return math.inf
        if self.baseline is None:
            return self.discordance
        room = 2 * min(1 - self.baseline, self.baseline) - self.discordance
        return min(self.discordance, 0.0 if abs(room) < _ROUNDING else room)

    def variance(self, delta: float) -> float:
        """Return the variance of an item's difference between arm means, if ``delta`` is the true difference."""
        single = self.sd**2 if self.sd is not None else (self.discordance or 0.0) - delta**2
        return single * (1 - self.within + self.within / self.replicates)

    def standard_error(self, n: float, delta: float) -> float:
        """Return the standard error of the difference over ``n`` items."""
        return math.sqrt(self.variance(delta) * self.design_effect / n)

    def clusters(self, n: float) -> int:
        """Return how many clusters ``n`` items are in."""
        return round(n / self.cluster_size)

    def degrees_of_freedom(self, n: float) -> float:
        """Return those of the standard error: clusters less one, at least a tenth so that quantiles exist."""
        return max(n / self.cluster_size - 1, 0.1)


def power_at(design: Design, n: int, delta: float) -> float:
    """Return the probability that a difference of this size is found with ``n`` items; 0 where no p can reach alpha.

    Parameters
    ----------
    design : Design
    n : int
        At least 2.
    delta : float
        Not negative, and at most ``design.largest``.
    """
    if design.is_exact and n <= _MOST_ENUMERATED:
        psi = float(design.discordance or 0.0)
        return score_test_power(n, (psi + delta) / 2, (psi - delta) / 2, design.alpha)
    if n < design.fewest - _ROUNDING:
        return 0.0
    se, df = design.standard_error(n, delta), design.degrees_of_freedom(n)
    if se == 0:
        return 1.0
    clusters, critical = design.clusters(n), _critical(df, design.alpha)
    flips = flips_that_reject(clusters, design.alpha)
    power = t_cdf(df, delta / se - critical) if flips is None else flip_power(clusters, flips, delta / se)
    if design.discordance is None or design.replicates > 1 or design.cluster_size == 1:
        return power
    gain, loss = (design.discordance + delta) / 2, (design.discordance - delta) / 2
    dense = probability_dense(clusters, design.cluster_size / design.design_effect, gain, loss)
    reckoned = max(design.design_effect, 1 + INTERVAL_SLOPE * (design.mates - 1))
    by_score = score_power(
        n, design.discordance, delta, effect=design.design_effect, reckoned=reckoned, critical=critical
    )
    return dense * power + (1 - dense) * min(power, by_score)


@lru_cache(maxsize=1024)
def _critical(df: float, alpha: float) -> float:
    return t_quantile(df, 1 - alpha / 2)


def detectable(design: Design, n: int) -> float | None:
    """Return the smallest difference that is found with ``design.power``.

    For scores on a scale this is ``(t_(1-alpha/2) + t_power) SE``, as in ``minimum_detectable_effect``, except where
    there are so few clusters that the power of sign flips is counted.

    Returns
    -------
    float or None
        None where the assumptions allow no difference so large, or where no p-value can reach ``design.alpha``.
    """
    if design.discordance is None:
        if n < design.fewest - _ROUNDING:
            return None
        se, df = design.standard_error(n, 0.0), design.degrees_of_freedom(n)
        clusters = design.clusters(n)
        flips = flips_that_reject(clusters, design.alpha)
        if flips is not None:
            return distance_found(clusters, flips, design.power) * se
        return (_critical(df, design.alpha) + t_quantile(df, design.power)) * se
    if design.largest <= 0 or power_at(design, n, design.largest) < design.power:
        return None
    about = (normal_quantile(1 - design.alpha / 2) + normal_quantile(design.power)) * design.standard_error(n, 0.0)
    return _crossing(lambda delta: power_at(design, n, delta) - design.power, design.largest, about)


def _crossing(excess: Callable[[float], float], most: float, about: float) -> float:
    """Return where a rising function that is negative at 0 and not at ``most`` becomes 0 (false position, Illinois).

    It is looked for within 10% of ``about`` first.
    """
    low, high = 0.9 * about, min(1.1 * about, most)
    below, above = (excess(low) if low < most else 0.0), excess(high)
    if below >= 0 or above < 0:
        low, high = 0.0, most
        below, above = excess(low), excess(high)
    if below >= 0:
        return 0.0
    side = 0
    for _ in range(_STEPS):
        middle = (low * above - high * below) / (above - below)
        value = excess(middle)
        if abs(value) <= _CLOSE:
            return middle
        if value < 0:
            low, below, above = middle, value, above / 2 if side < 0 else above
        else:
            high, above, below = middle, value, below / 2 if side > 0 else below
        side = -1 if value < 0 else 1
    return high


def questions_needed(design: Design, delta: float) -> int | None:
    """Return how many items find a difference of this size with ``design.power``; None if none that large is possible.

    The power of a test of counts rises in small waves: one item fewer falls short, and so may a few items more.
    """
    if not 0 < delta <= design.largest:
        return None
    enough = least_enough(lambda n: power_at(design, n, delta) >= design.power, _first_guess(design, delta))
    return None if enough is None else math.ceil(math.ceil(enough / design.cluster_size) * design.cluster_size)


def _first_guess(design: Design, delta: float) -> int:
    """Return about how many items are needed, by normal quantiles (Connor's formula for 0/1 scores)."""
    null, alternative = (math.sqrt(design.variance(each) * design.design_effect) for each in (0.0, delta))
    root = normal_quantile(1 - design.alpha / 2) * null + normal_quantile(design.power) * alternative
    return max(2, math.ceil(design.fewest), math.ceil((root / delta) ** 2))


def least_enough(is_enough: Callable[[int], bool], guess: int) -> int | None:
    """Return a number that is enough while the one below is not, looked for in growing steps from a guess."""
    low, high, step = 1, guess, 1
    if is_enough(guess):
        while (low := max(1, high - step)) > 1 and is_enough(low):
            high, step = low, 2 * step
    else:
        while not is_enough(high):
            low, high, step = high, high + step, 2 * step
            if high > _MOST:
                return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high
