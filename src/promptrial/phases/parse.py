"""Parse: bring each part's raw rows into request order, and write them as one table of predictions.

Rows may come in any order. A row for an unknown request is kept apart, and a repeated row is dropped if it says the
same. If it does not, nobody can tell which is the answer: the request then counts as one that ended in an error. A line
that is not a row is counted, and a request without a row is listed as missing. Reasoning is kept apart from the answer,
and for a response without an answer the reason is recorded where errors are (``model.responses``).
Results are never held in memory: the first pass notes where each row is, the second reads them in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from promptrial.design.growth import Piece, pieces_of
from promptrial.model import RequestId, Trial
from promptrial.model.units import Unit
from promptrial.phases import versions
from promptrial.phases.base import Manifests, Phase, Produced
from promptrial.phases.parsed import (
    CONFLICT,
    FURTHER_COLUMNS,
    PREDICTION_COLUMNS,
    ColumnsLackError,
    Output,
    output_of,
    requests_of,
    think_tags_of,
)
from promptrial.phases.prepared import ItemKey, item_keys
from promptrial.phases.sample import added_items, parts_in_table_order
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.phases.waves import asked_steps
from promptrial.phases.work import parts_of
from promptrial.store.atomic import AtomicFile
from promptrial.store.part_records import FileRecord
from promptrial.store.tables import Column, TableWriter

__all__ = ["PHASE", "take_rows"]


def _run(spec: RunSpec, services: Services, trial: Trial) -> Produced:
    further: tuple[Column, ...] = ()
    while True:
        try:
            return _parse(spec, services, trial, further)
        except ColumnsLackError as found:  # nothing was published; mostly the first row tells
            further = tuple(column for column in FURTHER_COLUMNS if column in {*further, *found.columns})


def _parse(spec: RunSpec, services: Services, trial: Trial, further: tuple[Column, ...]) -> Produced:
    results = spec.run.trial(trial.slug).results
    with _files(results, further) as files:
        output = output_of(spec, trial, further, *files)
        steps = asked_steps(spec.run, trial.slug)
        rows = sum(part.rows for part in parts_of(spec, trial) if steps is None or part.step < steps)
        with services.progress.task("parse", Unit(trial.slug), rows) as task:
            for n in _taken(spec, services, trial, output, files.predictions, steps, rows):
                services.stop.check()
                task.advance(n)
        _say_conflicts(spec, services, trial, output, files.quarantine.path)
        from promptrial.reporting.empty_and_truncated import response_warnings  # which a plan does without

        for warning in (*response_warnings(output.report.arms), *output.models.warnings()):
            services.events.warn(f"{trial.slug}: {warning}")
        report_record = _write_report(results / "parse_report.json", output)
    return Produced(
        {
            **files.predictions.records(),
            files.combined.path: FileRecord(files.combined.sha256(), files.combined.size, files.predictions.rows),
            files.quarantine.path: FileRecord(files.quarantine.sha256(), files.quarantine.size, output.quarantined),
            results / "parse_report.json": report_record,
        }
    )


def _taken(
    spec: RunSpec,
    services: Services,
    trial: Trial,
    output: Output,
    table: TableWriter,
    steps: int | None,
    rows: int,
) -> Iterator[int]:
    """Do what ``take_rows`` does, in several processes where the parts allow it."""
    from promptrial.phases.parse_parts import obstacle_to_sharing, parse_in_workers
    from promptrial.phases.sharing import say_unused, why_one, workers_for

    workers, alone = workers_for(spec, rows), why_one(spec, rows)
    if not alone:
        keys = list(item_keys(spec.run))
        added = added_items(spec, keys)
        pieces = list(_pieces(spec, trial, added, steps))
        alone = obstacle_to_sharing(spec, trial, pieces)
        if not alone:
            held = [(piece, _items(keys, added, piece)) for piece in pieces]
            return parse_in_workers(spec, services, trial, held, output, table, workers)
    if not output.further:  # else it was said when this began
        say_unused(spec, services, trial, "parse", alone)
    return take_rows(spec, trial, output, steps)


def take_rows(spec: RunSpec, trial: Trial, output: Output, steps: int | None = None) -> Iterator[int]:
    """Read the rows of a trial's parts in the order of its table, and yield how many requests each piece had.

    Parameters
    ----------
    spec : RunSpec
    trial : Trial
    output : Output
        Takes the rows.
    steps : int, optional
        Of how many steps of the sample; all of them if not given.
    """
    from promptrial.phases.pieces import take_piece  # plan can do without both
    from promptrial.phases.row_index import RowIndex

    known: dict[str, RowIndex] = {}
    keys = list(item_keys(spec.run))
    added = added_items(spec, keys)
    for piece in _pieces(spec, trial, added, steps):
        part = piece.part
        whole = Piece(part, 0, part.stop - part.start)
        path = spec.run.trial(trial.slug).part_results(part.name)
        requests = _requests(trial, keys, added, piece)
        of_part = (lambda own=requests: own) if piece == whole else partial(_requests, trial, keys, added, whole)
        take_piece(path, piece, requests, of_part, known, trial.arm(part.condition), output)
        yield part.rows // (whole.stop - whole.start) * (piece.stop - piece.start)


def _pieces(spec: RunSpec, trial: Trial, added: Sequence[Sequence[int]], steps: int | None) -> Iterator[Piece]:
    """Yield the pieces of a trial's parts in the order of its table."""
    for piece in pieces_of(parts_in_table_order(spec, trial), parts_of(spec, trial), added):
        if steps is None or piece.part.step < steps:
            yield piece


def _items(keys: Sequence[ItemKey], added: Sequence[Sequence[int]], piece: Piece) -> list[ItemKey]:
    """Return the items of a piece."""
    first = piece.part.start
    return [keys[at] for at in added[piece.part.step][first + piece.start : first + piece.stop]]


def _requests(trial: Trial, keys: Sequence[ItemKey], added: Sequence[Sequence[int]], piece: Piece) -> list[RequestId]:
    return requests_of(piece.part, _items(keys, added, piece), trial)


def _say_conflicts(spec: RunSpec, services: Services, trial: Trial, output: Output, apart: Path) -> None:
    if count := sum(reasons[CONFLICT] for reasons in output.reasons.values()):
        services.events.warn(
            f"{trial.slug}: requests with two different answers: {count}; they count as errors (conflicting_answers), "
            f"and the second answers are in {spec.run.relative(apart)}"
        )


class _Files(NamedTuple):
    predictions: TableWriter
    combined: AtomicFile
    quarantine: AtomicFile


@contextmanager
def _files(results: Path, further: tuple[Column, ...]) -> Iterator[_Files]:
    with ExitStack() as stack:
        yield _Files(
            stack.enter_context(TableWriter(results / "predictions", PREDICTION_COLUMNS + further)),
            stack.enter_context(AtomicFile(results / "results_combined.jsonl")),
            stack.enter_context(AtomicFile(results / "quarantine.jsonl")),
        )


def _write_report(path: Path, output: Output) -> FileRecord:
    report = output.report
    report.rows = sum(arm.answered for arm in report.arms.values())
    for condition, reasons in output.reasons.items():
        report.arms[condition].errors = dict(sorted(reasons.items()))
        report.rows += reasons.total()
    with AtomicFile(path) as file:
        file.write(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    return FileRecord(file.sha256(), file.size)


def _settings(spec: RunSpec, _manifests: Manifests, trial: Trial | None) -> object:
    """Return how think tags are read, where that is not the default: older receipts know nothing of it."""
    if trial is None:
        return None
    read = spec.config.models[trial.model.alias].think_tags
    settings: dict[str, Any] = {} if read == "separate" else {"think_tags": read}
    own = {name: tags for name, tags in think_tags_of(spec, trial).items() if tags != read}
    return settings | ({"arms": own} if own else {}) or None


PHASE = Phase(
    name="parse",
    settings=_settings,
    reads=("prepare", "build", "poll"),
    made_with=lambda _spec: versions.added_columns(PREDICTION_COLUMNS, first=15),
    run_trial=_run,
    space=lambda _spec, size_read: 2 * size_read,  # combined rows, CSV and Parquet of what poll brought home
)
