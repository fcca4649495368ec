"""The level of intervals that stand together: those that a stopping rule decides may have one of their own. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from promptrial.documents.significance import Endpoint, Significance
from promptrial.reporting.cells import level
from promptrial.reporting.tables.words import listing, metric_text

__all__ = ["common_confidence", "level_notes"]


def common_confidence(significance: Significance, rows: Sequence[Endpoint]) -> float:
    """Return the level of the intervals of all rows; where they have several, that of a trial without a rule."""
    levels = {significance.confidence_of(row) for row in rows}
    return levels.pop() if len(levels) == 1 else significance.settings.confidence


def level_notes(significance: Significance, rows: Sequence[Endpoint]) -> Iterator[str]:
    """Yield which rows have intervals of another level than the one that stands above all of them."""
    common, named = common_confidence(significance, rows), dict[float, list[str]]()
    for row in rows:
        labels = named.setdefault(significance.confidence_of(row), [])
        if metric_text(row.metric).label not in labels:
            labels.append(metric_text(row.metric).label)
    for confidence, labels in named.items():
        if confidence != common:
            yield f"{listing(labels)}: the interval is at {level(confidence)}, the level of the stopping rule."
