"""The methods for clustered differences, for many simulated trials at once: a vectorised twin of the program's own.

The program analyses one trial at a time. Ten thousand trials a cell need the same arithmetic on arrays; a test compares
the two on the same data and the same flips.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from promptrial.stats.pairing import BoolArray, FloatArray, IntArray

__all__ = [
    "N_FLIPS",
    "Batch",
    "EffectiveCounts",
    "attainable_levels",
    "batch_of",
    "clustered_t_limits",
    "counted_by_halves",
    "cr2_limits",
    "difference_limits",
    "difference_p",
    "effective_counts",
    "flip_limits",
    "flip_p",
    "flips_of",
    "is_dense",
    "margin_p",
    "one_sided_p",
    "score_limits",
    "tango_z",
]

N_FLIPS: Final = 9_999
"""Flips that are drawn above 20 clusters."""
TIE: Final = 1e-9
_LARGEST_ENUMERATION: Final = 20
_LARGEST_LIST: Final = 12
"""Up to so many clusters p-values are counted over a list of all flips; above it by halves."""
_BISECTIONS: Final = 60

Flips = npt.NDArray[np.float64]
"""Which clusters are flipped, 0 or 1: shape (flips, clusters)."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Cluster totals of many trials of one design.

    ``sums``, ``gains`` and ``losses`` have the shape (trials, clusters): sums of the differences, and how many pairs of
    a cluster are above and below 0. ``gained`` and ``lost`` have the shape (trials,): sums of the differences above 0,
    and of those below, without sign; for 0/1 scores these are counts. ``squares`` are sums of squared differences.
    """

    sizes: IntArray
    sums: FloatArray
    gains: IntArray
    losses: IntArray
    gained: FloatArray
    lost: FloatArray
    squares: FloatArray

    @property
    def n(self) -> int:
        """Pairs of a trial."""
        return int(self.sizes.sum())

    @property
    def clusters(self) -> int:
        """Clusters of a trial."""
        return len(self.sizes)

    @cached_property
    def mean(self) -> FloatArray:
        """The mean difference of each trial."""
        result: FloatArray = self.sums.sum(axis=1) / self.n
        return result

    @cached_property
    def variance(self) -> FloatArray:
        """The clustered variance of each mean, with the factor C/(C-1)."""
        residuals = self.sums - self.sizes * self.mean[:, None]
        factor = self.clusters / (self.clusters - 1)
        result: FloatArray = factor * (residuals**2).sum(axis=1) / self.n**2
        return result

    @cached_property
    def design_effect(self) -> FloatArray:
        """The clustered variance over that of independent pairs; 0 where no pair differs from another."""
        naive = (self.squares - self.n * self.mean**2) / (self.n * (self.n - 1))
        return np.divide(self.variance, naive, out=np.zeros(len(naive)), where=naive > 1e-15)

    def take(self, trials: slice) -> Batch:
        """Return some of the trials."""
        return Batch(
            sizes=self.sizes,
            sums=self.sums[trials],
            gains=self.gains[trials],
            losses=self.losses[trials],
            gained=self.gained[trials],
            lost=self.lost[trials],
            squares=self.squares[trials],
        )


def batch_of(differences: FloatArray, sizes: tuple[int, ...]) -> Batch:
    """Total the differences of many trials, shape (trials, items), the items of a cluster side by side."""
    starts = np.r_[0, np.cumsum(sizes)[:-1]]
    sums: FloatArray = np.add.reduceat(differences, starts, axis=1)
    return Batch(
        sizes=np.array(sizes, dtype=np.int64),
        sums=np.round(sums, 12),
        gains=np.add.reduceat((differences > 0).astype(np.int64), starts, axis=1),
        losses=np.add.reduceat((differences < 0).astype(np.int64), starts, axis=1),
        gained=np.maximum(differences, 0).sum(axis=1),
        lost=np.maximum(-differences, 0).sum(axis=1),
        squares=(differences**2).sum(axis=1),
    )


# --- sign flips ----------------------------------------------------------------------------------------------------


def counted_by_halves(clusters: int) -> bool:
    """Whether all flips should be counted by halves, because a list of them would be long."""
    return _LARGEST_LIST < clusters <= _LARGEST_ENUMERATION


def random_flips(clusters: int, count: int, rng: np.random.Generator) -> Flips:
    """Draw choices of flipped clusters."""
    return rng.integers(0, 2, size=(count, clusters), dtype=np.int8).astype(np.float64)


def flips_of(clusters: int, rng: np.random.Generator) -> Flips:
    """Return flips without the one that changes nothing: all up to 20 clusters, one of each two that are opposite."""
    if clusters <= _LARGEST_ENUMERATION:
        choices = np.arange(1, 2 ** (clusters - 1))
        return ((choices[:, None] >> np.arange(clusters)) & 1).astype(np.float64)
    return random_flips(clusters, N_FLIPS, rng)


def flip_p(batch: Batch, at: float, flips: Flips | None) -> FloatArray:
    """Return the two-sided p-value of each trial that the true difference is ``at``.

    A flip is as extreme as what was seen where the flipped clusters add up to 0 or less, or to the whole or more; the
    sums are those of ``D_c - n_c at``, turned so that the whole is positive. Without ``flips`` all are counted.
    """
    values = batch.sums - batch.sizes * at
    total = values.sum(axis=1)
    values = np.where(total < 0, -1.0, 1.0)[:, None] * values
    if flips is None:
        return np.where(np.abs(total) <= TIE, 1.0, np.minimum(2 * _share_below_zero(values), 1.0))
    sums = values @ flips.T
    extreme = np.count_nonzero(sums <= TIE, axis=1) + np.count_nonzero(sums >= np.abs(total)[:, None] - TIE, axis=1)
    return np.where(np.abs(total) <= TIE, 1.0, np.minimum((1 + extreme) / (1 + len(flips)), 1.0))


def flip_limits(batch: Batch, flips: Flips, alpha: float) -> tuple[FloatArray, FloatArray]:
    """Return the two-sided limits of each trial; NaN where no p-value can be ``alpha`` or less.

    Each flip has the mean of the flipped clusters and that of the rest. The limits are the k-th smallest of the smaller
    means and the k-th largest of the larger, k being ``alpha`` times the number of flips, the unchanged one included.
    """
    k = math.floor(alpha * (len(flips) + 1) + TIE)
    if k == 0:
        return np.full(len(batch.sums), np.nan), np.full(len(batch.sums), np.nan)
    sizes = flips @ batch.sizes.astype(np.float64)
    total, sums = batch.sums.sum(axis=1, keepdims=True), batch.sums @ flips.T
    with np.errstate(divide="ignore", invalid="ignore"):
        flipped, rest = sums / sizes, (total - sums) / (batch.n - sizes)
    unchanged = (sizes == 0) | (sizes == batch.n)
    flipped[:, unchanged], rest[:, unchanged] = -np.inf, np.inf
    low = np.partition(np.minimum(flipped, rest), k - 1, axis=1)[:, k - 1]
    high = -np.partition(-np.maximum(flipped, rest), k - 1, axis=1)[:, k - 1]
    return low, high


def attainable_levels(batch: Batch, flips: Flips, at: float, alpha: float) -> FloatArray:
    """Return the largest level up to ``alpha`` that the two-sided test of each trial can have at a true difference.

    Where many flips tie, as those of 0/1 scores do, no p-value lies near ``alpha``, and the test is too strict by as
    much. If the differences are symmetric about the truth, the mean of these levels is the rate of rejections.
    """
    values = batch.sums - batch.sizes * at
    total = values.sum(axis=1, keepdims=True)
    statistics = np.concatenate([np.abs(total), np.abs(total - 2 * values @ flips.T)], axis=1)
    k = math.floor(alpha * statistics.shape[1] + TIE)
    largest_kept = -np.partition(-statistics, k, axis=1)[:, [k]]
    result: FloatArray = (statistics > largest_kept + TIE).mean(axis=1)
    return result


def _share_below_zero(values: FloatArray) -> FloatArray:
    """Return, for each row, the share of all subsets of its values whose sum is at most 0, the empty one among them.

    The subsets of one half are sorted, and those of the other half look up their place: a million subsets take a
    thousand look-ups.
    """
    half = values.shape[1] // 2
    first, second = _subset_sums(values[:, :half]), np.sort(_subset_sums(values[:, half:]), axis=1)
    counts = [np.searchsorted(row, TIE - sums, side="right").sum() for sums, row in zip(first, second, strict=True)]
    result: FloatArray = np.array(counts) / 2.0 ** values.shape[1]
    return result


def _subset_sums(values: FloatArray) -> FloatArray:
    sums = np.zeros((len(values), 1))
    for column in values.T:
        sums = np.concatenate([sums, sums + column[:, None]], axis=1)
    return sums


# --- 0/1 scores: density, and the score test on effective counts ---------------------------------------------------


def is_dense(batch: Batch) -> BoolArray:
    """Say of each trial whether sign flips alone may decide.

    At least 20, or at least 70%, of the clusters have a discordant pair, at least 3 have gains, and at least 3 losses.
    """
    gaining, losing = (batch.gains > 0).sum(axis=1), (batch.losses > 0).sum(axis=1)
    discordant = ((batch.gains > 0) | (batch.losses > 0)).sum(axis=1)
    enough = (discordant >= 20) | (discordant >= 0.7 * batch.clusters)
    result: BoolArray = enough & (gaining >= 3) & (losing >= 3) & (batch.variance > 0)
    return result


class EffectiveCounts(NamedTuple):
    """Gains, losses and pairs of each trial, divided by its design effect."""

    gains: FloatArray
    losses: FloatArray
    n: FloatArray


def effective_counts(batch: Batch, floor: float) -> EffectiveCounts:
    """Divide the counts by the design effect, which is at least ``1 + floor (m - 1)``, m = sum n_c^2 / n."""
    least = 1 + floor * (float((batch.sizes**2).sum()) / batch.n - 1)
    effect = np.maximum(batch.design_effect, least)
    return EffectiveCounts(batch.gained / effect, batch.lost / effect, batch.n / effect)


def tango_z(gains: FloatArray, losses: FloatArray, n: FloatArray | float, at: float | FloatArray) -> FloatArray:
    """Return Tango's score statistic for a true difference ``at``, from -1 to 1; 0/0 is 0."""
    linear = (2 * n - gains + losses) * at - gains - losses
    root = np.sqrt(np.maximum(linear**2 + 8 * n * losses * at * (1 - at), 0.0))
    variance = n * ((root - linear) / (2 * n) + at * (1 - at))
    excess = gains - losses - n * at
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(variance > 1e-14 * n, excess / np.sqrt(np.maximum(variance, 0)), np.sign(excess) * np.inf)
    return np.where(np.abs(excess) <= 1e-12 * n, 0.0, z)


def score_limits(counts: EffectiveCounts, quantile: float) -> tuple[FloatArray, FloatArray]:
    """Invert the score test: the differences whose statistic is within ``quantile`` of 0."""
    high = _upper_score_limit(counts, quantile)
    return -_upper_score_limit(EffectiveCounts(counts.losses, counts.gains, counts.n), quantile), high


def _upper_score_limit(counts: EffectiveCounts, quantile: float) -> FloatArray:
    low, high = (counts.gains - counts.losses) / counts.n, np.ones(len(counts.n))
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        kept = tango_z(*counts, middle) > -quantile
        low, high = np.where(kept, middle, low), np.where(kept, high, middle)
    result: FloatArray = (low + high) / 2
    return result


# --- what decides --------------------------------------------------------------------------------------------------

INTERVAL_FLOOR: Final = 0.05
MARGIN_FLOOR: Final = 0.1


def difference_p(batch: Batch, at: float, flips: Flips | None, *, normal: bool = False) -> FloatArray:
    """Return the two-sided p-value of 0/1 scores; the reported interval holds ``at`` exactly where it is above alpha.

    Where a trial is not dense it is the larger of those of the flips and of the score test on effective counts, which
    is referred to Student's t; for comparison, ``normal`` refers it to the normal distribution. Both intervals hold the
    mean, so that their hull is their union.
    """
    score = np.abs(tango_z(*effective_counts(batch, INTERVAL_FLOOR), at))
    by_score = 2 * (special.ndtr(-score) if normal else special.stdtr(batch.clusters - 1, -score))
    by_flips = flip_p(batch, at, flips)
    return np.where(is_dense(batch), by_flips, np.maximum(by_flips, by_score))


def difference_limits(batch: Batch, flips: Flips, alpha: float) -> tuple[FloatArray, FloatArray]:
    """Return the reported limits of 0/1 scores: those of the flips, or the hull where a trial is not dense."""
    quantile = float(special.stdtrit(batch.clusters - 1, 1 - alpha / 2))
    low, high = flip_limits(batch, flips, alpha)
    score_low, score_high = score_limits(effective_counts(batch, INTERVAL_FLOOR), quantile)
    dense = is_dense(batch)
    return np.where(dense, low, np.minimum(low, score_low)), np.where(dense, high, np.maximum(high, score_high))


def margin_p(batch: Batch, bound: float, flips: Flips | None) -> FloatArray:
    """Return the one-sided p-value that the difference is ``bound`` or less; 1 where the mean is.

    Where a trial is not dense it is the larger of those of the flips and of the score test on effective counts, which
    is referred to Student's t.
    """
    by_score = special.stdtr(batch.clusters - 1, -tango_z(*effective_counts(batch, MARGIN_FLOOR), bound))
    by_flips = one_sided_p(batch, bound, flips)
    return np.where(is_dense(batch), by_flips, np.maximum(by_flips, by_score))


def one_sided_p(batch: Batch, bound: float, flips: Flips | None) -> FloatArray:
    """Return the p-value of sign flips that the difference is ``bound`` or less; 1 where the mean is."""
    return np.where(batch.mean > bound, flip_p(batch, bound, flips) / 2, 1.0)


# --- Student's t, for comparison -----------------------------------------------------------------------------------


def clustered_t_limits(batch: Batch, confidence: float) -> tuple[FloatArray, FloatArray]:
    """Return the limits of Student's t with clustered standard errors (CR1) and C - 1 degrees of freedom."""
    half = float(special.stdtrit(batch.clusters - 1, 0.5 + confidence / 2)) * np.sqrt(batch.variance)
    return batch.mean - half, batch.mean + half


def cr2_limits(batch: Batch, confidence: float) -> tuple[FloatArray, FloatArray]:
    """Return the limits of CR2 with Satterthwaite's degrees of freedom from an estimated intraclass correlation."""
    share = batch.sizes / batch.n
    residuals = batch.sums - batch.sizes * batch.mean[:, None]
    error = np.sqrt((residuals**2 / (1 - share)).sum(axis=1)) / batch.n
    half = special.stdtrit(_satterthwaite(batch), 0.5 + confidence / 2) * error
    return batch.mean - half, batch.mean + half


def _intraclass(batch: Batch) -> FloatArray:
    """Estimate the intraclass correlation of each trial by analysis of variance, clipped to [0, 1]."""
    n, clusters, sizes = batch.n, batch.clusters, batch.sizes
    if n == clusters:
        return np.zeros(len(batch.sums))
    between = (sizes * (batch.sums / sizes - batch.mean[:, None]) ** 2).sum(axis=1) / (clusters - 1)
    total = batch.squares - n * batch.mean**2
    within = np.maximum(total - between * (clusters - 1), 0.0) / (n - clusters)
    size = (n - float((sizes.astype(np.float64) ** 2).sum()) / n) / (clusters - 1)
    below = between + (size - 1) * within
    ratio = np.divide(between - within, below, out=np.zeros(len(below)), where=below > 0)
    result: FloatArray = np.clip(ratio, 0.0, 1.0)
    return result


def _satterthwaite(batch: Batch) -> FloatArray:
    """Return (tr G)^2 / tr(G^2) of each trial, G = diag(a^2 v) - x y' - y x' + u y y', x = a v, y = a n_c/n."""
    correlation = _intraclass(batch)[:, None]
    sizes, share = batch.sizes.astype(np.float64), batch.sizes / batch.n
    scale = 1 / np.sqrt(1 - share)
    variance = sizes * (1 - correlation) + correlation * sizes**2
    x, y, u = scale * variance, scale * share, variance.sum(axis=1)
    diagonal, low_rank = scale**2 * variance, u[:, None] * y * y - 2 * x * y
    xx, xy, yy = (x * x).sum(axis=1), (x * y).sum(axis=1), float((y * y).sum())
    trace = (diagonal + low_rank).sum(axis=1)
    squares = (diagonal**2 + 2 * diagonal * low_rank).sum(axis=1) + 2 * xx * yy + 2 * xy**2 - 4 * u * xy * yy
    result: FloatArray = trace**2 / (squares + (u * yy) ** 2)
    return result
