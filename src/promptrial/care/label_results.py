"""What the labels of sheets say about a measure of a run: sheets are read, and nothing in the run changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from promptrial.care.opened import ReadRun
from promptrial.care.shown_items import sides_of
from promptrial.care.unfinished import unfinished_warnings
from promptrial.care.whole_results import check_effects
from promptrial.documents import significance
from promptrial.documents.files import read_bytes
from promptrial.documents.label_sheets import read_sheet
from promptrial.documents.labels import LabelReport
from promptrial.documents.significance import Significance
from promptrial.errors import UsageError
from promptrial.model import Trial
from promptrial.phases import agreement
from promptrial.phases.labelled import labels_of
from promptrial.phases.side_by_side import SideBySide
from promptrial.registry import JUDGES, near_misses

__all__ = ["label_report", "measure_of", "rubric_of"]


def measure_of(sides: SideBySide, name: str | None) -> str:
    """Return the measure that is meant; without a name the one that says what is right, else the first primary one.

    Raises
    ------
    UsageError
        If no scorer has this name.
    """
    chosen = name or sides.judge
    if chosen is None or chosen not in sides.scorers:
        raise UsageError(
            f"no measure {chosen!r} in {sides.trial.slug}{near_misses(chosen or '', list(sides.scorers))}",
            hint=f"name one with --measure: {', '.join(sides.scorers)}",
        )
    return chosen


def rubric_of(found: ReadRun, measure: str) -> str:
    """Return the rubric of a measure that is a judge's; empty for any other."""
    entry = found.spec.config.scorers_in_use.get(measure)
    return str(entry.with_text.get("rubric") or "") if entry is not None and entry.kind in JUDGES else ""


def label_report(found: ReadRun, trial: Trial, sheets: Sequence[Path]) -> LabelReport:
    """Compare the labels of sheets, each by another person, with the measure that they were drawn for.

    Raises
    ------
    UsageError
        If the trial has no results yet, or there is no such file.
    DataError
        As ``read_sheet`` and ``labels_of``.
    CorruptRecordError
        If the results of the trial are not as they were left.
    """
    sides = sides_of(found, trial)
    labels = labels_of([read_sheet(path) for path in sheets], sides)
    report = agreement.label_report(sides, _significance(found, trial), labels)
    warnings = tuple(each.document() for each in unfinished_warnings(found, trial))
    return msgspec.structs.replace(report, warnings=warnings, dry_run=found.spec.dry_run)


def _significance(found: ReadRun, trial: Trial) -> Significance:
    check_effects(found, trial)
    return significance.decode(read_bytes(found.spec.run.trial(trial.slug).results / "significance.json"))
