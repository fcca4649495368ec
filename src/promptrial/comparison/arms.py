"""One arm of each of two runs as the two arms of one score table, and what became of single items. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from promptrial.documents.comparison import Changes
from promptrial.model.arms import DEFAULT_CONTRAST, ArmName
from promptrial.stats.pairing import BoolArray, FloatArray, IntArray, ScoreTable, pair_scores

__all__ = ["changes", "side_by_side"]


def side_by_side(a: ScoreTable, b: ScoreTable, common: Sequence[str], arm: ArmName) -> ScoreTable:
    """Lay one arm of run A and the same arm of run B side by side, as the two sides of one contrast.

    Parameters
    ----------
    a, b : ScoreTable
        Both runs, each over its own items.
    common : sequence of str
        Keys of the items that both runs have, with the same content. Others are left out.
    arm : str
        The arm.

    Returns
    -------
    ScoreTable
        Of the default contrast, A first, over the common items and the temperatures that both runs have. Clusters are
        those of A: items of the same content are clustered alike.

    Notes
    -----
    O(n_rows) time and memory.
    """
    place = {key: index for index, key in enumerate(common)}
    names = list(dict.fromkeys([*a.dataset_names, *b.dataset_names]))
    temps = sorted({*a.temps} & {*b.temps})
    taken = [_Rows(table, place, names, temps, arm) for table in (a, b)]
    item = np.concatenate([rows.item for rows in taken])
    of_a = partial(_codes_of_common, a, taken[0].places, len(common))
    metrics = [name for name in a.metrics if name in b.metrics]
    deviations = [name for name in a.deviations if name in b.deviations]
    scored = [name for name in metrics if name in a.scored or name in b.scored]
    return ScoreTable(
        item_keys=common,
        dataset_names=names,
        type_names=a.type_names,
        item=item,
        dataset=np.concatenate([rows.dataset for rows in taken]),
        cluster=of_a(a.cluster)[item],
        type=np.concatenate([rows.table.type[rows.chosen] for rows in taken]),
        arm=np.repeat([0, 1], [len(rows.item) for rows in taken]),
        arm_names=DEFAULT_CONTRAST.sides,
        temp=np.concatenate([rows.table.temp[rows.chosen] for rows in taken]),
        n_samples=np.concatenate([rows.table.n_samples[rows.chosen] for rows in taken]),
        metrics={name: np.concatenate([rows.table.metrics[name][rows.chosen] for rows in taken]) for name in metrics},
        deviations={
            name: np.concatenate([rows.table.deviations[name][rows.chosen] for rows in taken]) for name in deviations
        },
        scored={
            name: np.concatenate([rows.table.answers_with(name)[rows.chosen] for rows in taken]) for name in scored
        },
        planned_samples={(side, temp): table.planned(arm, temp) for side, table in enumerate((a, b)) for temp in temps},
        cluster_names=a.cluster_names,
        roles={role: name for role, name in a.roles.items() if b.roles.get(role) == name},
        worst={name: _of_common(worst, taken[0].places, len(common)) for name, worst in a.worst.items()},
        unanswerable=None
        if a.unanswerable is None
        else _of_common(a.unanswerable.astype(np.float64), taken[0].places, len(common)) == 1,
        subgroups={
            column: (levels, of_a(codes)[item])
            for column, (levels, codes) in a.subgroups.items()
            if column in b.subgroups
        },
    )


def _codes_of_common(table: ScoreTable, places: IntArray, n_common: int, codes: IntArray) -> IntArray:
    """Return codes of the rows of a table, laid out over the common items; -1 where it has no row."""
    found = np.full(n_common, -1, dtype=np.int64)
    found[places[places >= 0]] = table.of_items(codes)[places >= 0]
    return found


def _of_common(column: FloatArray, places: IntArray, n_common: int) -> FloatArray:
    """Return a column over the items of A, laid out over the common items."""
    found = np.full(n_common, np.nan)
    found[places[places >= 0]] = column[places >= 0]
    return found


class _Rows:
    """The rows of a table that are compared, their items and data sets with codes of the common table.

    ``places`` has the place of each of the table's items among the common ones, -1 for another.
    """

    def __init__(
        self, table: ScoreTable, place: dict[str, int], names: list[str], temps: list[float], arm: ArmName
    ) -> None:
        self.table = table
        self.places: IntArray = np.array([place.get(key, -1) for key in table.item_keys], dtype=np.int64)
        asked = table.rows_of(arm) & np.isin(table.temp, temps)
        self.chosen: BoolArray = asked & (self.places[table.item] >= 0)
        self.item: IntArray = self.places[table.item[self.chosen]]
        codes = np.array([names.index(name) for name in table.dataset_names], dtype=np.int64)
        self.dataset: IntArray = codes[table.dataset[self.chosen]]


def changes(table: ScoreTable) -> tuple[Changes, ...]:
    """Return, for each temperature, the items that A has right and B wrong, or the reverse.

    None where no scorer says whether an answer is right.
    """
    accuracy = table.roles.get("accuracy")
    return () if accuracy is None else tuple(_changes(table, accuracy, temp) for temp in table.temps)


def _changes(table: ScoreTable, accuracy: str, temp: float) -> Changes:
    sample = pair_scores(table, accuracy, temp, DEFAULT_CONTRAST).sample()
    before, after = (arm.score for arm in sample.arms)
    fixed = sample.items[(before == 0) & (after == 1)]
    broken = sample.items[(before == 1) & (after == 0)]
    return Changes(
        metric=accuracy,
        temp=temp,
        n_pairs=sample.n_pairs,
        n_fixed=len(fixed),
        n_broken=len(broken),
        n_better=int((sample.difference > 0).sum()),
        n_worse=int((sample.difference < 0).sum()),
        fixed=tuple(table.item_keys[index] for index in fixed),
        broken=tuple(table.item_keys[index] for index in broken),
    )
