"""The level of intervals: of those that are shown together, and of the one that is shown beside a decision. Pure.

An interval agrees with the decision beside it where both have one level and one correction for several tests. Where
they have not, the words say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from promptrial.documents.many_arms import Simultaneous
from promptrial.documents.significance import Endpoint, Significance
from promptrial.reporting.cells import level
from promptrial.reporting.stopped import alpha_of
from promptrial.reporting.tables.words import listing, metric_text

__all__ = ["common_confidence", "is_corrected", "level_notes", "tested_at", "with_interval"]


def common_confidence(significance: Significance, rows: Sequence[Endpoint]) -> float:
    """Return the level of the intervals of all rows; where they have several, that of a trial without a rule."""
    levels = {significance.confidence_of(row) for row in rows}
    return levels.pop() if len(levels) == 1 else significance.settings.confidence


def level_notes(significance: Significance, rows: Sequence[Endpoint]) -> Iterator[str]:
    """Yield which rows have intervals of another level than the one that is above all of them."""
    common, named = common_confidence(significance, rows), dict[float, list[str]]()
    for row in rows:
        labels = named.setdefault(significance.confidence_of(row), [])
        if metric_text(row.metric).label not in labels:
            labels.append(metric_text(row.metric).label)
    for confidence, labels in named.items():
        if confidence != common:
            yield f"{listing(labels)}: the interval is at {level(confidence)}, the level of the stopping rule."
    yield from _decided_otherwise(significance, rows)


def _decided_otherwise(significance: Significance, rows: Sequence[Endpoint]) -> Iterator[str]:
    """Yield why an interval of a table may not agree with the decision in its row."""
    tested = dict.fromkeys(filter(None, (tested_at(significance, row) for row in rows)))
    if tested:
        yield f"Decisions are {listing(list(tested))}, which is not that of the intervals: the two may disagree."
    primary = [row for row in rows if row.metric in significance.settings.primary and row.scope == "overall"]
    if any(simultaneous_of(significance, row) for row in primary):
        yield (
            "Primary measures are decided for all arms together: intervals that hold simultaneously stand in the table "
            "of all arms; those of this table hold one by one."
        )
    elif any(is_corrected(significance, row) for row in primary):
        yield "Primary measures are decided by their adjusted p; the intervals are not adjusted."


def is_corrected(significance: Significance, row: Endpoint) -> bool:
    """Whether the p-value of an endpoint is corrected together with others."""
    return any(each.name == row.family and each.size > 1 for each in significance.families)


def simultaneous_of(significance: Significance, row: Endpoint) -> Simultaneous | None:
    """Return the interval of an endpoint that holds together with those of all arms; None without one."""
    if row.scope != "overall":
        return None
    place = row.compared, row.metric, row.temp
    found = (each for each in significance.simultaneous or () if (each.compared, each.metric, each.temp) == place)
    return next((each for each in found if (each.ci_low, each.ci_high) != (None, None)), None)


def with_interval(significance: Significance, row: Endpoint) -> tuple[Endpoint, str]:
    """Return an endpoint with the interval that belongs to its decision, and what that is called.

    Where max-T decides, that is the simultaneous interval. Its last steps can show a difference although that interval
    still contains 0: there it is the interval of the comparison alone, which does not.
    """
    found, words = simultaneous_of(significance, row), f"{level(significance.confidence_of(row))} CI"
    if found is None:
        return row, words
    if (
        row.significant
        and (found.ci_low is None or found.ci_low <= 0)
        and (found.ci_high is None or found.ci_high >= 0)
    ):
        return row, f"{words} of this comparison alone"
    limits = {"ci_low": found.ci_low, "ci_high": found.ci_high}
    return msgspec.structs.replace(row, **limits), f"simultaneous {level(found.confidence)} CI"


def tested_at(significance: Significance, row: Endpoint) -> str:
    """Return at which level an endpoint is tested, if its interval has another one; else nothing."""
    alpha = alpha_of(significance, row)
    return "" if level(1 - alpha) == level(significance.confidence_of(row)) else f"tested at level {alpha:g}"
