"""The tables of effects in short: measure, both arms, difference with its interval, decision. Pure.

A ``wide`` one adds on how many questions and clusters an effect rests, and its adjusted p-value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from promptrial.documents.significance import Endpoint, Significance
from promptrial.documents.subgroups import subgroup_of
from promptrial.model.arms import ArmName, Contrast
from promptrial.reporting.cells import Table, count, effect, level, p_value, temperature
from promptrial.reporting.stopped import alpha_of, covers
from promptrial.reporting.tables import overall_endpoints, ranking_tables
from promptrial.reporting.tables.contrasts import SIDE_HEADERS
from promptrial.reporting.tables.effects import decision, interaction_notes, paired_means
from promptrial.reporting.tables.levels import common_confidence, level_notes
from promptrial.reporting.tables.margins import margin_notes
from promptrial.reporting.tables.missing import sensitivity_notes
from promptrial.reporting.tables.words import metric_text, score_unit
from promptrial.reporting.verdict import state_of

__all__ = ["effects_in_short"]

LEAD: Final = "lead: "
"""Begins what is shown on an exploratory measure."""
_WORDS: Final = {
    "not_worse": "not worse",
    "not_shown": "not shown",
    "not_estimable": "not estimable",
    "no_alarm": "no false alarm",
    "false_alarm": "false alarm",
}
_SHOWN: Final = {"better", "worse", "higher", "lower"}
_LEAD_NOTE: Final = 'A "lead" is a difference on an exploratory measure; test it in another trial.'


def effects_in_short(
    significance: Significance, *, wide: bool, names: Mapping[ArmName, str] | None = None
) -> list[Table]:
    """Return the tables of a trial: one for each contrast and temperature, then one for each column of subsets.

    Where there are several treatments, a table of all arms comes before them. Titles and notes call arms by
    ``names``, if given. Scores have to be shares of their ranges (``as_shares``).
    """
    named = names or {}
    endpoints = overall_endpoints(significance)
    groups = _grouped(endpoints)
    found = [_overall(significance, rows, groups, named, wide=wide) for rows in groups]
    scopes = dict.fromkeys(row.scope for row in significance.endpoints if subgroup_of(row.scope) is not None)
    arms = ranking_tables(significance, names or {}, wide=wide)
    return [*arms, *found, *(each for scope in scopes for each in _subsets(significance, scope, named, wide=wide))]


def _grouped(rows: Iterable[Endpoint]) -> list[list[Endpoint]]:
    """Return the rows of each contrast at each temperature, in order."""
    groups: dict[tuple[Contrast, float], list[Endpoint]] = {}
    for row in rows:
        groups.setdefault((row.compared, row.temp), []).append(row)
    return [*groups.values()]


def _overall(
    significance: Significance,
    rows: Sequence[Endpoint],
    groups: Sequence[Sequence[Endpoint]],
    names: Mapping[ArmName, str],
    *,
    wide: bool,
) -> Table:
    clustered = any(row.clustered for row in rows)
    cells = tuple(
        (metric_text(row.metric).label, *_cells(significance, row, wide=wide, clustered=clustered)) for row in rows
    )
    leads = any(row[-1].startswith(LEAD) for row in cells)
    notes = (
        *level_notes(significance, rows),
        *margin_notes(significance, [row for row in rows if not covers(significance, row)]),
        *sensitivity_notes((row for row in rows if row.metric in significance.settings.primary), names),
        *(interaction_notes(significance, names) if rows is groups[-1] else ()),
        *([_LEAD_NOTE] if leads else []),
    )
    title = f"Effects, {_where(rows[0], names, several=len({each[0].temp for each in groups}) > 1)}"
    headers, align = _headers(significance, rows, names, wide=wide)
    return Table(title, headers, cells, notes, align)


def _subsets(significance: Significance, scope: str, names: Mapping[ArmName, str], *, wide: bool) -> Iterable[Table]:
    primary = [
        row for row in significance.endpoints if row.scope == scope and row.metric in significance.settings.primary
    ]
    groups = _grouped(primary)
    for rows in groups:
        where = _where(rows[0], names, several=len({each[0].temp for each in groups}) > 1)
        headers, align = _headers(significance, rows, names, wide=wide)
        clustered = any(row.clustered for row in rows)
        cells = tuple(
            (row.subset, metric_text(row.metric).label, *_cells(significance, row, wide=wide, clustered=clustered))
            for row in rows
        )
        yield Table(
            f"Effects by {subgroup_of(scope)}, {where} (exploratory)", ("Subset", *headers), cells, (), "l" + align
        )


def _where(row: Endpoint, names: Mapping[ArmName, str], *, several: bool) -> str:
    first, second = (names.get(side, side) for side in row.compared.sides)
    at = f", temperature {temperature(row.temp)}" if several else ""
    return f"{second} minus {first}{at}"


def _headers(
    significance: Significance, rows: Sequence[Endpoint], names: Mapping[ArmName, str], *, wide: bool
) -> tuple[tuple[str, ...], str]:
    sides = SIDE_HEADERS if names else tuple(name.capitalize() for name in rows[0].compared.sides)
    difference = f"Difference ({level(common_confidence(significance, rows))} CI)"
    clusters = ("Clusters",) if any(row.clustered for row in rows) else ()
    more = ("Pairs", *clusters, "Adjusted p") if wide else ()
    return ("Measure", *sides, difference, *more, "Decision"), f"lrrr{'r' * len(more)}l"


def _cells(significance: Significance, row: Endpoint, *, wide: bool, clustered: bool) -> tuple[str, ...]:
    counts = [row.n_pairs, *([row.n_clusters] if clustered else [])]
    more = (*map(count, counts), p_value(row.p_adjusted, alpha_of(significance, row))) if wide else ()
    figures = effect(row.difference, row.ci_low, row.ci_high, score_unit(row.metric))
    return (*paired_means(row), figures, *more, _decision(significance, row))


def _decision(significance: Significance, row: Endpoint) -> str:
    said = decision(row)
    if said == "not applicable":
        return said
    state = state_of(significance, row)
    is_lead = state in _SHOWN and (row.metric not in significance.settings.primary or row.scope != "overall")
    return f"{LEAD if is_lead else ''}{_WORDS.get(state, state)}"
