"""What a report says of answers that were taken over, and when it warns that arms were asked at different times."""

from __future__ import annotations

import pytest

from promptrial.model.arms import PAIR
from promptrial.reporting.facts import ReuseFacts
from promptrial.reporting.reused import reuse_sentences, reuse_warnings


def taken(arm: str = "control", rows: int = 812, days: int | None = 12, run_id: str = "X") -> ReuseFacts:
    return ReuseFacts(arm, run_id, rows, 1000, days)


@pytest.mark.parametrize(
    ("days", "when"),
    [
        (12, "asked 12 days earlier"),
        (1, "asked 1 day earlier"),
        (0, "asked less than a day earlier"),
        (None, "asked at an unknown time"),
    ],
)
def test_the_report_states_number_source_and_age_of_reused_answers(days: int | None, when: str) -> None:
    (said,) = reuse_sentences([taken(days=days)])
    assert said == f"812 of 1,000 control answers were reused from run X, {when}."


@pytest.mark.parametrize(
    ("reused", "warns"),
    [
        ([], False),
        ([taken()], True),
        ([taken(days=0)], False),
        ([taken(days=1)], True),
        ([taken(days=None)], True),
        ([taken(), taken("treatment")], False),
        ([taken(), taken("treatment", rows=5)], True),
        ([taken(rows=5, run_id="X"), taken(rows=6, run_id="Y"), taken("treatment", rows=11)], False),
    ],
)
def test_the_report_warns_if_one_arm_has_more_reused_answers_older_than_a_day(
    reused: list[ReuseFacts], warns: bool
) -> None:
    found = list(reuse_warnings(reused, PAIR))
    assert bool(found) == warns
    if reused == [taken()]:
        assert "812 in the control arm and 0 in the treatment arm" in found[0]


def test_a_single_arm_causes_no_warning_about_reused_answers() -> None:
    assert list(reuse_warnings([taken()], ("control",))) == []
