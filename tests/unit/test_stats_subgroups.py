"""Effects by a column of the questions: exactly as by data set, in families of their own."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from promptrial.documents import significance
from promptrial.documents.significance import Significance, StatsSettings
from promptrial.reporting.short import effects_in_short
from promptrial.reporting.tables import interaction_table, subgroup_table
from promptrial.stats.analysis import analyse
from promptrial.stats.score_table import ScoreTable
from tests.support.score_tables import trial_table

QUICK = StatsSettings(bootstrap_samples=300, permutation_samples=300)
TABLE = trial_table(n_items=120)
LEVELS = ("(none)", "trivia", "a <b>|word")


def with_column(table: ScoreTable, name: str = "category") -> ScoreTable:
    """Return the table with a column that cuts the items in thirds."""
    return replace(table, subgroups={name: (LEVELS, table.item % 3)})


def by_data_set(table: ScoreTable) -> ScoreTable:
    """Return the table with the same cut as its data sets."""
    return replace(table, dataset_names=LEVELS, dataset=table.item % 3)


@pytest.fixture(scope="module")
def found() -> Significance:
    return analyse(with_column(TABLE), QUICK)


def test_a_column_gives_a_subset_per_value_with_items_without_a_value_last(found: Significance) -> None:
    subsets = dict.fromkeys((row.scope, row.subset) for row in found.endpoints if row.metric == "em")
    assert list(subsets)[-3:] == [("subgroup:category", level) for level in ("a <b>|word", "trivia", "(none)")]


def test_effects_by_a_column_equal_those_of_the_same_split_by_data_set(found: Significance) -> None:
    same = analyse(by_data_set(TABLE), QUICK)
    mine = [row for row in found.endpoints if row.scope == "subgroup:category"]
    theirs = {(row.metric, row.temp, row.subset): row for row in same.endpoints if row.scope == "dataset"}
    assert len(mine) == len(theirs) == 15
    for row in mine:
        twin = theirs[row.metric, row.temp, row.subset]
        assert (row.n_pairs, row.difference, row.ci_low, row.p, row.bounds, row.attrition) == (
            twin.n_pairs, twin.difference, twin.ci_low, twin.p, twin.bounds, twin.attrition,
        )  # fmt: skip


def test_each_pair_of_values_is_compared_in_its_own_family(found: Significance) -> None:
    pairs = [
        (row.subset, row.other) for row in found.interactions if (row.metric, row.scope) == ("em", "subgroup:category")
    ]
    assert len(pairs) == 3
    families = {row.name: row for row in found.families}
    assert families["subgroups/subgroup:category/em/0.0"].correction == "bh"
    assert families["interactions/subgroup:category/em/0.0"].correction == "bh"
    assert families["subgroups/subgroup:category/em/0.0"].size == 3


def test_a_column_changes_no_other_figure(found: Significance) -> None:
    without = analyse(TABLE, QUICK)
    kept = [row for row in found.endpoints if not row.scope.startswith("subgroup:")]
    assert kept == list(without.endpoints)
    assert [row for row in found.estimates if not row.scope.startswith("subgroup:")] == list(without.estimates)


def test_a_column_with_one_value_gives_no_subset() -> None:
    table = replace(TABLE, subgroups={"category": (("all",), np.zeros_like(TABLE.item))})
    assert analyse(table, QUICK) == analyse(TABLE, QUICK)


def test_the_document_reads_back_and_an_unknown_scope_does_not(found: Significance) -> None:
    data = significance.encode(found)
    assert significance.decode(data) == found
    with pytest.raises(msgspec.ValidationError):
        significance.decode(data.replace(b'"subgroup:category"', b'"group:category"'))


def test_a_code_without_a_level_is_refused() -> None:
    with pytest.raises(ValueError, match=r"column category holds a code outside 0\.\.1"):
        replace(TABLE, subgroups={"category": (("a", "b"), TABLE.item % 3)})


def test_a_reason_shared_by_many_comparisons_is_given_once() -> None:
    table = trial_table(n_items=40)
    few = analyse(replace(table, subgroups={"c": (LEVELS, np.where(table.item < 3, table.item, 1))}), QUICK)
    notes = [note for note in interaction_table(few, "subgroup:c").notes if note.startswith("Not estimable: ")]
    assert "Not estimable: a <b>|word has 1 clusters; at level 0.05 it needs 6." in notes
    assert len(notes) == len(set(notes)) < len(few.interactions)


def test_tables_name_the_column_and_its_values(found: Significance) -> None:
    table = subgroup_table(found, "subgroup:category")
    assert table.title == "By category"
    assert {row[0] for row in table.rows} == {*LEVELS}
    compared = interaction_table(found, "subgroup:category")
    assert compared.title == "Differences in effect between values of category"
    assert len(compared.rows) == 15
    assert not any(note.startswith("Not estimable") for note in compared.notes)
    [_, short] = effects_in_short(found, wide=False)
    assert short.title == "Effects by category, treatment minus control (exploratory)"
    assert {row[0] for row in short.rows} == {*LEVELS}
    assert {row[1] for row in short.rows} == {"Exact match"}, "the primary endpoints"
    assert len(effects_in_short(analyse(TABLE, QUICK), wide=False)) == 1
