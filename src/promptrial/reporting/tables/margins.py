"""Where a test against a margin decides, and why its interval is not the one of the other effects. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final, Literal

from promptrial.documents.significance import Endpoint, HypothesisTest, Significance
from promptrial.reporting.cells import level

__all__ = ["MarginDecision", "margin_decision", "margin_notes", "margin_reading"]

MarginDecision = Literal["equivalent", "not_worse"]
_TESTED: Final = ("equivalence", "non_inferiority")


def margin_tests(significance: Significance, row: Endpoint) -> Iterator[HypothesisTest]:
    """Yield the tests of an endpoint over all items against a margin."""
    place = row.metric, row.temp, row.compared
    for test in significance.tests:
        is_here = (test.metric, test.temp, test.compared) == place and test.scope == row.scope == "overall"
        if test.hypothesis != "difference" and is_here:
            yield test


def margin_decision(significance: Significance, row: Endpoint) -> MarginDecision | None:
    """Return what the margin of an endpoint shows where no difference is significant; None where it shows nothing."""
    shown = {test.hypothesis for test in margin_tests(significance, row) if test.rejected}
    if row.significant and row.difference:
        return None
    if "equivalence" in shown:
        return "equivalent"
    return "not_worse" if "non_inferiority" in shown else None


def margin_notes(significance: Significance, rows: Sequence[Endpoint]) -> Iterator[str]:
    """Yield why a table of effects has other intervals than those that decide, if a margin decides on any row."""
    settings = significance.settings
    decided = [row for row in rows if margin_decision(significance, row)]
    if decided and level(1 - 2 * settings.alpha) != level(settings.confidence):
        wider = all(_holds_both(significance, row) for row in decided)
        others = "are wider" if wider else "are made by other methods, and can be wider or narrower"
        yield (
            f"Equivalent and not worse are decided by {level(1 - 2 * settings.alpha)} intervals, because each takes "
            f"one-sided tests at level {settings.alpha:g}; the intervals of this table {others}."
        )


def _holds_both(significance: Significance, row: Endpoint) -> bool:
    """Whether the interval of an endpoint has room for those of its tests against a margin.

    It need not: for sparse scores in clusters a margin is tested with a larger design effect.
    """
    low, high = (math.nan if limit is None else limit for limit in (row.ci_low, row.ci_high))
    place = row.metric, row.temp, row.compared
    return all(
        (each.ci_low is None or low <= each.ci_low) and (each.ci_high is None or each.ci_high <= high)
        for each in significance.estimates
        if (each.metric, each.temp, each.compared) == place and each.scope == "overall" and each.quantity in _TESTED
    )


def margin_reading(significance: Significance) -> Iterator[str]:
    """Yield how to read intervals of two levels, where a margin was declared."""
    settings = significance.settings
    if any(test.hypothesis != "difference" for test in significance.tests):
        yield (
            f"Equivalence and non-inferiority are decided by {level(1 - 2 * settings.alpha)} intervals, because each "
            f"takes one-sided tests at level {settings.alpha:g}; other intervals are {level(settings.confidence)} "
            "intervals."
        )
