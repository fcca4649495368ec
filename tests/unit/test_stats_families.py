"""Decisions within a trial: an adjusted p-value at the level rejects."""

from __future__ import annotations

from promptrial.documents.significance import HypothesisTest
from promptrial.stats.families import correct


def row_of(p: float | None, family: str = "primary") -> HypothesisTest:
    return HypothesisTest(
        family=family, hypothesis="difference", metric="em", temp=0.0, scope="overall", subset="all",
        method="mcnemar", p=p, p_adjusted=None, rejected=None,
    )  # fmt: skip


def test_an_adjusted_p_value_at_the_level_rejects_and_one_above_does_not() -> None:
    (at,), (family,) = correct([row_of(0.05)], 0.05)
    assert (at.p_adjusted, at.rejected, family.rejected) == (0.05, True, 1)
    (above,), (family,) = correct([row_of(0.0501)], 0.05)
    assert (above.rejected, family.rejected) == (False, 0)


def test_the_count_of_a_family_is_that_of_its_decisions() -> None:
    tests, (family,) = correct([row_of(p) for p in (0.025, 0.025, None)], 0.05)
    assert [test.rejected for test in tests] == [True, True, None]
    assert (family.size, family.rejected) == (2, 2)
