"""The short tables of effects by a column of the questions, for the terminal. Pure."""

from __future__ import annotations

from promptrial.documents.significance import SIDES, Significance
from promptrial.documents.subgroups import subgroup_of
from promptrial.reporting.tables.cells import Table, level
from promptrial.reporting.tables.contrasts import SIDE_HEADERS, with_contrasts
from promptrial.reporting.tables.effects import summary_cells
from promptrial.reporting.tables.words import metric_text

__all__ = ["subgroup_summaries"]

_EXPLORATORY = "exploratory: a lead, not a finding; the report says whether the effects differ"


def subgroup_summaries(significance: Significance) -> list[Table]:
    """Return a table of the primary endpoints for each column of the questions by which effects are reported."""
    scopes = dict.fromkeys(row.scope for row in significance.endpoints if subgroup_of(row.scope) is not None)
    return [_summary(significance, scope) for scope in scopes]


def _summary(significance: Significance, scope: str) -> Table:
    primary = significance.settings.primary
    endpoints = [row for row in significance.endpoints if row.scope == scope and row.metric in primary]
    rows = tuple((row.subset, metric_text(row.metric).label, *summary_cells(row)) for row in endpoints)
    interval = f"Difference, pp ({level(significance.settings.confidence)} CI)"
    headers = ("Subset", "Endpoint", "Temp.", "Pairs", *SIDE_HEADERS, interval, "Adjusted p", "Decision")
    title = f"Effects by {subgroup_of(scope)}, {SIDES[1]} minus {SIDES[0]} ({_EXPLORATORY})"
    return with_contrasts(Table(title, headers, rows, (), "llrrrrrrl"), endpoints)
