"""The short tables, and how they are laid out in 80, 120 and 200 columns."""

from typing import Any

import pytest

from promptrial.documents.scorers import Declaration
from promptrial.reporting.cells import Table
from promptrial.reporting.plain import narrowed, summary_text, wrapped
from promptrial.reporting.short import effects_in_short
from promptrial.reporting.tables import exploratory_table, primary_table
from promptrial.reporting.tables.words import wording
from tests.unit.test_reporting_pages import document, endpoint, looked_at, untested

DULL: dict[str, Any] = {"p": 0.4, "p_adjusted": 0.4, "significant": False}


def test_a_narrow_table_has_five_columns_and_a_wide_one_two_more_and_one_for_clusters() -> None:
    narrow, wide = (effects_in_short(document(endpoint()), wide=each)[0] for each in (False, True))
    assert narrow.headers == ("Measure", "Control", "Treatment", "Difference (95% CI)", "Decision")
    assert wide.headers == (*narrow.headers[:-1], "Pairs", "Adjusted p", "Decision")
    [shared] = effects_in_short(document(endpoint(clustered=True, n_clusters=80), endpoint("f1", **DULL)), wide=True)
    assert shared.headers == (*narrow.headers[:-1], "Pairs", "Clusters", "Adjusted p", "Decision")
    assert [row[5] for row in shared.rows] == ["80", "100"]


def test_the_figures_are_those_of_the_long_tables() -> None:
    found = document(endpoint(), endpoint("abstain_rate", 0.1, 0.3), endpoint("f1", **DULL))
    [short] = effects_in_short(found, wide=True)
    long = [*primary_table(found).rows, *exploratory_table(found).rows]
    assert [row[:-1] for row in short.rows] == [(row[0], *row[3:6], row[2], row[7]) for row in long]


def test_decisions_use_the_words_of_the_verdict_and_exploratory_ones_are_leads() -> None:
    rows = [endpoint(), endpoint("abstain_rate", 0.1, 0.3), endpoint("f1", **DULL), untested("unsupported")]
    [table] = effects_in_short(document(*rows), wide=False)
    first, second, *others = (row[-1] for row in table.rows)
    assert first == "better"
    assert second.startswith("lead: ")
    assert others == ["not shown", "not estimable"]
    assert table.notes[-1].startswith('A "lead" is a difference on an exploratory measure')


def test_a_difference_within_a_subset_is_a_lead_even_on_a_primary_measure() -> None:
    within = endpoint(scope="subgroup:language", subset="en")
    [_, table] = effects_in_short(document(endpoint(), within), wide=False)
    assert table.rows[0][-1] == "lead: better"


def test_the_level_above_the_differences_is_that_of_the_stopping_rule_where_it_decides_all_of_them() -> None:
    [alone] = effects_in_short(document(looks=looked_at(0.025)), wide=False)
    assert "Difference (97.5% CI)" in alone.headers
    [both] = effects_in_short(document(endpoint(), endpoint("f1"), looks=looked_at(0.025)), wide=False)
    assert "Difference (95% CI)" in both.headers
    assert "Exact match: the interval is at 97.5%, the level of the stopping rule." in both.notes


def test_a_metric_without_applicable_items_is_not_applicable() -> None:
    nothing = untested("false_answer_rate", n_not_applicable=104)
    assert effects_in_short(document(nothing), wide=False)[0].rows[0][-1] == "not applicable"


@pytest.mark.parametrize("width", [80, 120, 200])
def test_nothing_is_wider_than_the_terminal(width: int) -> None:
    long = Declaration(
        label="How well the answer follows every single instruction that the passage gives",
        meaning="?", scale="binary", direction="higher",
    )  # fmt: skip
    with wording({"em": long}):
        tables = effects_in_short(document(endpoint(), endpoint("f1")), wide=width > 100)
    for table in tables:
        text = summary_text(table, width)
        assert max(map(len, text.splitlines())) <= width
        assert "+15.0" in text


def test_a_too_long_label_wraps_without_losing_a_word() -> None:
    label = "How well the answer follows every single instruction"
    text = summary_text(Table("T", ("Measure", "n"), ((label, "7"),), ("a note of some words",), "lr"), 24)
    rows = text.splitlines()[4:-2]
    assert " ".join(" ".join(line.removesuffix("7") for line in rows).split()) == label
    assert max(map(len, text.splitlines())) <= 24


def test_without_a_width_a_table_is_not_narrowed() -> None:
    assert "x" * 300 in summary_text(Table("T", ("a",), (("x" * 300,),), (), "l"))


def test_a_path_is_never_broken() -> None:
    path = "experiments/run_of-a-long-name/reports/report.md"
    assert wrapped(f"Report: {path}", 40) == ["Report:", path]


def test_a_table_drops_optional_columns_in_order_until_it_fits() -> None:
    table = Table("T", ("a", "b", "c", "d"), (("1" * 10, "2" * 10, "3" * 10, "4" * 10),), (), "rrrr")
    assert narrowed(table, None, ("b",)) == table
    assert narrowed(table, 46, ("b",)).headers == ("a", "b", "c", "d")
    assert narrowed(table, 45, ("x", "c", "b")).headers == ("a", "b", "d")
    assert narrowed(table, 30, ("c", "b")).rows == (("1" * 10, "4" * 10),)
    assert narrowed(table, 5, ("c", "b")).headers == ("a", "d"), "what is not spare stays"
