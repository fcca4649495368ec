"""The power of sign flips of few clusters: there are so few flips that Student's t says far too much of it.

With C clusters the test rejects while at most k = floor(alpha 2^(C-1)) of the flips reach the sum that was seen. At the
fewest clusters k is 1: all clusters have to lean one way.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from promptrial.stats.student import normal_cdf, normal_quantile

__all__ = ["distance_found", "flip_power", "flips_that_reject"]

_MOST_FLIPS: Final = 100
"""Flips above which Student's t says at most 0.02 too much at a level of 0.05, and 0.05 at a level of 0.001."""
_POINTS: Final = 2_000
_HALVINGS: Final = 45
_ROUNDING: Final = 1 + 1e-12


def flips_that_reject(clusters: int, alpha: float) -> int | None:
    """Return how many flips may reach the sum that was seen, itself among them; None where that is more than 100.

    Examples
    --------
    >>> [flips_that_reject(clusters, 0.05) for clusters in (5, 6, 7, 12, 13)]
    [0, 1, 3, None, None]
    """
    if clusters > 64:
        return None
    flips = math.floor(alpha * math.exp2(clusters - 1) * _ROUNDING)
    return flips if flips <= _MOST_FLIPS else None


def flip_power(clusters: int, flips: int, distance: float) -> float:
    """Return the probability that sign flips reject in the direction of the true difference.

    Cluster means are normal, with equal variances. The test rejects if fewer than k sets of clusters have a sum of 0 or
    less, that is if the k-th smallest mean of a set is positive. It is the overall mean, which is normal, less a term
    that is independent of it; the probability is averaged over 2,000 values of that term.

    Parameters
    ----------
    clusters : int
        At least 2.
    flips : int
        k, from 0 to 100, as ``flips_that_reject`` says.
    distance : float
        The true difference by its standard error.

    Examples
    --------
    >>> all_positive = 0.5 ** 6
    >>> abs(flip_power(6, 1, 0.0) - all_positive) < 0.002
    True
    """
    if flips < 1:
        return 0.0
    root = math.sqrt(clusters)
    return math.fsum(normal_cdf(distance - root * term) for term in _terms(clusters, flips)) / _POINTS


@lru_cache(maxsize=256)
def distance_found(clusters: int, flips: int, power: float) -> float:
    """Return the least difference, in standard errors, that is found with this power; the inverse of ``flip_power``.

    Parameters
    ----------
    clusters, flips : int
        As for ``flip_power``, flips above 0.
    power : float
        In (0, 1); about 0 is returned if chance alone finds a difference as often.

    Examples
    --------
    >>> round(flip_power(7, 3, distance_found(7, 3, 0.8)), 9)
    0.8
    """
    low, high = 0.0, 1.0
    while flip_power(clusters, flips, high) < power:
        low, high = high, 2 * high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if flip_power(clusters, flips, middle) >= power else (middle, high)
    return high


@lru_cache(maxsize=256)
def _terms(clusters: int, flips: int) -> tuple[float, ...]:
    """Return the k-th largest mean of a set of residuals, at points that fill the unit cube evenly.

    Sets have the same distribution when all signs are turned. The points are a Kronecker sequence: steps of the powers
    of 1/g, g being the root of ``g^(clusters + 1) = g + 1``. No random numbers, and products alone instead of powers,
    whose last bit depends on the processor: the power is the same everywhere.

    References
    ----------
    Niederreiter, H. (1992). Random number generation and quasi-Monte Carlo methods, chapter 3.
    """
    low, high = 1.0, 2.0
    for _ in range(_HALVINGS):
        root = (low + high) / 2
        low, high = (low, root) if math.prod([root] * (clusters + 1)) > root + 1 else (root, high)
    steps = [1 / math.prod([high] * axis) for axis in range(1, clusters + 1)]
    return tuple(_kth_mean(_residuals(steps, point), flips) for point in range(1, _POINTS + 1))


def _residuals(steps: Sequence[float], point: int) -> list[float]:
    """Return standard normal values less their mean, the largest first."""
    values = [normal_quantile((0.5 + point * step) % 1) for step in steps]
    mean = math.fsum(values) / len(values)
    return sorted((value - mean for value in values), reverse=True)


def _kth_mean(values: list[float], k: int) -> float:
    """Return the k-th largest mean of a set of values that descend.

    Every set comes from one with a larger mean: its last value was the one before, or was not in it. So the largest are
    found from the first on, as in a heap.
    """
    waiting = [(-values[0], values[0], 1, 0)]
    found = 0.0
    for _ in range(k):
        found, total, size, last = heapq.heappop(waiting)
        if (following := last + 1) < len(values):
            longer, other = total + values[following], total - values[last] + values[following]
            heapq.heappush(waiting, (-longer / (size + 1), longer, size + 1, following))
            heapq.heappush(waiting, (-other / size, other, size, following))
    return -found
