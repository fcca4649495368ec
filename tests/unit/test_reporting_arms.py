"""Every figure of a table is in the column of its arm: the two arms are as different here as possible."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from promptrial.documents.many_arms import PooledEffect, Trend
from promptrial.documents.missing import MissingBounds
from promptrial.reporting.cells import Table
from promptrial.reporting.facts import TrialResult
from promptrial.reporting.tables.aggregate import aggregate_table, primary_p_values, rejected, trials_table
from promptrial.reporting.tables.arms import pooled_table, trend_table
from promptrial.reporting.tables.context import attrition_table, bounds_table, pairs_table
from promptrial.reporting.tables.costs import costs_table
from promptrial.stats.attrition import arm_attrition
from tests.unit.test_reporting_pages import costs, document, endpoint, facts


def column(table: Table, header: str) -> list[str]:
    return [row[table.headers.index(header)] for row in table.rows]


LOPSIDED = document(
    endpoint(
        control=0.3,
        treatment=0.7,
        n_items=120,
        n_pairs=100,
        n_control_only=3,
        n_treatment_only=7,
        n_lost=9,
        n_not_applicable=1,
        bounds=MissingBounds(n_items=119, n_missing_control=16, n_missing_treatment=12, low=0.1, high=0.5, reason=None),
    ),
    attrition={
        "control": arm_attrition(120, 103, {"timeout": 4}),
        "treatment": arm_attrition(120, 107, {"timeout": 2}),
    },
)
RESULT = TrialResult(facts("only"), LOPSIDED, costs())


def test_the_aggregate_table_has_the_share_of_each_arm_in_its_column() -> None:
    table = aggregate_table([RESULT], primary_p_values([RESULT]))
    assert column(table, "Control") == ["30.0%"]
    assert column(table, "Treatment") == ["70.0%"]


def test_the_trials_table_has_the_missing_requests_of_each_arm_in_its_column() -> None:
    table = trials_table([RESULT])
    assert column(table, "Missing in control") == ["17"]
    assert column(table, "Missing in treatment") == ["13"]


def test_the_requests_table_has_one_row_per_arm() -> None:
    table = attrition_table(LOPSIDED)
    assert [row[0] for row in table.rows] == ["control", "treatment"]
    assert column(table, "Answered") == ["103", "107"]
    assert column(table, "Unanswered") == ["17", "13"]


def test_the_bounds_table_has_the_missing_scores_of_each_arm_in_its_column() -> None:
    table = bounds_table(LOPSIDED)
    assert column(table, "Answers missing in control") == ["16"]
    assert column(table, "Answers missing in treatment") == ["12"]


def test_the_pairs_table_has_the_items_of_each_arm_in_its_column() -> None:
    table = pairs_table(LOPSIDED)
    assert column(table, "Control only") == ["3"]
    assert column(table, "Treatment only") == ["7"]
    assert column(table, "In neither") == ["9"]


def test_the_costs_table_has_one_row_per_arm() -> None:
    assert [row[0] for row in costs_table(costs()).rows] == ["control", "treatment", "both"]
    assert column(costs_table(costs()), "Exact matches")[:2] == ["30", "45"]


def test_an_adjusted_p_value_at_the_level_of_the_trial_rejects() -> None:
    level = LOPSIDED.settings.alpha
    assert rejected(RESULT, level) is True
    assert rejected(RESULT, level * 1.001) is False
    assert rejected(RESULT, None) is None


def pooled(**changes: Any) -> Table:
    row = PooledEffect(
        metric="em", temp=0.0, datasets=("a", "b"), left_out=(), confidence=0.95, method="inverse_variance",
        difference=0.05, ci_low=0.01, ci_high=0.09, se=0.02, p=0.01, q=6.0, q_p=0.014, i2=0.83, tau2=0.0,
    )  # fmt: skip
    return pooled_table(msgspec.structs.replace(LOPSIDED, pooled=(msgspec.structs.replace(row, **changes),)))


def test_an_effect_over_several_data_sets_has_its_limits_and_their_heterogeneity() -> None:
    assert pooled().rows == (("Exact match", "0", "2", "+5.0 (+1.0 to +9.0)", "0.0100", "6.00 (0.0140)", "83%"),)


@pytest.mark.parametrize(
    ("changes", "is_doubtful"),
    [
        ({}, True),
        ({"q_p": 0.05}, True),
        ({"q_p": 0.051}, False),
        ({"method": "hartung_knapp"}, False),
        ({"method": None, "q_p": None}, False),
    ],
)
def test_a_common_effect_assumed_for_different_data_sets_is_questioned(
    changes: dict[str, Any], *, is_doubtful: bool
) -> None:
    assert any("is doubtful" in note for note in pooled(**changes).notes) is is_doubtful


def test_an_effect_over_data_sets_that_is_not_estimable_says_why() -> None:
    gone = dict.fromkeys(("method", "difference", "ci_low", "ci_high", "se", "p", "q", "q_p", "i2", "tau2"))
    assert "Not estimable: a has 3 clusters." in pooled(**gone, reason="a has 3 clusters").notes
    assert not [note for note in pooled().notes if note.startswith("Not estimable")]


def test_cautions_about_the_effect_over_data_sets_and_the_trend_are_under_their_tables() -> None:
    assert "Exact match: a: few change." in pooled(cautions=("a: few change",)).notes
    row = Trend(
        metric="em", temp=0.0, arms=("control", "a", "b"), n_items=9, n_clusters=9, slope=0.1, ci_low=0.0, ci_high=0.2,
        confidence=0.95, p=0.1, p_adjusted=0.1, significant=False, reason=None, cautions=("few change",),
    )  # fmt: skip
    found = trend_table(msgspec.structs.replace(LOPSIDED, trends=(row,)), {})
    assert "Exact match: few change." in found.notes
