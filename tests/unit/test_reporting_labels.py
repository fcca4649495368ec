"""What labels say of measures, as a reader sees it: every sentence, table and note of the section on agreement."""

from __future__ import annotations

import itertools
from typing import Any, Final

import msgspec
import pytest

from promptrial.documents.labels import (
    Agreement,
    ArmAgreement,
    Coefficient,
    CorrectedEffect,
    JudgesAgreement,
    LabelReport,
    PairAgreement,
    RaterAgreement,
    RatersAgreement,
)
from promptrial.documents.scorers import Declaration
from promptrial.reporting.labels import agreement_lines, agreement_tables, label_lines, label_tables
from promptrial.reporting.tables.words import wording

KAPPA: Final = Coefficient(value=0.5, ci_low=0.25, ci_high=0.75, reason=None)
ALPHA: Final = Coefficient(value=0.4, ci_low=None, ci_high=None, reason="fewer than 2 clusters have labels")
NONE: Final = Coefficient(value=None, ci_low=None, ci_high=None, reason="all labels are equal")
ARM: Final = ArmAgreement(
    arm="control", n_labelled=1_200, mean_people=0.625, mean_measure=0.5, agreeing=0.75, kappa=KAPPA, alpha=ALPHA,
    values=(0.0, 1.0), table=((400, 50), (250, 500)),
)  # fmt: skip
EFFECT: Final = CorrectedEffect(
    contrast="treatment vs control", measured=0.1, measured_low=0.05, measured_high=0.15, corrected=0.08, ci_low=-0.02,
    ci_high=0.18, tuning=0.625, n_labelled=40, labelled_clusters=40, n_others=160, reason=None,
)  # fmt: skip
NOTE: Final = "Cohen's kappa, Krippendorff's alpha, 95% intervals: 1 is full agreement, 0 is chance."


def rater(name: str) -> RaterAgreement:
    return RaterAgreement(rater=name, n_answers=60, n_empty=3, n_labelled=57, agreeing=0.875, kappa=KAPPA, alpha=ALPHA)


def pair(first: str, second: str) -> PairAgreement:
    return PairAgreement(first=first, second=second, n_answers=20, agreeing=0.9, kappa=None, alpha=KAPPA)


def report(**changes: Any) -> LabelReport:
    whole = LabelReport(
        run_id="demo", trial="small", temperature=0.5, measure="em", confidence=0.95, n_answers=60, n_labels=57,
        n_empty=0, n_unmeasured=0, arms=(ARM,), effects=(), raters=(rater("ann"),), between=None,
    )  # fmt: skip
    return msgspec.structs.replace(whole, **changes)


def judges(*measures: str, **changes: Any) -> JudgesAgreement:
    found = JudgesAgreement(
        measures=measures, temperature=0.0, confidence=0.9, n_answers=80, alpha=KAPPA,
        pairs=tuple(pair(one, other) for one, other in itertools.pairwise(measures)),
        labels_of="em", n_labelled=30, effective=1.54, reason=None,
    )  # fmt: skip
    return msgspec.structs.replace(found, **changes)


def test_sentences_say_how_many_answers_were_labelled_by_whom_and_what_is_not_used() -> None:
    assert label_lines(report()) == [
        "Exact match against people's labels, temperature 0.5: 57 labels of 60 answers in the sheet."
    ]
    two = report(raters=(rater("ann"), rater("bob")), n_answers=1, n_labels=1, n_empty=1, n_unmeasured=2)
    assert label_lines(two) == [
        "Exact match against people's labels, temperature 0.5: 1 label of 1 answer in 2 sheets (ann and bob).",
        "1 answer has no label. If people skipped the hard ones, the results are biased.",
        "2 labels of answers without this score are not used.",
    ]
    assert label_lines(report(n_empty=3))[1].startswith("3 answers have no label.")
    assert label_lines(report(n_unmeasured=1))[1] == "1 label of answers without this score is not used."


def test_the_table_of_agreement_has_a_row_for_each_arm_and_a_dash_for_what_is_not_known() -> None:
    unlabelled = ArmAgreement(
        arm="treatment", n_labelled=0, mean_people=None, mean_measure=None, agreeing=None, kappa=None, alpha=NONE,
        values=(), table=(),
    )  # fmt: skip
    agreement, crossed = label_tables(report(arms=(ARM, unlabelled)))
    assert (agreement.title, agreement.headers) == (
        "Agreement with people",
        ("Arm", "Labels", "People", "Measure", "Equal", "kappa", "alpha"),
    )
    assert agreement.rows == (
        ("control", "1,200", "62.5%", "50.0%", "75.0%", "0.50 (0.25 to 0.75)", "0.40"),
        ("treatment", "0", *["\u2013"] * 5),
    )
    assert agreement.notes == (
        NOTE,
        "No interval: fewer than 2 clusters have labels.",
        "No interval: all labels are equal.",
    )
    assert crossed.rows == (
        ("control", "0", "0", "400"),
        ("control", "0", "1", "50"),
        ("control", "1", "0", "250"),
        ("control", "1", "1", "500"),
    ), "the second column is what people said, the third what the measure said"


def test_scores_in_a_unit_of_their_own_are_shown_in_it() -> None:
    ease = Declaration(label="Ease", meaning="?", scale="continuous", direction="higher", range=(1.0, 6.0))
    arm = msgspec.structs.replace(ARM, mean_people=2.5, mean_measure=3.0, table=())
    with wording({"ease": ease}):
        agreement, effects = label_tables(report(measure="ease", arms=(arm,), effects=(EFFECT,)))
    assert agreement.rows[0][2:4] == ("2.50 points", "3.00 points")
    assert effects.rows[0][1] == "+0.100 (+0.050 to +0.150) points"
    assert effects.notes[0] == "Differences in points, with 95% intervals."


def test_effects_are_shown_as_measured_and_as_corrected_with_how_and_why_not() -> None:
    impossible = msgspec.structs.replace(
        EFFECT, contrast="other vs control", corrected=None, ci_low=None, ci_high=None, tuning=None,
        reason="only 1 item has labels of both arms", n_left_out=2,
    )  # fmt: skip
    unused = msgspec.structs.replace(EFFECT, contrast="third vs control", tuning=None, n_left_out=12)
    *_, table = label_tables(report(effects=(EFFECT, impossible, unused)))
    assert table.headers == ("Contrast", "As measured", "Corrected with the labels", "Items")
    assert table.rows == (
        ("treatment vs control", "+10.0 (+5.0 to +15.0)", "+8.0 (-2.0 to +18.0)", "40"),
        ("other vs control", "+10.0 (+5.0 to +15.0)", "\u2013", "40"),
        ("third vs control", "+10.0 (+5.0 to +15.0)", "+8.0 (-2.0 to +18.0)", "40"),
    )
    assert table.notes == (
        "Differences in percentage points, with 95% intervals.",
        "treatment vs control: prediction-powered inference, 0.62 of the measure used.",
        "other vs control: no corrected effect: only 1 item has labels of both arms.",
        "third vs control: prediction-powered inference, 0.00 of the measure used.",
        (
            "other vs control: both differences are over the items that every arm answered; 2 items with a missing "
            "answer count in the other tables, and are left out here."
        ),
        (
            "third vs control: both differences are over the items that every arm answered; 12 items with a missing "
            "answer count in the other tables, and are left out here."
        ),
    )


def test_one_item_that_is_left_out_is_said_to_be_left_out() -> None:
    *_, table = label_tables(report(effects=(msgspec.structs.replace(EFFECT, n_left_out=1),)))
    assert table.notes[-1].endswith("1 item with a missing answer counts in the other tables, and is left out here.")


def test_two_people_are_compared_with_the_measure_and_with_each_other() -> None:
    between = RatersAgreement(n_answers=20, alpha=KAPPA, pairs=(pair("ann", "bob"),))
    *_, people, pairs = label_tables(report(raters=(rater("ann"), rater("bob")), between=between))
    assert people.title == "The measure and each person"
    assert people.rows == tuple((name, "57", "87.5%", "0.50 (0.25 to 0.75)", "0.40") for name in ("ann", "bob"))
    assert (pairs.title, pairs.headers) == ("Agreement between people", ("Who", "Answers", "Equal", "kappa", "alpha"))
    assert pairs.rows == (("ann, bob", "20", "90.0%", "\u2013", "0.50 (0.25 to 0.75)"),)
    assert pairs.notes == (NOTE,)


def test_more_than_one_pair_has_a_row_for_all_together() -> None:
    between = RatersAgreement(n_answers=25, alpha=ALPHA, pairs=(pair("ann", "bob"), pair("ann", "eve")))
    *_, pairs = label_tables(report(between=between))
    assert [row[:2] for row in pairs.rows] == [("ann, bob", "20"), ("ann, eve", "20"), ("all", "25")]
    assert pairs.rows[-1][2:] == ("\u2013", "\u2013", "0.40")


def test_a_section_on_agreement_names_measures_temperatures_and_judges() -> None:
    found = Agreement(
        labels=(report(),), judges=(judges("em", "f1"), judges("em", "f1", effective=None, reason="no labels"))
    )
    assert agreement_lines(found)[1:] == [
        (
            "Exact match and Token F1 at temperature 0: 2 judges count for 1.5 whose errors are independent (30 "
            "labelled answers)."
        ),
        (
            "Exact match and Token F1 at temperature 0: it is not known how many independent judges they count for: no "
            "labels."
        ),
    ]
    titles = [table.title for table in agreement_tables(found)]
    assert titles == [
        "Agreement with people: Exact match, temperature 0.5",
        "People and measure: Exact match, temperature 0.5",
        *["Agreement between judges, temperature 0"] * 2,
    ]
    assert [*agreement_tables(found)][-1].rows == (
        ("Exact match, Token F1", "20", "90.0%", "\u2013", "0.50 (0.25 to 0.75)"),
    )


@pytest.mark.parametrize("told", [agreement_lines, agreement_tables])
def test_a_trial_without_labels_says_nothing_of_agreement(told: Any) -> None:
    assert [*told(None)] == []
