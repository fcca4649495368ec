"""Degrees of freedom of a difference of two means of which clusters have items in both. NumPy alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Final

import numpy as np

from promptrial.stats.cr2 import Cr2, working_variances
from promptrial.stats.score_table import FloatArray, IntArray

__all__ = ["Influences", "difference_df"]

_SIGNS: Final = (((0, 1), -1), ((1, 0), -1), ((2, 3), 1), ((3, 2), 1))
"""What a cluster shares with the sums of both means, taken off the first and put on the second."""


@dataclass(frozen=True, slots=True)
class Influences:
    """What the clusters of a mean add to its CR2 standard error: ``codes``, ``sizes``, and the estimate itself."""

    codes: IntArray
    sizes: IntArray
    mean: Cr2


@dataclass(frozen=True, slots=True)
class _Part:
    """A mean over all clusters of both: the factor of a cluster's sum, its share of the items, the sum's variance."""

    factor: FloatArray
    share: FloatArray
    variance: FloatArray


def difference_df(one: Influences, two: Influences, variance: float) -> float:
    """Return Satterthwaite's degrees of freedom of ``variance``, that of the difference of two means.

    They are ``(tr G)^2 / tr(G^2)``, G the covariance of the differences of the clusters' influences, of which
    ``variance`` is the sum of squares. The model of G is that of ``cr2`` within each mean; the sums of a cluster in
    both have the correlation, in [-1, 1], that gives G the trace ``variance``.

    Notes
    -----
    Means without a cluster in common have Welch's degrees of freedom, and those of the same C clusters, of equal sizes
    in each, C - 1. O(C) time and memory.

    References
    ----------
    Satterthwaite, F.E. (1946). An approximate distribution of estimates of variance components. Biometrics Bulletin
    2:110-114. The model: see ``cr2``.
    """
    codes = np.union1d(one.codes, two.codes)
    first, second = (_laid_out(each, codes) for each in (one, two))
    apart, together = (_trace(*_structure(first, second, correlation)) for correlation in (0.0, 1.0))
    correlation = (variance - apart) / (together - apart) if together < apart else 0.0
    return _satterthwaite(*_structure(first, second, min(max(correlation, -1.0), 1.0)))


def _laid_out(part: Influences, codes: IntArray) -> _Part:
    share = part.sizes / part.sizes.sum()
    found = _Part(1 / np.sqrt(1 - share), share, working_variances(part.sizes, part.mean.correlation))
    x, y = found.factor * found.variance, found.factor * found.share
    trace = float((found.factor * x).sum()) - 2 * float((x * y).sum()) + float(found.variance.sum() * (y * y).sum())
    place, spread = np.searchsorted(codes, part.codes), np.zeros((3, len(codes)))
    spread[:, place] = found.factor, found.share, found.variance * (part.mean.se**2 / trace)
    return _Part(*spread)


def _structure(first: _Part, second: _Part, correlation: float) -> tuple[FloatArray, FloatArray, list[list[float]]]:
    """Return d, F and H of ``G = diag(d) + F' H F``; the rows of F belong to the sums and shares of both means."""
    shared = correlation * np.sqrt(first.variance * second.variance)
    a, b = first.factor, second.factor
    own = a * a * first.variance + b * b * second.variance - 2 * a * b * shared
    rows = np.stack(
        [a * first.variance - b * shared, a * first.share, a * shared - b * second.variance, b * second.share]
    )
    middle = [[0.0] * 4 for _ in range(4)]
    for (row, column), sign in _SIGNS:
        middle[row][column] = float(sign)
    middle[1][1], middle[3][3] = float(first.variance.sum()), float(second.variance.sum())
    middle[1][3] = middle[3][1] = -float(shared.sum())
    return own, rows, middle


def _trace(own: FloatArray, rows: FloatArray, middle: Sequence[Sequence[float]]) -> float:
    return float(own.sum()) + _sum_of(middle, _products(rows, np.ones_like(own)))


def _satterthwaite(own: FloatArray, rows: FloatArray, middle: Sequence[Sequence[float]]) -> float:
    """Return (tr G)^2 / tr(G^2). What cancels in the low-rank part times itself is added up exactly."""
    plain = _products(rows, np.ones_like(own))
    once = _times(middle, plain)
    twice = float(sum((once[i][j] * once[j][i] for i, j in product(range(4), repeat=2)), Fraction(0)))
    squares = math.fsum([float((own * own).sum()), 2 * _sum_of(middle, _products(rows, own)), twice])
    return _trace(own, rows, middle) ** 2 / squares


def _products(rows: FloatArray, weights: FloatArray) -> list[list[float]]:
    return [[float((one * weights * other).sum()) for other in rows] for one in rows]


def _sum_of(one: Sequence[Sequence[float]], other: Sequence[Sequence[float]]) -> float:
    return math.fsum(one[i][j] * other[i][j] for i, j in product(range(4), repeat=2))


def _times(one: Sequence[Sequence[float]], other: Sequence[Sequence[float]]) -> list[list[Fraction]]:
    exact = [[[Fraction(each) for each in row] for row in matrix] for matrix in (one, other)]
    return [
        [sum((exact[0][i][at] * exact[1][at][j] for at in range(4)), Fraction(0)) for j in range(4)] for i in range(4)
    ]
