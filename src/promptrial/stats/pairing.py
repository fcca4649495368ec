"""What a pair is, and what a cluster is: a long table of scores -> paired arrays. Decided here, once, for every method.

A pair is an item that has a score in both arms at the same temperature. The unit of analysis is the item, whose score
is already the mean of its replicates, or the cluster of items that share a passage. One function, ``cluster_totals``,
decides cluster identity for standard errors, degrees of freedom, the bootstrap and sign flips alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from promptrial.significance import Scope

__all__ = [
    "CONTROL",
    "DECIMALS",
    "TREATMENT",
    "Arm",
    "BoolArray",
    "ClusterTotals",
    "FloatArray",
    "IntArray",
    "PairCounts",
    "PairedSample",
    "Pairing",
    "ScoreTable",
    "cluster_totals",
    "pair_scores",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

CONTROL: Final = 0
TREATMENT: Final = 1
DECIMALS: Final = 12
"""Differences and their sums are rounded to so many decimals, so that equal ones compare equal."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoreTable:
    """Scores in long form: one row per item, condition and temperature.

    Parameters
    ----------
    item_keys : sequence of str
        Every planned item, also one without any row: such an item counts as lost.
    dataset_names, type_names : sequence of str
        What the codes in ``dataset`` and ``type`` stand for.
    item, dataset, cluster, type, condition, n_samples : ndarray of int, shape (n_rows,)
        ``item`` and ``dataset`` and ``type`` are codes into the names; ``cluster`` is any non-negative code, equal for
        items that share a passage; ``condition`` is 0 for control and 1 for treatment; ``n_samples`` is the number of
        answers that the row averages, 0 when there was none.
    temp : ndarray of float, shape (n_rows,)
    metrics : mapping of str to ndarray of float, shape (n_rows,)
        Mean score of the replicates. NaN where there was no answer (``n_samples`` 0) or the metric does not apply.
    spreads : mapping of str to ndarray of float, shape (n_rows,)
        Sample standard deviation (divisor ``n_samples - 1``) between the replicates; NaN with fewer than two. Optional.

    Raises
    ------
    ValueError
        If columns differ in length, a code is out of range, a score is infinite or stands where there was no answer,
        an item stands twice in an arm at a temperature, or an item has two datasets, types or clusters.
    """

    item_keys: Sequence[str]
    dataset_names: Sequence[str]
    type_names: Sequence[str]
    item: IntArray
    dataset: IntArray
    cluster: IntArray
    type: IntArray
    condition: IntArray
    temp: FloatArray
    n_samples: IntArray
    metrics: Mapping[str, FloatArray]
    spreads: Mapping[str, FloatArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_lengths()
        self._check_codes()
        self._check_scores()
        self._check_repeats()

    @property
    def temps(self) -> list[float]:
        """The temperatures, ascending."""
        return [float(temp) for temp in np.unique(self.temp)]

    def of_items(self, codes: IntArray) -> IntArray:
        """Spread a per-row code over the items: shape (n_items,), -1 for an item without any row."""
        per_item = np.full(len(self.item_keys), -1, dtype=np.int64)
        per_item[self.item] = codes
        return per_item

    def _check_lengths(self) -> None:
        columns = {
            name: getattr(self, name)
            for name in ("dataset", "cluster", "type", "condition", "temp", "n_samples")
        }
        for name, column in (columns | dict(self.metrics) | dict(self.spreads)).items():
            if column.shape != self.item.shape:
                raise ValueError(f"column {name} has shape {column.shape}; the table has {self.item.shape}")

    def _check_codes(self) -> None:
        limits = {
            "item": len(self.item_keys),
            "dataset": len(self.dataset_names),
            "type": len(self.type_names),
            "condition": 2,
            "cluster": np.iinfo(np.int64).max,
            "n_samples": np.iinfo(np.int64).max,
        }
        for name, limit in limits.items():
            column = getattr(self, name)
            if column.size and not (column.min() >= 0 and column.max() < limit):
                raise ValueError(f"column {name} holds a code outside 0..{limit - 1}")

    def _check_scores(self) -> None:
        for name, column in self.metrics.items():
            if np.isinf(column).any():
                raise ValueError(f"metric {name} holds an infinite score")
            if not np.isnan(column[self.n_samples == 0]).all():
                raise ValueError(f"metric {name} has a score where n_samples is 0; missing is NaN, never a number")

    def _check_repeats(self) -> None:
        temp_code = np.searchsorted(np.unique(self.temp), self.temp)
        place = (temp_code * 2 + self.condition) * len(self.item_keys) + self.item
        if place.size and np.bincount(place).max() > 1:
            row = int(np.argmax(np.bincount(place)[place] > 1))
            raise ValueError(f"item {self.item_keys[self.item[row]]!r} stands twice in one arm at temp {self.temp[row]}")
        for name in ("dataset", "type", "cluster"):
            codes = getattr(self, name)
            differs = self.of_items(codes)[self.item] != codes
            if differs.any():
                raise ValueError(f"item {self.item_keys[self.item[np.argmax(differs)]]!r} has two values of {name}")


@dataclass(frozen=True, slots=True)
class PairCounts:
    """What became of the items: ``items`` is the sum of the others.

    ``lost`` items have an answer in neither arm. ``not_applicable`` items were answered, but the metric does not apply.
    """

    items: int
    paired: int
    control_only: int
    treatment_only: int
    lost: int
    not_applicable: int


@dataclass(frozen=True, slots=True, eq=False)
class ClusterTotals:
    """Clusters of a sample: ``sums`` of the values and ``sizes``, shape (n_clusters,), in order of cluster code."""

    sums: FloatArray
    sizes: IntArray

    @property
    def n_clusters(self) -> int:
        """How many clusters there are."""
        return len(self.sizes)

    @property
    def n_items(self) -> int:
        """How many items there are."""
        return int(self.sizes.sum())

    @property
    def clustered(self) -> bool:
        """Whether any cluster holds more than one item."""
        return bool(self.sizes.size) and int(self.sizes.max()) > 1

    @property
    def mean(self) -> float:
        """The mean over items; NaN without any."""
        return float(self.sums.sum() / self.n_items) if self.sizes.size else float("nan")


def cluster_totals(values: FloatArray, cluster: IntArray | None = None) -> ClusterTotals:
    """Sum values within clusters.

    Parameters
    ----------
    values : ndarray of float, shape (n_items,)
    cluster : ndarray of int, shape (n_items,), optional
        Non-negative codes; equal codes are one cluster. Without it every item is a cluster of its own.

    Returns
    -------
    ClusterTotals
        Sums are rounded to ``DECIMALS``, so that clusters with equal sums fall together however they were added up.

    Notes
    -----
    O(n_items + highest code) time and memory.

    Examples
    --------
    >>> totals = cluster_totals(np.array([1.0, 2.0, 4.0]), np.array([7, 7, 3]))
    >>> totals.sums.tolist(), totals.sizes.tolist()
    ([4.0, 3.0], [1, 2])
    """
    if cluster is None:
        return ClusterTotals(np.round(values, DECIMALS), np.ones(len(values), dtype=np.int64))
    sizes = np.bincount(cluster)
    sums = np.bincount(cluster, weights=values, minlength=len(sizes))
    present = sizes > 0
    return ClusterTotals(np.round(sums[present], DECIMALS), sizes[present].astype(np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """One arm at a temperature, over all items: arrays of shape (n_items,).

    ``score`` and ``spread`` are NaN where there is none; ``n_samples`` is 0 where there was no answer.
    """

    score: FloatArray
    spread: FloatArray
    n_samples: IntArray

    def take(self, chosen: BoolArray) -> Arm:
        """Return the arm on some of the items."""
        return Arm(self.score[chosen], self.spread[chosen], self.n_samples[chosen])


@dataclass(frozen=True, slots=True, eq=False)
class PairedSample:
    """The pairs of one endpoint: what every statistic gets.

    Attributes
    ----------
    control, treatment : Arm
        The paired items; arrays of shape (n_pairs,).
    difference : ndarray of float, shape (n_pairs,)
        Treatment minus control, rounded to ``DECIMALS``.
    cluster : ndarray of int, shape (n_pairs,)
    totals : ClusterTotals
        Of ``difference``.
    binary : bool
        Whether all item scores of the metric at this temperature, in every subset, are 0 or 1, and the metric is
        not graded by nature.
    """

    metric: str
    temp: float
    scope: Scope
    subset: str
    binary: bool
    counts: PairCounts
    control: Arm
    treatment: Arm
    difference: FloatArray
    cluster: IntArray
    totals: ClusterTotals

    @property
    def n_pairs(self) -> int:
        """How many pairs there are."""
        return len(self.difference)

    @property
    def n_clusters(self) -> int:
        """How many clusters the pairs form."""
        return self.totals.n_clusters

    @property
    def clustered(self) -> bool:
        """Whether any two pairs share a cluster."""
        return self.totals.clustered


@dataclass(frozen=True, slots=True, eq=False)
class Pairing:
    """A metric at a temperature over all items, before a subset is chosen; made by ``pair_scores``."""

    metric: str
    temp: float
    binary: bool
    control: Arm
    treatment: Arm
    cluster: IntArray
    """Shape (n_items,); -1 for an item without any row."""

    def sample(self, scope: Scope = "overall", subset: str = "all", chosen: BoolArray | None = None) -> PairedSample:
        """Return the pairs among the chosen items, all of them by default."""
        everything = np.ones(len(self.cluster), dtype=np.bool_) if chosen is None else chosen
        in_control, in_treatment = ~np.isnan(self.control.score), ~np.isnan(self.treatment.score)
        paired = everything & in_control & in_treatment
        difference = np.round(self.treatment.score[paired] - self.control.score[paired], DECIMALS)
        difference += 0.0  # no negative zeros
        cluster = self.cluster[paired]
        return PairedSample(
            metric=self.metric,
            temp=self.temp,
            scope=scope,
            subset=subset,
            binary=self.binary,
            counts=self._count(everything, in_control, in_treatment),
            control=self.control.take(paired),
            treatment=self.treatment.take(paired),
            difference=difference,
            cluster=cluster,
            totals=cluster_totals(difference, cluster),
        )

    def _count(self, chosen: BoolArray, in_control: BoolArray, in_treatment: BoolArray) -> PairCounts:
        neither = chosen & ~in_control & ~in_treatment
        lost = neither & (self.control.n_samples == 0) & (self.treatment.n_samples == 0)
        return PairCounts(
            items=int(chosen.sum()),
            paired=int((chosen & in_control & in_treatment).sum()),
            control_only=int((chosen & in_control & ~in_treatment).sum()),
            treatment_only=int((chosen & in_treatment & ~in_control).sum()),
            lost=int(lost.sum()),
            not_applicable=int((neither & ~lost).sum()),
        )


def pair_scores(table: ScoreTable, metric: str, temp: float, *, graded: bool = False) -> Pairing:
    """Lay a metric at a temperature out by item, one array an arm.

    Parameters
    ----------
    table : ScoreTable
    metric : str
        A key of ``table.metrics``.
    temp : float
        One of ``table.temps``.
    graded : bool
        Never treat the metric as binary.

    Notes
    -----
    O(n_rows + n_items) time and memory; nothing is sorted or joined.
    """
    rows = table.temp == temp
    arms = [_arm(table, metric, rows & (table.condition == condition)) for condition in (CONTROL, TREATMENT)]
    scores = np.concatenate([arm.score for arm in arms])
    scores = scores[~np.isnan(scores)]
    binary = not graded and bool(np.isin(scores, (0.0, 1.0)).all())
    return Pairing(metric, temp, binary, arms[CONTROL], arms[TREATMENT], table.of_items(table.cluster))


def _arm(table: ScoreTable, metric: str, rows: BoolArray) -> Arm:
    n_items = len(table.item_keys)
    items = table.item[rows]
    score, spread = np.full(n_items, np.nan), np.full(n_items, np.nan)
    n_samples = np.zeros(n_items, dtype=np.int64)
    score[items] = table.metrics[metric][rows]
    n_samples[items] = table.n_samples[rows]
    if metric in table.spreads:
        spread[items] = table.spreads[metric][rows]
    return Arm(score, spread, n_samples)
