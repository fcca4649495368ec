"""Do two judges, or many, agree? Cohen's kappa and Krippendorff's alpha, with cluster bootstrap intervals. Arrays only.

Both are functions of sums over units: kappa of the table of pairs, alpha of the coincidences of values, or of squares
where the scale is an interval one. A resample draws whole clusters and adds up their sums again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np

from promptrial.stats.bootstrap import acceleration, bca_interval
from promptrial.stats.clusters import DECIMALS
from promptrial.stats.score_table import FloatArray, IntArray
from promptrial.stats.streams import stream

__all__ = [
    "MOST_CATEGORIES",
    "Agreement",
    "AlphaScale",
    "ConfusionTable",
    "KappaWeights",
    "cohens_kappa",
    "confusion_table",
    "effective_judges",
    "kappa_of",
    "krippendorffs_alpha",
]

KappaWeights = Literal["none", "linear", "quadratic"]
AlphaScale = Literal["nominal", "ordinal", "interval"]

MOST_CATEGORIES: Final = 50
"""Different values that kappa, and alpha of nominal and ordinal values, are computed for at most."""
_AT_ONCE: Final = 500
_MOST_UNDEFINED: Final = 0.05
"""The share of resamples in which nothing can disagree, above which there is no interval."""

_Statistic = Callable[[FloatArray], FloatArray]
"""From sums, shape (n, q), to the statistic of each row, shape (n,); NaN where it is not defined."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """A coefficient of agreement: 1 is full agreement, 0 what chance gives; NaN with a ``reason`` where there is none.

    ``low`` and ``high`` are limits of a BCa interval over resampled clusters, NaN with a ``reason`` without one.
    ``n_units`` is how many units were rated at least twice.
    """

    value: float
    low: float
    high: float
    n_units: int
    n_clusters: int
    reason: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ConfusionTable:
    """How often the first judge said the one and the second the other.

    ``counts[i, j]`` counts units of ``values[i]`` by the first and ``values[j]`` by the second; ``missing`` counts
    units that one of them did not rate.
    """

    values: tuple[float, ...]
    counts: IntArray
    missing: int

    @property
    def n_units(self) -> int:
        """How many units both rated."""
        return int(self.counts.sum())

    @property
    def agreeing(self) -> float:
        """The share of units with equal ratings; NaN without any."""
        return float(np.trace(self.counts)) / self.n_units if self.n_units else math.nan


def confusion_table(first: FloatArray, second: FloatArray) -> ConfusionTable:
    """Cross two judges' ratings of the same units.

    Parameters
    ----------
    first, second : ndarray of float, shape (n_units,)
        NaN where a unit was not rated.

    Raises
    ------
    ValueError
        If there are more than ``MOST_CATEGORIES`` values.

    Examples
    --------
    >>> table = confusion_table(np.array([0.0, 1.0, 1.0, np.nan]), np.array([0.0, 1.0, 0.0, 1.0]))
    >>> table.counts.tolist(), table.missing, round(table.agreeing, 3)
    ([[1, 0], [1, 1]], 1, 0.667)
    """
    both = np.isfinite(first) & np.isfinite(second)
    values, codes = _categories(np.concatenate([first[both], second[both]]))
    n, k = int(both.sum()), len(values)
    counts = np.bincount(codes[:n] * k + codes[n:], minlength=k * k).reshape(k, k)
    return ConfusionTable(tuple(map(float, values)), counts, len(first) - n)


def kappa_of(counts: FloatArray, disagreement: FloatArray) -> FloatArray:
    """Compute weighted kappa of tables: 1 less the observed disagreement over that expected from the margins.

    Parameters
    ----------
    counts : ndarray of float, shape (..., k, k)
        Counts or shares.
    disagreement : ndarray of float, shape (k, k)
        What each cell weighs, 0 on the diagonal; 1 elsewhere for Cohen's kappa of nominal values.

    Returns
    -------
    ndarray of float, shape (...)
        At most 1; NaN where no disagreement is expected: both judges always gave one value.

    References
    ----------
    Cohen, J. (1960). A coefficient of agreement for nominal scales. Educational and Psychological Measurement 20:37-46.
    Cohen, J. (1968). Weighted kappa. Psychological Bulletin 70:213-220.

    Examples
    --------
    >>> float(kappa_of(np.array([[20.0, 5.0], [10.0, 15.0]]), 1 - np.eye(2)).round(12))
    0.4
    """
    rows, columns, total = counts.sum(axis=-1), counts.sum(axis=-2), counts.sum(axis=(-1, -2))
    observed = (counts * disagreement).sum(axis=(-1, -2)) * total
    expected = (rows[..., :, None] * columns[..., None, :] * disagreement).sum(axis=(-1, -2))
    return _one_less(observed, expected)


def cohens_kappa(
    first: FloatArray,
    second: FloatArray,
    cluster: IntArray | None = None,
    *,
    weights: KappaWeights = "none",
    confidence: float = 0.95,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> Agreement:
    """Compute Cohen's kappa of two judges, with an interval.

    Parameters
    ----------
    first, second : ndarray of float, shape (n_units,)
        Ratings; units that one of them did not rate (NaN) are left out.
    cluster : ndarray of int, shape (n_units,), optional
        Non-negative codes; without it every unit is its own cluster.
    weights : {"none", "linear", "quadratic"}
        What a disagreement weighs: 1, or the distance of the values, or its square.
    confidence : float
        In (0, 1).

    Raises
    ------
    ValueError
        If there are more than ``MOST_CATEGORIES`` values, or the weights are unknown.

    References
    ----------
    Those of ``kappa_of``.

    Examples
    --------
    >>> cohens_kappa(np.array([0.0, 0, 1, 1]), np.array([0.0, 1, 1, 1])).value
    0.5
    """
    if weights not in get_args(KappaWeights):
        raise ValueError(f"weights {weights!r}: expected one of {', '.join(get_args(KappaWeights))}")
    both = np.isfinite(first) & np.isfinite(second)
    values, codes = _categories(np.concatenate([first[both], second[both]]))
    n, k = int(both.sum()), len(values)
    cells = np.zeros((n, k * k))
    cells[np.arange(n), codes[:n] * k + codes[n:]] = 1
    distance = np.abs(values[:, None] - values)
    disagreement = {"none": (distance > 0).astype(np.float64), "linear": distance, "quadratic": distance**2}[weights]
    statistic: _Statistic = lambda sums: kappa_of(sums.reshape(-1, k, k), disagreement)  # noqa: E731 - one use
    return _agreement(cells, _codes(cluster, both), statistic, confidence, n_resamples, seed, "kappa", weights)


def krippendorffs_alpha(
    ratings: FloatArray,
    cluster: IntArray | None = None,
    *,
    scale: AlphaScale = "nominal",
    confidence: float = 0.95,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> Agreement:
    """Compute Krippendorff's alpha of any number of judges, some of whose ratings may be missing, with an interval.

    ``1 - (n - 1) sum_ck o_ck d_ck / sum_ck n_c n_k d_ck``: o the coincidences of values within units, each pair of a
    unit with m ratings counting 1/(m - 1); n_c how often a value occurs in units that are rated twice or more; d 1 for
    different nominal values, ``(c - k)^2`` for interval ones, and ``(n_c/2 + the counts between + n_k/2)^2`` for
    ordinal ones.

    Parameters
    ----------
    ratings : ndarray of float, shape (n_units, n_judges)
        NaN where a judge did not rate a unit.
    cluster : ndarray of int, shape (n_units,), optional
    scale : {"nominal", "ordinal", "interval"}

    Raises
    ------
    ValueError
        If a nominal or ordinal scale has more than ``MOST_CATEGORIES`` values, or the scale is unknown.

    References
    ----------
    Krippendorff, K. (2019). Content analysis: an introduction to its methodology, 4th edition, chapter 12.

    Examples
    --------
    >>> round(krippendorffs_alpha(np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, np.nan]])).value, 6)
    0.444444
    """
    if scale not in get_args(AlphaScale):
        raise ValueError(f"scale {scale!r}: expected one of {', '.join(get_args(AlphaScale))}")
    kept = np.isfinite(ratings).sum(axis=1) >= 2
    rows = ratings[kept]
    if scale == "interval":
        units, statistic = _squares(rows), _alpha_of_squares
    else:
        units, statistic = _coincidences(rows), _ordinal_alpha if scale == "ordinal" else _nominal_alpha
    return _agreement(units, _codes(cluster, kept), statistic, confidence, n_resamples, seed, "alpha", scale)


def effective_judges(errors: FloatArray) -> float:
    """Return how many judges whose errors are independent would err as little, on average over them, as these do.

    The mean variance of one judge's errors over the variance of the errors' mean: n judges over the design effect of
    Kish, ``n / (1 + (n - 1) rho)``, with rho the mean covariance of two judges' errors over their mean variance. It is
    the number of judges where errors are uncorrelated, and 1 where they all err together.

    Parameters
    ----------
    errors : ndarray of float, shape (n_units, n_judges)
        Ratings less a person's label, all finite.

    Returns
    -------
    float
        At least 1; infinite where errors cancel; NaN where no judge errs in different ways, or there are fewer than two
        units.

    References
    ----------
    Kish, L. (1965). Survey sampling, 5.4. Kohli, G. (2026). Nine judges, two effective votes: correlated errors
    undermine LLM evaluation panels. arXiv:2605.29800.

    Examples
    --------
    >>> effective_judges(np.array([[1.0, 1.0], [0.0, 0.0], [-1.0, -1.0]]))
    1.0
    """
    if len(errors) < 2:
        return math.nan
    single, together = float(errors.var(axis=0, ddof=1).mean()), float(errors.mean(axis=1).var(ddof=1))
    if single == 0:
        return math.nan
    return max(single / together, 1.0) if together > 0 else math.inf


def _one_less(observed: FloatArray, expected: FloatArray) -> FloatArray:
    return 1 - np.divide(observed, expected, out=np.full_like(expected, np.nan), where=expected > 0)


def _categories(values: FloatArray) -> tuple[FloatArray, IntArray]:
    found, codes = np.unique(values, return_inverse=True)
    if len(found) > MOST_CATEGORIES:
        raise ValueError(f"{len(found)} different values: agreement of categories takes at most {MOST_CATEGORIES}")
    return found, codes.astype(np.int64)


def _codes(cluster: IntArray | None, kept: np.ndarray) -> IntArray:
    codes = np.arange(len(kept)) if cluster is None else cluster
    return np.unique(codes[kept], return_inverse=True)[1].astype(np.int64)


def _coincidences(rows: FloatArray) -> FloatArray:
    """Return the coincidences of the values of each unit, shape (n_units, k * k); values in rising order."""
    present = np.isfinite(rows)
    values, codes = _categories(rows[present])
    counts = np.zeros((len(rows), len(values)))
    np.add.at(counts, (np.nonzero(present)[0], codes), 1)
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(len(values))
    weighted: FloatArray = pairs / (counts.sum(axis=1) - 1)[:, None, None]
    return weighted.reshape(len(rows), len(values) ** 2)


def _nominal_alpha(sums: FloatArray) -> FloatArray:
    tables = _tables(sums)
    return _alpha(tables, 1 - np.eye(tables.shape[-1]))


def _ordinal_alpha(sums: FloatArray) -> FloatArray:
    tables = _tables(sums)
    counts = tables.sum(axis=-1)
    rank = np.cumsum(counts, axis=-1) - counts / 2
    return _alpha(tables, (rank[:, :, None] - rank[:, None, :]) ** 2)


def _tables(sums: FloatArray) -> FloatArray:
    k = math.isqrt(sums.shape[1])
    tables: FloatArray = sums.reshape(-1, k, k)
    return tables


def _alpha(tables: FloatArray, distance: FloatArray) -> FloatArray:
    counts = tables.sum(axis=-1)
    observed = (tables * distance).sum(axis=(-1, -2)) * (counts.sum(axis=-1) - 1)
    expected = (counts[:, :, None] * counts[:, None, :] * distance).sum(axis=(-1, -2))
    return _one_less(observed, expected)


def _squares(rows: FloatArray) -> FloatArray:
    """Return of each unit: how many ratings, their sum, the sum of squares, and its share of the observed squares."""
    centred = rows - (np.nanmean(rows) if rows.size else 0.0)
    m = np.isfinite(rows).sum(axis=1)
    sums, squares = np.nansum(centred, axis=1), np.nansum(centred**2, axis=1)
    within = np.maximum(squares - sums**2 / m, 0.0)
    return np.column_stack([m, sums, squares, within * m / (m - 1)]).astype(np.float64)


def _alpha_of_squares(sums: FloatArray) -> FloatArray:
    n, total, squares, within = sums.T
    expected = np.round(n * squares - total**2, DECIMALS)
    return _one_less((n - 1) * within, np.maximum(expected, 0.0))


def _agreement(
    units: FloatArray,
    cluster: IntArray,
    statistic: _Statistic,
    confidence: float,
    n_resamples: int,
    seed: int,
    *names: str,
) -> Agreement:
    """Make the coefficient and its interval from what each unit adds, shape (n_units, q)."""
    gap, n = math.nan, len(units)
    clusters = np.zeros((int(cluster.max(initial=-1)) + 1, units.shape[1]))
    np.add.at(clusters, cluster, units)
    m = len(clusters)
    value = float(statistic(clusters.sum(axis=0, keepdims=True))[0]) if n else gap
    if math.isnan(value):
        why = "all ratings are equal: agreement beyond chance is not defined" if n else "no unit was rated twice"
        return Agreement(gap, gap, gap, n, m, why)
    if m < 2:
        return Agreement(value, gap, gap, n, m, "one cluster: nothing to resample")
    rng = stream(seed, "agreement", *names)
    replicates = _replicates(clusters, statistic, n_resamples, rng)
    known = np.round(replicates[np.isfinite(replicates)], DECIMALS)
    if len(known) < (1 - _MOST_UNDEFINED) * n_resamples:
        return Agreement(value, gap, gap, n, m, "too few different ratings for an interval")
    without = statistic(clusters.sum(axis=0) - clusters)
    found = bca_interval(
        known, round(value, DECIMALS), acceleration(without[np.isfinite(without)]) if m > 2 else 0.0, confidence
    )
    reason = "all resamples agree alike: no interval can be computed" if math.isnan(found.low) else None
    return Agreement(value, found.low, found.high, n, m, reason)


def _replicates(clusters: FloatArray, statistic: _Statistic, n_resamples: int, rng: np.random.Generator) -> FloatArray:
    """Draw as many clusters as there are, again and again; equal clusters are drawn together, as a count."""
    kinds, members = np.unique(clusters, axis=0, return_counts=True)
    found = []
    for start in range(0, n_resamples, _AT_ONCE):
        size = min(_AT_ONCE, n_resamples - start)
        counts = rng.multinomial(len(clusters), members / len(clusters), size=size).astype(np.float64)
        found.append(statistic(np.einsum("bc,cq->bq", counts, kinds)))
    return np.concatenate(found)
