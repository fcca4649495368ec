"""The Hodges-Lehmann estimate, exact at any number of differences in memory that grows with them, not their square."""

from __future__ import annotations

import math

import numpy as np

from promptrial.stats.clusters import DECIMALS
from promptrial.stats.pairing import FloatArray, IntArray

__all__ = ["hodges_lehmann"]

_LARGEST_INTEGER = 2**60


def hodges_lehmann(difference: FloatArray) -> float:
    """Compute the median of the Walsh averages (d_i + d_j)/2, i <= j.

    It is the location that the signed-rank test is about. It is *not* the median of the differences.

    Parameters
    ----------
    difference : ndarray of float, shape (n,)
        At least one; taken as exact to ``DECIMALS`` decimals (fewer if they are above 500,000).

    Raises
    ------
    ValueError
        If there is no difference.

    Notes
    -----
    The n(n+1)/2 averages are never formed. Differences become integers, and the k-th smallest sum is found by bisection
    on the integers, counting the sums up to a value with one sorted search of the distinct differences: about 42 counts
    of O(u log u) time and O(u) memory for u distinct differences.

    References
    ----------
    Hodges, J.L., Lehmann, E.L. (1963). Estimates of location based on rank tests. Annals of Mathematical Statistics
    34:598-611.

    Examples
    --------
    >>> hodges_lehmann(np.array([0.0, 0.0, 0.0, 1.0, 4.0]))
    0.5
    """
    n = len(difference)
    if n == 0:
        raise ValueError("no difference: the Hodges-Lehmann estimate needs at least one")
    scale = _scale(float(np.abs(difference).max()))
    values, members = np.unique(np.rint(difference * scale).astype(np.int64), return_counts=True)
    pairs = n * (n + 1) // 2
    lower, upper = (_kth_sum(values, members, k) for k in ((pairs + 1) // 2, pairs // 2 + 1))
    return (lower + upper) / (4 * scale)


def _scale(largest: float) -> float:
    decimals = DECIMALS if largest == 0 else min(DECIMALS, math.floor(math.log10(_LARGEST_INTEGER / largest)))
    return 10.0**decimals


def _kth_sum(values: IntArray, members: IntArray, k: int) -> int:
    """Return the k-th smallest of the sums of two values (i <= j), counting from 1."""
    up_to = np.concatenate([[0], np.cumsum(members)])
    low, high = 2 * int(values[0]), 2 * int(values[-1])
    while low < high:
        middle = (low + high) // 2
        partners = up_to[np.searchsorted(values, middle - values, side="right")]
        ordered = int((members * partners).sum())
        with_itself = int(up_to[np.searchsorted(values, middle // 2, side="right")])
        if (ordered + with_itself) // 2 >= k:
            high = middle
        else:
            low = middle + 1
    return low
