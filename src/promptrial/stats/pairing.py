"""What a pair is: a long table of scores -> paired arrays. Decided here, once, for every method.

A pair is an item that has a score in both arms of a contrast at the same temperature. Whatever has two sides here is in
the order of ``Contrast.sides``: control, then treatment; a difference is the second side minus the first. The unit of
analysis is the item, whose score is already the mean of its replicates, or the cluster of items that share a passage.
How clusters are formed of items is decided in ``clusters``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from msgspec import UNSET, UnsetType

from promptrial.documents.significance import Scope
from promptrial.model.arms import DEFAULT_CONTRAST, Contrast
from promptrial.stats.clusters import DECIMALS, ClusterTotals, cluster_totals
from promptrial.stats.score_table import BoolArray, FloatArray, IntArray, ScoreTable, is_nothing, nothing

__all__ = [
    "Arm",
    "ArmScores",
    "BoolArray",
    "FloatArray",
    "IntArray",
    "PairCounts",
    "PairedSample",
    "Pairing",
    "ScoreTable",
    "one_each",
    "pair_scores",
]


@dataclass(frozen=True, slots=True)
class PairCounts:
    """What became of the items: ``items`` is the sum of the others.

    ``one_side_only`` counts the items that have a score in the first arm alone, and in the second alone.
    ``lost`` items have an answer in neither arm. The measure does not apply to ``not_applicable`` items.
    """

    items: int
    paired: int
    one_side_only: tuple[int, int]
    lost: int
    not_applicable: int

    @property
    def applies(self) -> bool:
        """Whether the measure applies to any item."""
        return self.items > self.not_applicable


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """One arm at a temperature, over all items: arrays of shape (n_items,).

    ``score`` and ``deviation``, the standard deviation between replicates, are NaN where there is none; ``n_samples``
    counts the answers that have a score, 0 where there was none.
    """

    score: FloatArray
    deviation: FloatArray
    n_samples: IntArray

    def take(self, items: IntArray) -> Arm:
        """Return the arm on some of the items, given by their places."""
        deviation = nothing(len(items)) if is_nothing(self.deviation) else self.deviation[items]
        return Arm(self.score[items], deviation, self.n_samples[items])


@dataclass(frozen=True, slots=True, eq=False)
class ArmScores:
    """Every score of one arm, with or without a partner: arrays of shape (n_scored,).

    ``n_samples`` is the number of answers behind each score, ``planned`` how many were planned; ``n_planned`` is how
    many were planned of all items that the measure applies to, those without a score included.
    """

    score: FloatArray
    cluster: IntArray
    n_samples: IntArray
    planned: IntArray
    n_planned: int


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class PairedSample:
    """The pairs of one endpoint: what every statistic gets.

    Attributes
    ----------
    label : str, optional
        What rows name the contrast; unset where it is the only one and has no name.
    items : ndarray of int, shape (n_pairs,)
        Which items are paired, ascending.
    take_whole_arms : callable
        Makes ``whole_arms``.
    arms : tuple of Arm
        The paired items; arrays of shape (n_pairs,).
    difference : ndarray of float, shape (n_pairs,)
        The second arm minus the first, rounded to ``DECIMALS``.
    cluster : ndarray of int, shape (n_pairs,)
    totals : ClusterTotals
        Of ``difference``.
    binary : bool
        Whether item scores are 0 or 1 by plan: the scorer declares so, and one answer an item was planned.
    clustered : bool
        Whether any two items *planned* for this endpoint share a cluster, whichever of them were answered.
    score_range : tuple of float
        The lowest and the highest score that the scorer declares.
    cluster_names : sequence of str
        What the codes in ``cluster`` stand for; empty where that is not known.
    complete : bool
        Whether both arms have a score of every planned answer of the items that the measure applies to; not where
        missing ones count as failures.
    """

    contrast: Contrast
    label: str | UnsetType
    metric: str
    temp: float
    scope: Scope
    subset: str
    binary: bool
    clustered: bool
    score_range: tuple[float, float]
    counts: PairCounts
    items: IntArray
    take_whole_arms: Callable[[], tuple[ArmScores, ArmScores]]
    arms: tuple[Arm, Arm]
    difference: FloatArray
    cluster: IntArray
    totals: ClusterTotals
    cluster_names: Sequence[str] = ()
    complete: bool = False

    @property
    def whole_arms(self) -> tuple[ArmScores, ArmScores]:
        """All scores of each arm, paired or not, for description only. Computed at each access, to save memory."""
        return self.take_whole_arms()

    @property
    def n_pairs(self) -> int:
        """How many pairs there are."""
        return len(self.difference)

    @property
    def n_clusters(self) -> int:
        """How many clusters the pairs form."""
        return self.totals.n_clusters

    @property
    def largest_difference(self) -> float:
        """The width of the range of scores: no difference is larger."""
        return self.score_range[1] - self.score_range[0]


@dataclass(frozen=True, slots=True, eq=False)
class Pairing:
    """A measure at a temperature over all items, before a subset is chosen; made by ``pair_scores``.

    Attributes
    ----------
    label : str, optional
        As in ``PairedSample``.
    planned : tuple of ndarray of int, shape (n_items,)
        The answers planned for each item, in each arm.
    cluster : ndarray of int, shape (n_items,)
        An item without any row is a cluster of its own.
    planned_items : ndarray of bool, shape (n_items,)
        The items that the measure applies to by plan; all of them where the table has no plan.
    applicable : ndarray of bool, shape (n_items,)
        The same; where the table has no plan, without those of which an answer tells that it does not apply.
    worst : ndarray of float, shape (n_items,)
        The score of a missing answer that counts as a failure; NaN where the measure does not apply or none is known.
    cluster_names : sequence of str
        What the codes in ``cluster`` stand for; empty where that is not known.
    may_lack_scores : bool
        Whether an answer may have no score.
    filled : ndarray of bool, shape (n_items,), optional
        The items of which missing answers count as failures; None where missing answers are left out.
    """

    contrast: Contrast
    label: str | UnsetType
    metric: str
    temp: float
    binary: bool
    score_range: tuple[float, float]
    planned: tuple[IntArray, IntArray]
    arms: tuple[Arm, Arm]
    cluster: IntArray
    planned_items: BoolArray
    applicable: BoolArray
    worst: FloatArray
    cluster_names: Sequence[str] = ()
    may_lack_scores: bool = False
    filled: BoolArray | None = None

    @property
    def lacking(self) -> BoolArray:
        """Which items lack an answer, or the score of one, in either arm: shape (n_items,)."""
        first, second = (arm.n_samples < planned for arm, planned in zip(self.arms, self.planned, strict=True))
        return first | second

    def sample(self, scope: Scope = "overall", subset: str = "all", chosen: BoolArray | None = None) -> PairedSample:
        """Return the pairs among the chosen items, all of them by default."""
        everything = np.ones(len(self.cluster), dtype=np.bool_) if chosen is None else chosen
        scored = everything & self._scored()
        items = np.flatnonzero(scored.all(axis=0))
        first, second = self.arms[0].take(items), self.arms[1].take(items)
        difference = np.round(second.score - first.score, DECIMALS) + 0.0  # no negative zeros
        cluster = self.cluster[items]
        return PairedSample(
            contrast=self.contrast,
            label=self.label,
            metric=self.metric,
            temp=self.temp,
            scope=scope,
            subset=subset,
            binary=self.binary,
            clustered=self.is_clustered(everything),
            score_range=self.score_range,
            counts=self._count(everything, scored),
            items=items,
            take_whole_arms=partial(self._whole_arms, scored, everything),
            arms=(first, second),
            difference=difference,
            cluster=cluster,
            totals=cluster_totals(difference, cluster),
            cluster_names=self.cluster_names,
            complete=self._is_complete(everything),
        )

    def is_clustered(self, chosen: BoolArray) -> bool:
        """Tell whether any two of the chosen items share a cluster, among those that the measure applies to by plan."""
        planned = self.cluster[chosen & self.planned_items]
        return bool(planned.size) and int(np.bincount(planned).max()) > 1

    def _is_complete(self, chosen: BoolArray) -> bool:
        lacking = self.lacking if self.filled is None else self.lacking | self.filled
        return not (lacking & chosen & self.applicable).any()

    def _scored(self) -> BoolArray:
        """Return which items have a score in each arm: shape (2, n_items)."""
        return ~np.isnan(np.stack([arm.score for arm in self.arms]))

    def _whole_arms(self, scored: BoolArray, chosen: BoolArray) -> tuple[ArmScores, ArmScores]:
        return self._whole_arm(0, scored[0], chosen), self._whole_arm(1, scored[1], chosen)

    def _whole_arm(self, side: int, scored: BoolArray, chosen: BoolArray) -> ArmScores:
        arm, planned, items = self.arms[side], self.planned[side], np.flatnonzero(scored)
        return ArmScores(
            score=arm.score[items],
            cluster=self.cluster[items],
            n_samples=arm.n_samples[items],
            planned=planned[items],
            n_planned=int(planned[chosen & self.applicable].sum()),
        )

    def _count(self, chosen: BoolArray, scored: BoolArray) -> PairCounts:
        first, second = scored
        return PairCounts(
            items=int(chosen.sum()),
            paired=int((first & second).sum()),
            one_side_only=(int((first & ~second).sum()), int((second & ~first).sum())),
            lost=int((chosen & self.applicable & ~first & ~second).sum()),
            not_applicable=int((chosen & ~self.applicable).sum()),
        )


def pair_scores(
    table: ScoreTable,
    metric: str,
    temp: float,
    contrast: Contrast,
    *,
    continuous: bool = False,
    score_range: tuple[float, float] = (0.0, 1.0),
) -> Pairing:
    """Lay a measure at a temperature out by item, one array for each arm of a contrast.

    Parameters
    ----------
    table : ScoreTable
    metric : str
        A key of ``table.metrics``.
    temp : float
        One of ``table.temps``.
    contrast : Contrast
        Of arms that the table names.
    continuous : bool
        Whether an answer's score may lie between the ends of the range; such a measure is never binary.
    score_range : tuple of float
        The lowest and the highest score that the scorer declares.

    Raises
    ------
    ValueError
        If a score is outside the range, or is neither 0 nor 1 in a measure that is binary by plan.

    Notes
    -----
    O(n_rows + n_items) time and memory; nothing is sorted or joined.
    """
    first, second = contrast.sides
    at_temp = table.temp == temp
    arms = _arm(table, metric, at_temp & table.rows_of(first)), _arm(table, metric, at_temp & table.rows_of(second))
    planned = table.planned_of_items(first, temp), table.planned_of_items(second, temp)
    binary = not continuous and score_range == (0.0, 1.0) and one_each(*planned)
    for arm in arms:
        _check_scores(arm.score, metric, table, score_range, binary=binary)
    worst = table.worst.get(metric)
    everything = np.ones(len(table.item_keys), dtype=np.bool_)
    return Pairing(
        contrast=contrast,
        label=UNSET if table.contrasts == (DEFAULT_CONTRAST,) else str(contrast),
        metric=metric,
        temp=temp,
        binary=binary,
        score_range=score_range,
        planned=planned,
        arms=arms,
        cluster=_clusters(table),
        planned_items=everything if worst is None else ~np.isnan(worst),
        applicable=_seen_to_apply(arms) if worst is None else ~np.isnan(worst),
        worst=nothing(len(everything)) if worst is None else worst,
        cluster_names=table.cluster_names,
        may_lack_scores=metric in table.scored,
    )


def one_each(*planned: IntArray) -> bool:
    """Whether of no item more than one answer was planned."""
    return all(int(each.max(initial=1)) == 1 for each in planned)


def _check_scores(
    scores: FloatArray, metric: str, table: ScoreTable, score_range: tuple[float, float], *, binary: bool
) -> None:
    low, high = score_range
    wrong = (scores < low) | (scores > high) | (binary & ~np.isnan(scores) & (scores != low) & (scores != high))
    if wrong.any():
        item = int(np.argmax(wrong))
        allowed = f"{low:g} or {high:g}" if binary else f"from {low:g} to {high:g}"
        raise ValueError(f"{metric}: item {table.item_keys[item]!r} has the score {scores[item]}; its range: {allowed}")


def _clusters(table: ScoreTable) -> IntArray:
    """Return the cluster of each item; one without any row has a code that is no other's and has no name."""
    cluster = table.of_items(table.cluster)
    unknown = np.flatnonzero(cluster < 0)
    cluster[unknown] = max(int(cluster.max(initial=-1)) + 1, len(table.cluster_names)) + np.arange(len(unknown))
    return cluster


def _seen_to_apply(arms: tuple[Arm, Arm]) -> BoolArray:
    """Return the items that a measure may apply to, as far as answers tell: all but those answered without a score.

    If no answer has a score, the measure is taken to apply to nothing; if there is no answer at all, to everything.
    """
    scored = (~np.isnan(np.stack([arm.score for arm in arms]))).any(axis=0)
    lost = (np.stack([arm.n_samples for arm in arms]) == 0).all(axis=0)
    return scored | lost if scored.any() or lost.all() else np.zeros(len(lost), dtype=np.bool_)


def _arm(table: ScoreTable, metric: str, rows: BoolArray) -> Arm:
    n_items = len(table.item_keys)
    items = table.item[rows]
    score, deviation = np.full(n_items, np.nan), nothing(n_items)
    n_samples = np.zeros(n_items, dtype=table.n_samples.dtype)
    score[items] = table.metrics[metric][rows]
    n_samples[items] = table.answers_with(metric)[rows]
    if metric in table.deviations and not is_nothing(table.deviations[metric]):
        deviation = np.full(n_items, np.nan)
        deviation[items] = table.deviations[metric][rows]
    return Arm(score, deviation, n_samples)
