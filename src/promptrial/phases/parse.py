"""Parse: bring each part's raw rows into request order, and write them as one table of predictions.

Rows may come in any order. A row for an unknown request is kept apart, and a repeated row is dropped if it says the
same. If it does not, nobody can tell which is the answer: the request then counts as one that ended in an error. A line
that is no row is counted, and a request without a row is listed as missing. Reasoning is kept apart from the answer,
and a response without an answer is missing for a reason that stands where errors stand (``model.responses``).
Results are never held in memory: the first pass notes where each row stands, the second reads them in order.
"""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import msgspec

from promptrial import registry
from promptrial.design.growth import Piece, pieces_of
from promptrial.documents.files import open_regular
from promptrial.errors import DataError
from promptrial.model import Arm, Completion, Part, RequestId, Trial, ids
from promptrial.model.arms import ArmName
from promptrial.model.responses import ThinkTags, is_cut, settle
from promptrial.model.units import Unit
from promptrial.phases import versions
from promptrial.phases.base import Manifests, Phase, Produced
from promptrial.phases.other_models import OtherModels
from promptrial.phases.prepared import ItemKey, item_keys
from promptrial.phases.sample import added_items, parts_in_table_order
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.phases.work import parts_of
from promptrial.providers.request_rows import row_id
from promptrial.reporting.responses import response_warnings
from promptrial.store.atomic import AtomicFile
from promptrial.store.records import FileRecord
from promptrial.store.tables import Column, TableWriter

__all__ = ["CACHE_COLUMNS", "PHASE", "PREDICTION_COLUMNS", "ArmCounts", "ParseReport"]

PREDICTION_COLUMNS: Final[tuple[Column, ...]] = (
    ("custom_id", "text"),
    ("dataset", "category"),
    ("item_id", "text"),
    ("condition", "category"),
    ("temp", "category"),
    ("sample_index", "int"),
    ("type", "category"),
    ("request_id", "text"),
    ("finish_reason", "category"),
    ("response_text", "text"),
    ("prompt_tokens", "int"),
    ("completion_tokens", "int"),
    ("total_tokens", "int"),
    ("cached_tokens", "int"),
    ("error", "text"),
)
REASONING_COLUMNS: Final[tuple[Column, ...]] = (("reasoning_tokens", "int"), ("reasoning", "text"))
"""Appended where any response of the trial has reasoning, so that other tables keep their bytes."""
CACHE_COLUMNS: Final[tuple[Column, ...]] = (("cache_write_tokens", "int"),)
"""Appended, behind those, where any prompt of the trial was written to a cache."""
_FURTHER_COLUMNS: Final = (*REASONING_COLUMNS, *CACHE_COLUMNS)
_ABSENT: Final = -1
_CONFLICT: Final = "conflicting_answers"
_ParseRow = Callable[[bytes], Completion]


class ArmCounts(msgspec.Struct):
    """Requests of one arm: asked for, answered, answered with an error (by reason), and missing.

    Among the errors, ``empty`` counts responses that came back without an answer, for the reasons that
    ``responses.NO_TEXT`` names; ``empty_usage_unknown`` those of them whose tokens the provider did not report. Among
    the answers, ``truncated`` counts those that were cut off at the token limit, ``with_reasoning`` those whose
    reasoning is kept apart.
    """

    expected: int = 0
    answered: int = 0
    errors: dict[str, int] = {}
    missing: int = 0
    empty: int = 0
    empty_usage_unknown: int = 0
    truncated: int = 0
    with_reasoning: int = 0

    def count_answer(self, completion: Completion) -> None:
        """Count a response that is an answer."""
        self.answered += 1
        self.truncated += is_cut(completion)
        self.with_reasoning += completion.reasoning is not None

    def count_empty(self, completion: Completion) -> None:
        """Count a response that came back without an answer."""
        self.empty += 1
        self.empty_usage_unknown += completion.prompt_tokens is None or completion.completion_tokens is None


class ParseReport(msgspec.Struct, kw_only=True):
    """``parse_report.json``: what became of every request and of every line."""

    schema_version: int = 1
    arms: dict[ArmName, ArmCounts]
    rows: int = 0
    duplicates_ignored: int = 0
    unknown_ids: int = 0
    malformed_lines: int = 0
    missing_ids: dict[ArmName, list[str]] = {}


@dataclass(slots=True)
class _Output:
    """Where one trial's rows go, and the counts so far."""

    predictions: TableWriter
    combined: AtomicFile
    quarantine: AtomicFile
    report: ParseReport
    think_tags: Mapping[ArmName, ThinkTags]
    further: tuple[Column, ...]
    models: OtherModels
    quarantined: int = 0
    reasons: dict[ArmName, Counter[str]] = field(default_factory=dict)

    def take(self, rid: RequestId, completion: Completion, line: bytes) -> None:
        """Write and count the response to a request: as it came, then settled.

        Raises
        ------
        _ColumnsLackError
            If it has something that the table has no column for.
        """
        settled = settle(completion, self.think_tags[rid.condition])
        lacking = [column for column in _needed_columns(settled) if column not in self.further]
        if lacking:
            raise _ColumnsLackError(lacking)
        arm = self.report.arms[rid.condition]
        if settled.error is None:
            arm.count_answer(settled)
            self.models.count(rid.condition, completion.model)
        else:
            self.reasons[rid.condition][_reason(settled.error)] += 1
            if completion.error is None:
                arm.count_empty(settled)
        self.combined.write(line + b"\n")
        row = _prediction(rid, settled) + tuple(getattr(settled, name) for name, _ in self.further)
        self.predictions.append(row, len(settled.text) + len(settled.reasoning or ""))

    def set_apart(self, line: bytes) -> None:
        """Keep a line that belongs to no request."""
        self.quarantine.write(line + b"\n")
        self.quarantined += 1


class _ColumnsLackError(Exception):
    """A response has something that the table has no column for.

    Parameters
    ----------
    columns : sequence of Column
        Those that it needs.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__(columns)
        self.columns = columns


def _needed_columns(completion: Completion) -> tuple[Column, ...]:
    if not (completion.reasoning or completion.reasoning_tokens or completion.cache_write_tokens):
        return ()
    reasoning = REASONING_COLUMNS if completion.reasoning or completion.reasoning_tokens else ()
    return (*reasoning, *(CACHE_COLUMNS if completion.cache_write_tokens else ()))


def _run(spec: RunSpec, services: Services, trial: Trial) -> Produced:
    further: tuple[Column, ...] = ()
    while True:
        try:
            return _parse(spec, services, trial, further)
        except _ColumnsLackError as found:  # nothing was published; mostly the first row tells
            further = tuple(column for column in _FURTHER_COLUMNS if column in {*further, *found.columns})


def _parse(spec: RunSpec, services: Services, trial: Trial, further: tuple[Column, ...]) -> Produced:
    results = spec.run.trial(trial.slug).results
    with _outputs(results, trial, further, _think_tags(spec, trial), OtherModels.of(spec, trial)) as output:
        keys = list(item_keys(spec.run))
        parts, added = parts_of(spec, trial), added_items(spec, keys)
        known: dict[str, _Index] = {}
        with services.progress.task("parse", Unit(trial.slug), sum(part.rows for part in parts)) as task:
            for piece in pieces_of(parts_in_table_order(spec, trial), parts, added):
                services.stop.check()
                part = piece.part
                path = spec.run.trial(trial.slug).part_results(part.name)
                held = [keys[at] for at in added[part.step][part.start : part.stop]]
                _parse_piece(path, piece, _requests(part, held, trial), known, trial.arm(part.condition), output)
                task.advance(part.rows // len(held) * (piece.stop - piece.start))
        _say_conflicts(spec, services, trial, output)
        for warning in (*response_warnings(output.report.arms), *output.models.warnings()):
            services.events.warn(f"{trial.slug}: {warning}")
        report_record = _write_report(results / "parse_report.json", output)
    return Produced(
        {
            **output.predictions.records(),
            output.combined.path: FileRecord(output.combined.sha256(), output.combined.size, output.predictions.rows),
            output.quarantine.path: FileRecord(output.quarantine.sha256(), output.quarantine.size, output.quarantined),
            results / "parse_report.json": report_record,
        }
    )


def _say_conflicts(spec: RunSpec, services: Services, trial: Trial, output: _Output) -> None:
    if count := sum(reasons[_CONFLICT] for reasons in output.reasons.values()):
        services.events.warn(
            f"{trial.slug}: requests with two different answers: {count}; they count as errors ({_CONFLICT}), and the "
            f"second answers are in {spec.run.relative(output.quarantine.path)}"
        )


@contextmanager
def _outputs(
    results: Path,
    trial: Trial,
    further: tuple[Column, ...],
    think_tags: Mapping[ArmName, ThinkTags],
    models: OtherModels,
) -> Iterator[_Output]:
    with ExitStack() as stack:
        yield _Output(
            stack.enter_context(TableWriter(results / "predictions", PREDICTION_COLUMNS + further)),
            stack.enter_context(AtomicFile(results / "results_combined.jsonl")),
            stack.enter_context(AtomicFile(results / "quarantine.jsonl")),
            ParseReport(arms={name: ArmCounts() for name in trial.conditions}),
            think_tags,
            further,
            models,
            reasons={name: Counter() for name in trial.conditions},
        )


def _requests(part: Part, items: Sequence[ItemKey], trial: Trial) -> list[RequestId]:
    """Return the requests of a part, in order; ``items`` are those that it holds."""
    temp = repr(part.temp)
    return [
        RequestId(key.dataset, key.id, part.condition, temp, sample_index, key.type)
        for key in items
        for sample_index in range(trial.samples_per_item[temp])
    ]


class _Index(NamedTuple):
    """Where the row of each request of a part stands, and which requests have two rows that say different things.

    A row's place is its start (``_ABSENT`` if there is none) and its length in bytes.
    """

    starts: array[int]
    lengths: array[int]
    conflicts: set[int]


def _parse_piece(
    path: Path,
    piece: Piece,
    requests: Sequence[RequestId],
    known: dict[str, _Index],
    arm: Arm,
    output: _Output,
) -> None:
    """Read the rows of a piece; ``requests`` are those of its whole part, whose index is made once and kept."""
    parse_row: _ParseRow = registry.load("provider", arm.model.adapter).parse_row
    n_items = piece.part.stop - piece.part.start
    first, end = (len(requests) // n_items * position for position in (piece.start, piece.stop))
    with open_regular(path) as file:
        if piece.part.name not in known:
            known[piece.part.name] = _index_rows(path, file, requests, parse_row, output)
        _take_rows(file, requests, range(first, end), known[piece.part.name], parse_row, output)
    if piece.stop - piece.start == n_items:  # nothing else is read from it
        del known[piece.part.name]


def _take_rows(
    file: BinaryIO,
    requests: Sequence[RequestId],
    positions: range,
    index: _Index,
    parse_row: _ParseRow,
    output: _Output,
) -> None:
    """Write and count the responses to the requests at some positions of a part."""
    condition = requests[positions.start].condition
    arm = output.report.arms[condition]
    arm.expected += len(positions)
    for position in positions:
        rid, start = requests[position], index.starts[position]
        line = b"" if start == _ABSENT else os.pread(file.fileno(), index.lengths[position], start)
        completion = _parsed(line, parse_row) if line else None
        if completion is None:
            if line:
                output.report.malformed_lines += 1
                output.set_apart(line)
            arm.missing += 1
            output.report.missing_ids.setdefault(condition, []).append(ids.canonical(rid))
            continue
        if position in index.conflicts:
            error = f"{_CONFLICT}: two rows answer it differently"
            completion = replace(completion, text="", finish_reason=None, reasoning=None, error=error)
        output.take(rid, completion, line)


def _index_rows(
    path: Path,
    file: BinaryIO,
    requests: Sequence[RequestId],
    parse_row: _ParseRow,
    output: _Output,
) -> _Index:
    """Read where the row of each request of a part stands.

    Raises
    ------
    DataError
        If two requests have one id.
    """
    position_of = {ids.wire_encode(rid): position for position, rid in enumerate(requests)}
    if len(position_of) != len(requests):
        raise DataError(f"{path}: two requests of this part have one wire id")
    starts, lengths = array("q", [_ABSENT]) * len(requests), array("q", [0]) * len(requests)
    conflicts: set[int] = set()
    offset = 0
    for raw in file:
        line = raw.rstrip()
        start, offset = offset, offset + len(raw)
        if not line:
            continue
        try:
            position = position_of.get(row_id(line))
        except ValueError:
            output.report.malformed_lines += 1
            output.set_apart(line)
            continue
        if position is None:
            output.report.unknown_ids += 1
            output.set_apart(line)
        elif starts[position] == _ABSENT:
            starts[position], lengths[position] = start, len(line)
        else:
            first = os.pread(file.fileno(), lengths[position], starts[position])
            was, now = (None, None) if first == line else (_parsed(first, parse_row), _parsed(line, parse_row))
            if was == now:
                output.report.duplicates_ignored += 1
            elif was is None or now is None:  # only one of them can be read, and is the answer
                output.report.malformed_lines += 1
                output.set_apart(first if was is None else line)
                if was is None:
                    starts[position], lengths[position] = start, len(line)
            else:
                conflicts.add(position)
                output.set_apart(line)
    return _Index(starts, lengths, conflicts)


def _parsed(line: bytes, parse_row: _ParseRow) -> Completion | None:
    try:
        return parse_row(line)
    except ValueError:
        return None


def _prediction(rid: RequestId, completion: Completion) -> tuple[Any, ...]:
    return (
        ids.canonical(rid),
        *rid[:4],
        rid.sample_index,
        rid.type,
        completion.request_id,
        completion.finish_reason,
        completion.text if completion.error is None else None,
        completion.prompt_tokens,
        completion.completion_tokens,
        completion.total_tokens,
        completion.cached_tokens,
        completion.error,
    )


def _reason(error: str) -> str:
    """Return the code of an error, without the details that differ from row to row."""
    return error.partition(":")[0]


def _write_report(path: Path, output: _Output) -> FileRecord:
    report = output.report
    report.rows = sum(arm.answered for arm in report.arms.values())
    for condition, reasons in output.reasons.items():
        report.arms[condition].errors = dict(sorted(reasons.items()))
        report.rows += reasons.total()
    with AtomicFile(path) as file:
        file.write(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    return FileRecord(file.sha256(), file.size)


def _think_tags(spec: RunSpec, trial: Trial) -> dict[ArmName, ThinkTags]:
    """Return how think tags are read in each arm."""
    return {arm.name: spec.config.models[arm.model.alias].think_tags for arm in trial.arms}


def _settings(spec: RunSpec, _manifests: Manifests, trial: Trial | None) -> object:
    """Return how think tags are read, where that is not the default: older receipts know nothing of it."""
    if trial is None:
        return None
    read = spec.config.models[trial.model.alias].think_tags
    settings: dict[str, Any] = {} if read == "separate" else {"think_tags": read}
    own = {name: tags for name, tags in _think_tags(spec, trial).items() if tags != read}
    return settings | ({"arms": own} if own else {}) or None


PHASE = Phase(
    name="parse",
    settings=_settings,
    reads=("prepare", "build", "poll"),
    made_with=lambda _spec: versions.added_columns(PREDICTION_COLUMNS, first=15),
    run_trial=_run,
    space=lambda _spec, size_read: 2 * size_read,  # combined rows, CSV and Parquet of what poll brought home
)
