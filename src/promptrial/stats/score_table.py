"""The scores of a trial in long form, checked once: what the statistics start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from promptrial.documents.scorers import Role
from promptrial.model.arms import PAIR, ArmName, Contrast, contrasts_of

__all__ = ["BoolArray", "FloatArray", "IntArray", "ScoreTable", "is_nothing", "nothing"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def nothing(n: int) -> FloatArray:
    """Return n times NaN in the memory of one number; it cannot be written to."""
    return np.broadcast_to(np.nan, n)


def is_nothing(values: FloatArray) -> bool:
    """Tell whether an array is one that ``nothing`` has made."""
    return values.strides == (0,) and bool(np.isnan(values[:1]).all())


@dataclass(frozen=True, slots=True, eq=False)
class ScoreTable:
    """Scores in long form: one row per item, arm and temperature.

    Parameters
    ----------
    item_keys : sequence of str
        Every planned item, also one without any row: such an item counts as lost.
    dataset_names, type_names : sequence of str
        What the codes in ``dataset`` and ``type`` stand for.
    item, dataset, cluster, type, arm, n_samples : ndarray of int, shape (n_rows,)
        ``item``, ``dataset``, ``type`` and ``arm`` are codes into the names; ``cluster`` is any non-negative code,
        equal for items that share a passage; ``n_samples`` is the number of answers that the row averages, 0 when there
        was none. They may be narrower than ``IntArray`` says, which saves memory.
    temp : ndarray of float, shape (n_rows,)
    metrics : mapping of str to ndarray of float, shape (n_rows,)
        Mean score of the replicates. NaN where there was no answer (``n_samples`` 0) or the measure does not apply.
    deviations : mapping of str to ndarray of float, shape (n_rows,)
        Sample standard deviation (divisor ``n_samples - 1``) between the replicates; NaN with fewer than two. Optional.
    planned_samples : mapping of (int, float) to int, or to ndarray of int, shape (n_items,)
        (arm, temperature) -> the answers that were planned for each item, or for which item how many; 1 without an
        entry.
    cluster_names : sequence of str
        What the codes in ``cluster`` stand for, where that is known.
    arm_names : sequence of str
        What the codes in ``arm`` stand for, in the order in which results are given. A name without a row is an arm
        that was not run.
    scored : mapping of str to ndarray of int, shape (n_rows,)
        By measure, how many of the ``n_samples`` answers have a score, where some may have none: a judge may give no
        verdict. Without an entry all have one.
    worst : mapping of str to ndarray of float, shape (n_items,)
        By measure and planned item, the score that a missing answer has where it counts as a failure; NaN where the
        measure does not apply to the item. Optional: without it, answers alone tell to which items a measure applies.
    roles : mapping of str to str
        What measures mean: the one that says whether an answer is right (``accuracy``), whether the model declined
        (``abstention``), whether it answered what has no answer (``false_answer``). What has no entry is not measured.
    unanswerable : ndarray of bool, shape (n_items,), optional
        Which planned items have no answer. None if that is not known; selective accuracy is then not estimated.
    subgroups : mapping of str to (sequence of str, ndarray of int of shape (n_rows,))
        By column of the questions, its levels and the code of each row into them: dimensions besides data set and type.

    Raises
    ------
    ValueError
        If columns differ in length, a code is out of range, a score is infinite or is given where there was no answer
        or where the measure does not apply, an item has more answers than were planned or more scores than answers,
        occurs twice in an arm at a temperature, or has two datasets, types or clusters.
    """

    item_keys: Sequence[str]
    dataset_names: Sequence[str]
    type_names: Sequence[str]
    item: IntArray
    dataset: IntArray
    cluster: IntArray
    type: IntArray
    arm: IntArray
    temp: FloatArray
    n_samples: IntArray
    metrics: Mapping[str, FloatArray]
    deviations: Mapping[str, FloatArray] = field(default_factory=dict)
    planned_samples: Mapping[tuple[int, float], int | IntArray] = field(default_factory=dict)
    scored: Mapping[str, IntArray] = field(default_factory=dict)
    worst: Mapping[str, FloatArray] = field(default_factory=dict)
    cluster_names: Sequence[str] = ()
    arm_names: Sequence[ArmName] = PAIR
    roles: Mapping[Role, str] = field(default_factory=dict)
    unanswerable: BoolArray | None = None
    subgroups: Mapping[str, tuple[Sequence[str], IntArray]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_lengths()
        self._check_codes()
        self._check_scores()
        self._check_plan()
        self._check_repeats()

    @property
    def temps(self) -> list[float]:
        """The temperatures, ascending."""
        return [float(temp) for temp in np.unique(self.temp)]

    @property
    def contrasts(self) -> tuple[Contrast, ...]:
        """The pairs of arms that are compared, in the order of the arms."""
        return contrasts_of(self.arm_names)

    def rows_of(self, arm: ArmName) -> BoolArray:
        """Return which rows belong to an arm: shape (n_rows,)."""
        rows: BoolArray = self.arm == self.arm_names.index(arm)
        return rows

    def planned(self, arm: ArmName, temp: float) -> int:
        """Return how many answers were planned for each item of an arm at a temperature; the most, if they differ."""
        return int(self.planned_of_items(arm, temp).max(initial=1))

    def planned_of_items(self, arm: ArmName, temp: float) -> IntArray:
        """Return how many answers were planned for each item of an arm at a temperature: shape (n_items,).

        It cannot be written to, and takes the memory of one number where all items have the same.
        """
        planned = self.planned_samples.get((self.arm_names.index(arm), temp), 1)
        return np.broadcast_to(np.asarray(planned, dtype=self.n_samples.dtype), len(self.item_keys))

    def answers_with(self, metric: str) -> IntArray:
        """Return how many answers a measure's scores average: shape (n_rows,)."""
        return self.scored.get(metric, self.n_samples)

    def of_items(self, codes: IntArray) -> IntArray:
        """Spread a per-row code over the items: shape (n_items,), -1 for an item without any row."""
        per_item = np.full(len(self.item_keys), -1, dtype=np.int64)
        per_item[self.item] = codes
        return per_item

    def _check_lengths(self) -> None:
        columns = {name: getattr(self, name) for name in ("dataset", "cluster", "type", "arm", "temp", "n_samples")}
        levels = {name: codes for name, (_, codes) in self.subgroups.items()}
        floats = dict(self.metrics) | dict(self.deviations)
        for name, column in (columns | floats | dict(self.scored) | levels).items():
            if column.shape != self.item.shape:
                raise ValueError(f"column {name} has shape {column.shape}; the table has {self.item.shape}")

    def _check_codes(self) -> None:
        limits = {
            "item": len(self.item_keys),
            "dataset": len(self.dataset_names),
            "type": len(self.type_names),
            "arm": len(self.arm_names),
            "cluster": np.iinfo(np.int64).max,
            "n_samples": np.iinfo(np.int64).max,
        }
        named = [(name, getattr(self, name), limit) for name, limit in limits.items()]
        named += [(name, codes, len(levels)) for name, (levels, codes) in self.subgroups.items()]
        for name, column, limit in named:
            if column.size and not (column.min() >= 0 and column.max() < limit):
                raise ValueError(f"column {name} holds a code outside 0..{limit - 1}")

    def _check_scores(self) -> None:
        for name, column in self.metrics.items():
            if np.isinf(column).any():
                raise ValueError(f"measure {name} holds an infinite score")
            if not np.isnan(column[self.answers_with(name) == 0]).all():
                raise ValueError(f"measure {name} has a score where n_samples is 0; missing is NaN, never a number")
        for name, counts in self.scored.items():
            if (counts < 0).any() or (counts > self.n_samples).any():
                raise ValueError(f"measure {name} has scores of more answers than there are, or of fewer than none")

    def _check_plan(self) -> None:
        for arm in self.arm_names:
            for temp in self.temps:
                rows = self.rows_of(arm) & (self.temp == temp)
                given, planned = self.n_samples[rows], self.planned_of_items(arm, temp)[self.item[rows]]
                if (given > planned).any():
                    at = int(np.argmax(given > planned))
                    raise ValueError(f"an item has {given[at]} answers at temp {temp}; planned were {planned[at]}")
        if self.unanswerable is not None and self.unanswerable.shape != (len(self.item_keys),):
            raise ValueError(f"unanswerable has shape {self.unanswerable.shape}; items: {len(self.item_keys)}")
        for name, column in self.worst.items():
            if column.shape != (len(self.item_keys),):
                raise ValueError(f"worst scores of {name} have shape {column.shape}; items: {len(self.item_keys)}")
            if name in self.metrics and not np.isnan(self.metrics[name][np.isnan(column[self.item])]).all():
                raise ValueError(f"measure {name} has a score for an item that it does not apply to")

    def _check_repeats(self) -> None:
        temp_code = np.searchsorted(np.unique(self.temp), self.temp)
        place = (temp_code * len(self.arm_names) + self.arm) * len(self.item_keys) + self.item
        if place.size and np.bincount(place).max() > 1:
            row = int(np.argmax(np.bincount(place)[place] > 1))
            raise ValueError(
                f"item {self.item_keys[self.item[row]]!r} appears twice in one arm at temp {self.temp[row]}"
            )
        of_items = {name: getattr(self, name) for name in ("dataset", "type", "cluster")}
        for name, codes in (of_items | {name: codes for name, (_, codes) in self.subgroups.items()}).items():
            differs = self.of_items(codes)[self.item] != codes
            if differs.any():
                raise ValueError(f"item {self.item_keys[self.item[np.argmax(differs)]]!r} has two values of {name}")
