"""Curves in a terminal, and the words for how often an A/A trial raises a false alarm."""

from __future__ import annotations

import pytest

from promptrial.documents.aa import Alarms
from promptrial.reporting.aa import _judged
from promptrial.reporting.curves import _COLUMNS, Curve, as_text


def test_a_curve_in_a_terminal_begins_at_its_first_point_and_ends_at_its_last() -> None:
    curve = Curve("power", "questions", "power", ((0.0, 0.0), (0.99, 0.0), (1.0, 1.0)), 0.8, ("0", "100"))
    top, *_, bottom = [line for line in as_text(curve).splitlines() if "|" in line]
    assert top == "100% |".rjust(7) + " " * (_COLUMNS - 1) + "*"
    assert bottom == "0% |".rjust(7) + "*" * (_COLUMNS - 1)


@pytest.mark.parametrize(("first", "last"), [(0.03, 0.3), (0.0, 1.0)])
def test_a_curve_ends_at_its_last_point_also_where_rounding_goes_beyond_it(first: float, last: float) -> None:
    curve = Curve("power", "", "", ((first, 0.1), (0.2, 0.5), (last, 0.9)), 0.8, ("", ""))
    assert (curve.at(0.0), curve.at(1.0)) == pytest.approx((0.1, 0.9))


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.06, 0.1, "more than the level"),
        (0.01, 0.04, "less than the level"),
        (0.05, 0.1, "as expected"),
        (0.04, 0.06, "as expected"),
        (None, None, "as expected"),
    ],
)
def test_false_alarms_are_judged_by_their_interval(low: float | None, high: float | None, said: str) -> None:
    assert said in _judged(Alarms(n=5, of=100, rate=0.05, ci_low=low, ci_high=high), 0.05)
