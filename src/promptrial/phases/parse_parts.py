"""Parsing part by part in worker processes: the bytes are those that one process would write."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

from promptrial.design.growth import Piece
from promptrial.model import Part, Trial
from promptrial.model.arms import ArmName
from promptrial.phases.parsed import (
    PREDICTION_COLUMNS,
    ArmCounts,
    Output,
    ParseReport,
    output_of,
    requests_of,
)
from promptrial.phases.pieces import take_piece
from promptrial.phases.prepared import ItemKey
from promptrial.phases.services import Services
from promptrial.phases.sharing import warn_of
from promptrial.phases.spec import RunSpec
from promptrial.runtime.workers import Workers, in_order
from promptrial.store.tables import Column, HeldTable, MadeRows, TableWriter

__all__ = ["PartParser", "obstacle_to_sharing", "parse_in_workers"]

_LARGEST_FILE: Final = 64 << 20
"""Bytes of results that a worker may hold as they are; a larger file is read row by row by one process."""


class _Task(NamedTuple):
    """A whole part with its items: data sets, ids and types, column by column."""

    part: Part
    items: tuple[tuple[Any, ...], ...]


class ParsedPart(NamedTuple):
    """What became of a part."""

    rows: MadeRows
    combined: bytes
    quarantine: bytes
    report: ParseReport
    reasons: dict[ArmName, Counter[str]]
    named: Counter[tuple[ArmName, str]]
    quarantined: int


@dataclass(frozen=True, slots=True)
class PartParser:
    """Parses whole parts of a trial in memory; any process can."""

    spec: RunSpec
    trial: Trial
    further: tuple[Column, ...]

    def __call__(self, task: _Task) -> ParsedPart:
        """Return what became of a part."""
        part, held = task.part, HeldTable(PREDICTION_COLUMNS + self.further)
        items = [ItemKey(*each) for each in zip(*task.items, strict=True)]
        combined, quarantine = io.BytesIO(), io.BytesIO()
        output = output_of(self.spec, self.trial, self.further, held, combined, quarantine)
        requests = requests_of(part, items, self.trial)
        take_piece(
            self.spec.run.trial(self.trial.slug).part_results(part.name),
            Piece(part, 0, part.stop - part.start),
            requests,
            lambda: requests,
            {},
            self.trial.arm(part.condition),
            output,
        )
        return ParsedPart(
            held.made(),
            combined.getvalue(),
            quarantine.getvalue(),
            output.report,
            output.reasons,
            output.models.named,
            output.quarantined,
        )


def obstacle_to_sharing(spec: RunSpec, trial: Trial, pieces: Sequence[Piece]) -> str:
    """Return why one process has to parse; empty if every piece is a whole part with results of bounded size."""
    folder = spec.run.trial(trial.slug)
    for piece in pieces:
        if piece.stop - piece.start != piece.part.stop - piece.part.start:
            return "the run has grown, and its table needs parts in pieces"
        if folder.part_results(piece.part.name).stat().st_size > _LARGEST_FILE:
            return f"the results of part {piece.part.name} have more than {_LARGEST_FILE >> 20} MiB"
    return ""


def parse_in_workers(
    spec: RunSpec,
    services: Services,
    trial: Trial,
    pieces: Sequence[tuple[Piece, Sequence[ItemKey]]],
    output: Output,
    table: TableWriter,
    workers: Workers,
) -> Iterator[int]:
    """Do what ``parse.take_rows`` does, in worker processes.

    Parameters
    ----------
    spec : RunSpec
    services : Services
    trial : Trial
    pieces : sequence of (Piece, sequence of ItemKey)
        Whole parts in the order of the table, with the items of each.
    output : Output
        Takes the raw lines and the counts.
    table : TableWriter
        Takes the predictions.
    workers : Workers
    """
    make = partial(PartParser, spec.without_secrets(), trial, output.further)
    tasks = (_Task(piece.part, tuple(zip(*items, strict=True))) for piece, items in pieces)
    found = in_order(make, tasks, workers, services.stop.check, partial(warn_of, services, trial))
    for (piece, _), parsed in zip(pieces, found, strict=True):
        table.append_made(parsed.rows)
        _add(output, parsed)
        yield piece.part.rows


def _add(output: Output, parsed: ParsedPart) -> None:
    """Add what became of a part to what became of those before it."""
    output.combined.write(parsed.combined)
    output.quarantine.write(parsed.quarantine)
    output.quarantined += parsed.quarantined
    report = output.report
    for name, counts in parsed.report.arms.items():
        _add_counts(report.arms[name], counts)
        output.reasons[name] += parsed.reasons[name]
    report.duplicates_ignored += parsed.report.duplicates_ignored
    report.unknown_ids += parsed.report.unknown_ids
    report.malformed_lines += parsed.report.malformed_lines
    for name, missing in parsed.report.missing_ids.items():
        report.missing_ids.setdefault(name, []).extend(missing)
    output.models.named.update(parsed.named)


def _add_counts(counts: ArmCounts, more: ArmCounts) -> None:
    for field in ("expected", "answered", "missing", "empty", "empty_usage_unknown", "truncated", "with_reasoning"):
        setattr(counts, field, getattr(counts, field) + getattr(more, field))
