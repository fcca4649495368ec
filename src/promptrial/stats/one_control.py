"""The scores of trials that share a control as one table: the control once, and the treatments of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from promptrial.model.arms import ArmName, control_first
from promptrial.stats.score_table import IntArray, ScoreTable

__all__ = ["with_one_control"]


def with_one_control(tables: Mapping[str, ScoreTable]) -> ScoreTable:
    """Return one table of trials whose controls gave the same answers to the same items.

    Parameters
    ----------
    tables : mapping
        Name of a trial -> its scores; the control of the first is taken. All have the same items, measures and scales.

    Returns
    -------
    ScoreTable
        Its treatments are called ``TRIAL: ARM``. Values of columns of the questions are left out.

    Raises
    ------
    ValueError
        If the tables have other items or measures.
    """
    first = next(iter(tables.values()))
    for name, table in tables.items():
        if list(table.item_keys) != list(first.item_keys) or {*table.metrics} != {*first.metrics}:
            raise ValueError(f"{name} has other items or measures than the trials that it is put together with")
    kept = [_Kept(name, table, with_control=not at) for at, (name, table) in enumerate(tables.items())]
    arms = [control_first(first.arm_names)[0], *(arm for each in kept for arm in each.treatments.values())]
    datasets, clusters = (
        _names([t.dataset_names for t in tables.values()]),
        _names([_clusters(t) for t in tables.values()]),
    )
    return replace(
        first,
        dataset_names=list(datasets),
        cluster_names=list(clusters),
        item=np.concatenate([each.rows(each.table.item) for each in kept]),
        dataset=np.concatenate([each.recoded(each.table.dataset, each.table.dataset_names, datasets) for each in kept]),
        cluster=np.concatenate([each.recoded(each.table.cluster, _clusters(each.table), clusters) for each in kept]),
        type=np.concatenate([each.rows(each.table.type) for each in kept]),
        arm=np.concatenate([each.arms(arms) for each in kept]),
        temp=np.concatenate([each.table.temp[each.chosen] for each in kept]),
        n_samples=np.concatenate([each.rows(each.table.n_samples) for each in kept]),
        scored={name: np.concatenate([e.table.scored[name][e.chosen] for e in kept]) for name in first.scored},
        metrics={name: np.concatenate([e.table.metrics[name][e.chosen] for e in kept]) for name in first.metrics},
        deviations={
            name: np.concatenate([e.table.deviations[name][e.chosen] for e in kept]) for name in first.deviations
        },
        planned_samples={
            (arms.index(named), temp): n
            for each in kept
            for (code, temp), n in each.table.planned_samples.items()
            if (named := each.named(each.table.arm_names[code])) in arms
        },
        arm_names=arms,
        subgroups={},
    )


def _clusters(table: ScoreTable) -> Sequence[str]:
    """Return names of the clusters; where they have none, their codes."""
    return table.cluster_names or [str(code) for code in range(int(table.cluster.max(initial=-1)) + 1)]


def _names(each: Sequence[Sequence[str]]) -> dict[str, int]:
    return {name: place for place, name in enumerate(dict.fromkeys(name for names in each for name in names))}


class _Kept:
    """The rows of a table that are kept, and what its arms are called in the one of all trials."""

    def __init__(self, name: str, table: ScoreTable, *, with_control: bool) -> None:
        first, *others = control_first(table.arm_names)
        self.table = table
        self.treatments: dict[ArmName, str] = {arm: f"{name}: {arm}" for arm in others}
        self.chosen: IntArray = np.flatnonzero(
            np.ones(len(table.arm), dtype=np.bool_) if with_control else ~table.rows_of(first)
        )

    def named(self, arm: ArmName) -> str:
        return self.treatments.get(arm, arm)

    def rows(self, column: IntArray) -> IntArray:
        return column[self.chosen]

    def recoded(self, codes: IntArray, names: Sequence[str], wanted: Mapping[str, int]) -> IntArray:
        return np.array([wanted[name] for name in names], dtype=np.int64)[codes[self.chosen]]

    def arms(self, wanted: Sequence[str]) -> IntArray:
        places = [wanted.index(self.named(arm)) for arm in self.table.arm_names]
        return np.array(places, dtype=np.int64)[self.table.arm[self.chosen]]
