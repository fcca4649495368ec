"""What a pair is, and what a cluster is: a long table of scores -> paired arrays. Decided here, once, for every method.

A pair is an item that has a score in both arms at the same temperature. The unit of analysis is the item, whose score
is already the mean of its replicates, or the cluster of items that share a passage. One function, ``cluster_totals``,
decides cluster identity for standard errors, degrees of freedom, the bootstrap and sign flips alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from promptrial.significance import Scope
from promptrial.stats.score_table import BoolArray, FloatArray, IntArray, ScoreTable

__all__ = [
    "CONTROL",
    "DECIMALS",
    "TREATMENT",
    "Arm",
    "ArmScores",
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

CONTROL: Final = 0
TREATMENT: Final = 1
DECIMALS: Final = 12
"""Differences and their sums are rounded to so many decimals, so that equal ones compare equal."""


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

    @property
    def applies(self) -> bool:
        """Whether the metric applies to any item, as far as can be known: False if all answered items say otherwise."""
        return self.items - self.lost > self.not_applicable or 0 < self.items == self.lost


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

    def take(self, items: IntArray) -> Arm:
        """Return the arm on some of the items, given by their places."""
        return Arm(self.score[items], self.spread[items], self.n_samples[items])


@dataclass(frozen=True, slots=True, eq=False)
class ArmScores:
    """Every score of one arm, with or without a partner: arrays of shape (n_scored,)."""

    score: FloatArray
    cluster: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class PairedSample:
    """The pairs of one endpoint: what every statistic gets.

    Attributes
    ----------
    items : ndarray of int, shape (n_pairs,)
        Which items are paired, ascending.
    control_scores, treatment_scores : ArmScores
        Whole arms, for description only.
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
    items: IntArray
    control_scores: ArmScores
    treatment_scores: ArmScores
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
        items = np.flatnonzero(everything & in_control & in_treatment)
        control, treatment = self.control.take(items), self.treatment.take(items)
        difference = np.round(treatment.score - control.score, DECIMALS) + 0.0  # no negative zeros
        cluster = self.cluster[items]
        return PairedSample(
            metric=self.metric,
            temp=self.temp,
            scope=scope,
            subset=subset,
            binary=self.binary,
            counts=self._count(everything, in_control, in_treatment),
            items=items,
            control_scores=self._scores(self.control, everything & in_control),
            treatment_scores=self._scores(self.treatment, everything & in_treatment),
            control=control,
            treatment=treatment,
            difference=difference,
            cluster=cluster,
            totals=cluster_totals(difference, cluster),
        )

    def _scores(self, arm: Arm, scored: BoolArray) -> ArmScores:
        items = np.flatnonzero(scored)
        return ArmScores(arm.score[items], self.cluster[items])

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
