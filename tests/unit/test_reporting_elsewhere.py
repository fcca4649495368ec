"""Tables of results that were made elsewhere: groups, gates, measures and files, as a reader sees them."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from promptrial.documents.analysis import Analysis, AnalysisGate, GroupMean, Input, Measure
from promptrial.documents.scorers import Declaration
from promptrial.reporting.elsewhere import (
    arms_line,
    gates_table,
    group_means_table,
    groups_tables,
    inputs_table,
    measures_table,
)
from promptrial.reporting.tables.words import wording
from promptrial.reporting.verdict import comparison_verdict
from tests.unit.test_reporting_pages import document, endpoint

EASE: Final = Declaration(label="Ease", meaning="?", scale="continuous", direction="higher", range=(1.0, 6.0))
EXACT: Final = Declaration(label="Exact match", meaning="?", scale="binary", direction=None)
MEAN: Final = GroupMean(
    contrast="treatment vs control", measure="em", n_groups=12, n_pairs=300, means=(0.25, 0.5), difference=0.25, se=0.1,
    df=11.0, ci_low=0.05, ci_high=0.45, confidence=0.9, p=0.02, reason=None,
)  # fmt: skip
GATE: Final = AnalysisGate(
    gate="em >= -2", contrast="treatment vs control", measure="em", subset="all", alpha=0.05, n_pairs=1_300,
    difference=0.0123, limit=-0.02, p=0.012, method="mcnemar", passed=True, reason=None,
)  # fmt: skip


def analysis(**changes: Any) -> Analysis:
    found = document()
    whole = Analysis(
        inputs=tuple(Input(file=f"{n}.csv", format="csv", size=1_000 + n, sha256=f"{n}" * 64) for n in range(3)),
        arms={"control": "plain", "treatment": "terse"},
        measures=(Measure(name="em", declared=EXACT, primary=True, inferred="its values"),
                  Measure(name="ease", declared=EASE, primary=False)),
        n_items=300,
        n_differing=0,
        n_groups=12,
        notes=("2 rows are empty",),
        verdict=comparison_verdict(found, ("plain", "terse"), ()).document(),
        significance=found,
    )  # fmt: skip
    return msgspec.structs.replace(whole, **changes)


def test_the_first_arm_is_the_control_and_the_others_stand_against_it() -> None:
    arms = {"control": "plain", "treatment": "terse", "other": "cot"}
    assert arms_line(analysis(arms=arms)) == "Control: plain. Compared with it: terse, cot."


def test_means_over_groups_are_shown_on_the_scale_of_their_measure() -> None:
    ease = msgspec.structs.replace(
        MEAN, measure="ease", means=(2.0, 3.5), difference=1.5, ci_low=None, ci_high=None, p=None, reason="one group"
    )
    with wording({"ease": EASE}):
        table = group_means_table(analysis(groups=(MEAN, ease)))
    assert table.headers == ("Arm", "Measure", "Groups", "Control", "Treatment", "Difference (90% CI)", "p")
    assert table.rows == (
        ("terse", "Exact match", "12", "25.0%", "50.0%", "+25.0 (+5.0 to +45.0)", "0.0200"),
        ("terse", "Ease", "12", "2.00 points", "3.50 points", "+1.50 (\u2013) points", "\u2013"),
    )
    assert table.notes == (
        (
            "Each group counts equally, however many items it has; the groups are treated as fixed. The p-value is not "
            "adjusted."
        ),
        "Ease: one group.",
    )
    assert (group_means_table(analysis()).rows, group_means_table(analysis()).notes) == ((), ())


def test_effects_by_group_have_a_table_for_each_contrast_with_the_primary_measures_alone() -> None:
    rows = [
        endpoint(scope="dataset", subset="maths"),
        endpoint(scope="dataset", subset="law", p_adjusted=None),
        endpoint("f1", scope="dataset", subset="maths"),
        endpoint(scope="dataset", subset="empty", n_pairs=0),
        endpoint(),
    ]
    [table] = groups_tables(document(*rows), {"control": "plain", "treatment": "terse"})
    assert table.title == "Effects by group, terse minus plain (exploratory)"
    assert table.headers == ("Group", "Measure", "Pairs", "Control", "Treatment", "Difference (95% CI)", "Adjusted p")
    assert table.rows == (
        ("maths", "Exact match", "100", "30.0%", "45.0%", "+15.0 (+9.0 to +21.0)", "0.0250"),
        ("law", "Exact match", "100", "30.0%", "45.0%", "+15.0 (+9.0 to +21.0)", "\u2013"),
    )


def test_gates_say_how_they_were_decided_and_why_not() -> None:
    failed = msgspec.structs.replace(
        GATE, gate="f1 >= 0", passed=False, method=None, p=None, difference=None, limit=None, reason="no pair",
        notes=("all items are unanswerable",),
    )  # fmt: skip
    table = gates_table(analysis(gates=(GATE, failed)))
    assert table.rows == (
        ("em >= -2", "terse", "1,300", "0.0123", "-0.0200", "0.0120", "passed"),
        ("f1 >= 0", "terse", "1,300", "\u2013", "\u2013", "\u2013", "failed"),
    )
    assert table.notes == (
        "Decided by McNemar's test (mid-p), at level 0.05, one-sided.",
        "f1 >= 0: no pair; all items are unanswerable.",
    )
    assert gates_table(analysis()).rows == ()


def test_measures_say_their_role_and_scale_and_whether_the_scale_was_inferred() -> None:
    assert measures_table(analysis()).rows == (
        ("Exact match", "primary", "0 or 1", "inferred", "not stated"),
        ("Ease", "exploratory", "1 to 6", "declared", "higher"),
    )


def test_files_are_named_with_their_digests_and_those_left_out_are_counted() -> None:
    table = inputs_table(analysis(), 1)
    assert table.rows == (("0.csv", "csv", "1,000", "0" * 12),)
    assert table.notes == ("2 files more; --out and --json list all.", "2 rows are empty")
    whole = inputs_table(analysis())
    assert (len(whole.rows), whole.notes) == (3, ("2 rows are empty",))
    assert inputs_table(analysis(), 2).notes[0] == "1 file more; --out and --json list all."
