"""The tables of results that were made elsewhere, beside those of effects: groups, gates, what was read. Pure.

Measures have to be named (``wording``) where these are called.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from promptrial.documents.analysis import Analysis, GroupMean
from promptrial.documents.significance import Significance
from promptrial.model.arms import ArmName
from promptrial.reporting.cells import (
    Table,
    count,
    counted,
    effect,
    level,
    p_value,
    points_decimals,
    rate,
    significant,
)
from promptrial.reporting.plain import narrowed
from promptrial.reporting.tables.contrasts import SIDE_HEADERS
from promptrial.reporting.tables.effects import paired_means
from promptrial.reporting.tables.words import method_text, metric_text, score_unit

__all__ = [
    "arms_line",
    "gates_table",
    "group_means_table",
    "groups_tables",
    "inputs_table",
    "measures_table",
    "without_temperature",
]

_DIGEST: Final = 12
_TEMPERATURE: Final = "Temp."
_IN_NOTES: Final = re.compile(r"(?:,| at) temperature 0(?=[,:;.)])")


def without_temperature(table: Table) -> Table:
    """Return a table of effects without the temperature, which means nothing of scores that were made elsewhere."""
    notes = tuple(_IN_NOTES.sub("", note) for note in table.notes)
    return replace(narrowed(table, 0, (_TEMPERATURE,)), notes=notes)


def arms_line(analysis: Analysis) -> str:
    """Return which arm is the control, and which others it is compared with."""
    first, *others = analysis.arms.values()
    return f"{SIDE_HEADERS[0]}: {first}. Compared with it: {', '.join(others)}."


def group_means_table(analysis: Analysis) -> Table:
    """Return the means over groups, in which each group counts the same; without rows where there is one group."""
    rows = tuple(_group_mean_row(analysis, row) for row in analysis.groups)
    confidence = level(analysis.groups[0].confidence) if analysis.groups else ""
    reasons = (f"{metric_text(row.measure).label}: {row.reason}." for row in analysis.groups if row.reason is not None)
    note = (
        "Each group counts equally, however many items it has; the groups are treated as fixed. The p-value is "
        "not adjusted."
    )
    return Table(
        "Mean over groups",
        ("Arm", "Measure", "Groups", *SIDE_HEADERS, f"Difference ({confidence} CI)", "p"),
        rows,
        (note, *dict.fromkeys(reasons)) if rows else (),
        "llrrrrr",
    )


def _group_mean_row(analysis: Analysis, row: GroupMean) -> tuple[str, ...]:
    unit = score_unit(row.measure)
    low, high = next(each.declared.range for each in analysis.measures if each.name == row.measure)
    width = high - low
    least, most = (None if end is None else end / width for end in (row.ci_low, row.ci_high))
    decimals = points_decimals(least, most, unit, row.difference / width)
    means = (rate((mean - low) / width, decimals, unit) for mean in row.means)
    arm = analysis.arms[row.contrast.partition(" vs ")[0]]
    difference = effect(row.difference / width, least, most, unit)
    return arm, metric_text(row.measure).label, count(row.n_groups), *means, difference, p_value(row.p)


def groups_tables(significance: Significance, names: Mapping[ArmName, str]) -> Iterator[Table]:
    """Yield, for each contrast, the effects on the primary measures within each group.

    Scores have to be shares of their ranges (``as_shares``).
    """
    rows = [
        row
        for row in significance.endpoints
        if row.scope == "dataset" and row.metric in significance.settings.primary and row.n_pairs
    ]
    confidence = level(significance.settings.confidence)
    for contrast in dict.fromkeys(row.compared for row in rows):
        first, second = (names[side] for side in contrast.sides)
        cells = tuple(
            (
                row.subset,
                metric_text(row.metric).label,
                count(row.n_pairs),
                *paired_means(row),
                effect(row.difference, row.ci_low, row.ci_high, score_unit(row.metric)),
                p_value(row.p_adjusted, significance.settings.alpha),
            )
            for row in rows
            if row.compared == contrast
        )
        headers = ("Group", "Measure", "Pairs", *SIDE_HEADERS, f"Difference ({confidence} CI)", "Adjusted p")
        yield Table(f"Effects by group, {second} minus {first} (exploratory)", headers, cells, (), "llrrrrr")


def gates_table(analysis: Analysis) -> Table:
    """Return how each gate was decided; without rows where there is none."""
    rows = tuple(
        (
            gate.gate,
            analysis.arms[gate.contrast.partition(" vs ")[0]],
            count(gate.n_pairs),
            significant(gate.difference),
            significant(gate.limit),
            p_value(gate.p, gate.alpha),
            "passed" if gate.passed else "failed",
        )
        for gate in analysis.gates
    )
    said = [
        f"{gate.gate}: {'; '.join([*([gate.reason] if gate.reason else []), *gate.notes])}."
        for gate in analysis.gates
        if gate.reason or gate.notes
    ]
    methods = dict.fromkeys(method_text(gate.method) for gate in analysis.gates if gate.method is not None)
    how = [f"Decided by {', '.join(methods)}, at level {analysis.gates[0].alpha:g}, one-sided."] if methods else []
    return Table(
        "Gates",
        ("Gate", "Arm", "Pairs", "Difference", "Limit", "p", "Outcome"),
        rows,
        tuple(dict.fromkeys([*how, *said])),
        "llrrrrl",
    )


def measures_table(analysis: Analysis) -> Table:
    """Return what each measure is: its role, its scale and where that comes from, and which way is better."""
    rows = tuple(
        (
            each.declared.label,
            "primary" if each.primary else "exploratory",
            "0 or 1" if each.declared.scale == "binary" else "{:g} to {:g}".format(*each.declared.range),
            "inferred" if each.inferred else "declared",
            each.declared.direction or "not stated",
        )
        for each in analysis.measures
    )
    return Table("Measures", ("Measure", "Role", "Scale", "Scale was", "Better"), rows, (), "lllll")


def inputs_table(analysis: Analysis, most: int | None = None) -> Table:
    """Return which files were read, no more than ``most`` of them, and what there is to say about it."""
    rows = tuple((each.file, each.format, count(each.size), each.sha256[:_DIGEST]) for each in analysis.inputs[:most])
    left = len(analysis.inputs) - len(rows)
    more = (f"{counted(left, 'file')} more; --out and --json list all.",) if left else ()
    return Table("Files", ("File", "Format", "Bytes", "SHA-256"), rows, (*more, *analysis.notes), "llrl")
