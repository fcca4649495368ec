"""Selective accuracy with replicates: what is answered to an unanswerable question is never right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from promptrial.comparison.arms import side_by_side
from promptrial.documents.significance import StatsSettings
from promptrial.model.arms import DEFAULT_CONTRAST
from promptrial.stats.analysis import analyse
from promptrial.stats.pairing import ScoreTable, pair_scores
from promptrial.stats.selective import selective_rows
from tests.support.score_tables import table_of

QUICK = StatsSettings(bootstrap_samples=300, permutation_samples=300)


def test_correct_refusals_of_some_replicates_are_not_correct_answers() -> None:
    """Of four replicates to each unanswerable item two refuse, which is right, and two answer, which is not."""
    half, whole, none = [0.5] * 3, [1.0] * 3, [0.0] * 3
    planned = {(0, 0.0): 4, (1, 0.0): 4}
    em = replace(table_of([*half, *whole], [*half, *whole]), planned_samples=planned)
    abstains = replace(table_of([*half, *none], [*half, *none], metric="abstain_rate"), planned_samples=planned)
    unanswerable = np.array([True] * 3 + [False] * 3)
    rows = selective_rows(
        pair_scores(em, "em", 0.0, DEFAULT_CONTRAST),
        pair_scores(abstains, "abstain_rate", 0.0, DEFAULT_CONTRAST),
        unanswerable,
        QUICK,
    )
    found = {(row.metric, row.quantity): row.estimate for row in rows}
    assert found["coverage", "control"] == pytest.approx(4.5 / 6)
    assert found["selective_accuracy", "control"] == pytest.approx(3 / 4.5)


def unanswerable_alone() -> ScoreTable:
    """Two replicates of every item: one abstains, which is right, and one answers, which is not."""
    half, planned = [0.5] * 4, {(0, 0.0): 2, (1, 0.0): 2}
    em, abstains = table_of(half, half), table_of(half, half, metric="abstain_rate")
    return replace(
        em,
        metrics={**em.metrics, **abstains.metrics},
        roles={**em.roles, **abstains.roles},
        planned_samples=planned,
        n_samples=2 * em.n_samples,
        unanswerable=np.ones(4, dtype=np.bool_),
    )


def test_the_plan_knows_the_unanswerable_items_without_another_scorer() -> None:
    rows = {(row.metric, row.quantity): row.estimate for row in analyse(unanswerable_alone(), QUICK).selective}
    assert rows["coverage", "control"] == 0.5
    assert rows["selective_accuracy", "control"] == rows["selective_accuracy", "treatment"] == 0


def test_there_is_no_selective_accuracy_if_unanswerable_items_are_unknown() -> None:
    assert analyse(replace(unanswerable_alone(), unanswerable=None), QUICK).selective == ()
    with pytest.raises(ValueError, match=r"unanswerable has shape \(3,\); items: 4"):
        replace(unanswerable_alone(), unanswerable=np.ones(3, dtype=np.bool_))


def test_comparing_two_runs_keeps_the_unanswerable_items() -> None:
    table = unanswerable_alone()
    common = table.item_keys[1:]
    beside = side_by_side(table, table, common, "treatment")
    assert beside.unanswerable is not None
    assert beside.unanswerable.tolist() == [True] * 3
    mixed = replace(table, unanswerable=np.array([True, False, True, False]))
    beside = side_by_side(mixed, mixed, common, "treatment")
    assert beside.unanswerable is not None
    assert beside.unanswerable.tolist() == [False, True, False]
