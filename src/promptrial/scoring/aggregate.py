"""From the scores of replicates to one row for an item, arm and temperature: the item is the unit of analysis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice
from typing import Final, NamedTuple

__all__ = ["ColumnSummary", "ReplicateSummary", "count_scores", "summarize_columns", "summarize_replicates"]

_NAN: Final = math.nan


class ReplicateSummary(NamedTuple):
    """Mean and standard deviation over the replicates, one per scorer.

    ``n_samples`` counts the scored answers. A mean is NaN where the scorer does not apply or nothing was scored.
    """

    n_samples: int
    means: tuple[float, ...]
    stds: tuple[float, ...]


def summarize_replicates(samples: Sequence[Sequence[float]], n_scores: int) -> ReplicateSummary:
    """Average the scored replicates of one item, arm and temperature.

    Parameters
    ----------
    samples : sequence of sequences of float, shape (n_samples, n_scores)
        Scores of the answers that there are; requests that ended in an error are not among them. NaN: not applicable.
    n_scores : int
        Number of scorers, needed where there are no samples.

    Returns
    -------
    ReplicateSummary
        ``means``: arithmetic mean of the values that are not NaN, NaN if there is none. ``stds``: *sample* standard
        deviation (ddof = 1), NaN for fewer than two values. Both are exactly rounded sums, so the order of the
        replicates changes no bit.

    Examples
    --------
    >>> summarize_replicates([(1.0, 0.5, math.nan), (0.0, 0.5, math.nan)], 3)
    ReplicateSummary(n_samples=2, means=(0.5, 0.5, nan), stds=(0.7071067811865476, 0.0, nan))
    >>> summarize_replicates([], 1)
    ReplicateSummary(n_samples=0, means=(nan,), stds=(nan,))
    """
    if len(samples) == 1:
        return ReplicateSummary(1, tuple(samples[0]), (_NAN,) * n_scores)
    columns: Sequence[Sequence[float]] = list(zip(*samples, strict=True)) or [()] * n_scores
    pairs = [_mean_and_std(column) for column in columns]
    return ReplicateSummary(len(samples), tuple([mean for mean, _ in pairs]), tuple([std for _, std in pairs]))


class ColumnSummary(NamedTuple):
    """Mean and standard deviation over the replicates of many items, a column for each scorer."""

    means: list[Sequence[float]]
    stds: list[Sequence[float]]


def summarize_columns(columns: Sequence[Sequence[float]], counts: Sequence[int]) -> ColumnSummary:
    """Do what ``summarize_replicates`` does, for many items at once.

    Parameters
    ----------
    columns : sequence of sequences of float, shape (n_scores, sum of counts)
        The scores of all answers by scorer, those to each item one after another.
    counts : sequence of int, shape (n_items,)
        How many answers each item has.

    Examples
    --------
    >>> summarize_columns([[1.0, 0.0, 0.5]], [2, 0, 1])
    ColumnSummary(means=[[0.5, nan, 0.5]], stds=[[0.7071067811865476, nan, nan]])
    """
    if max(counts, default=0) <= 1:
        none: Sequence[float] = [_NAN] * len(counts)
        return ColumnSummary([_spread_out(column, counts) for column in columns], [none] * len(columns))
    pairs = [_of_items(column, counts) for column in columns]
    return ColumnSummary([[mean for mean, _ in each] for each in pairs], [[std for _, std in each] for each in pairs])


def count_scores(column: Sequence[float], counts: Sequence[int]) -> list[int]:
    """Return how many answers to each item have a score, given those of all answers and how many each item has.

    Examples
    --------
    >>> count_scores([1.0, math.nan, 0.5], [2, 0, 1])
    [1, 0, 1]
    """
    rest = iter(column)
    return [sum(score == score for score in islice(rest, count)) for count in counts]  # noqa: PLR0124 - as below


def _spread_out(column: Sequence[float], counts: Sequence[int]) -> Sequence[float]:
    """Return the score of the one answer to each item, NaN for none."""
    if len(column) == len(counts):
        return column
    rest = iter(column)
    return [next(rest) if count else _NAN for count in counts]


def _of_items(column: Sequence[float], counts: Sequence[int]) -> list[tuple[float, float]]:
    rest = iter(column)
    return [_mean_and_std(list(islice(rest, count))) for count in counts]


def _mean_and_std(column: Sequence[float]) -> tuple[float, float]:
    values = [value for value in column if value == value]  # noqa: PLR0124 - NaN is what differs from itself
    n = len(values)
    if not n:
        return _NAN, _NAN
    mean = math.fsum(values) / n
    if n == 1:
        return mean, _NAN
    return mean, math.sqrt(math.fsum([(value - mean) ** 2 for value in values]) / (n - 1))
