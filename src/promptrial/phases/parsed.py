"""What parsing makes of the rows of a part: predictions in the order of the requests, raw lines, and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol

import msgspec

from promptrial import registry
from promptrial.design.growth import Piece
from promptrial.documents.files import open_regular
from promptrial.model import Arm, Completion, Part, RequestId, Trial, ids
from promptrial.model.arms import ArmName
from promptrial.model.responses import ThinkTags, is_cut, settle
from promptrial.phases.prepared import ItemKey
from promptrial.phases.row_index import ParseRow, RowIndex, index_rows, lines_at, parsed_row
from promptrial.phases.spec import RunSpec
from promptrial.store.tables import Column

if TYPE_CHECKING:
    from promptrial.phases.other_models import OtherModels

__all__ = [
    "CACHE_COLUMNS",
    "CONFLICT",
    "FURTHER_COLUMNS",
    "LATENCY_COLUMNS",
    "PREDICTION_COLUMNS",
    "REASONING_COLUMNS",
    "ArmCounts",
    "ColumnsLackError",
    "Lines",
    "Output",
    "ParseReport",
    "Rows",
    "output_of",
    "requests_of",
    "take_piece",
    "think_tags_of",
]

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
LATENCY_COLUMNS: Final[tuple[Column, ...]] = (("latency_s", "float"),)
"""Appended, behind those, where any answer of the trial says how many seconds its server took."""
FURTHER_COLUMNS: Final = (*REASONING_COLUMNS, *CACHE_COLUMNS, *LATENCY_COLUMNS)
CONFLICT: Final = "conflicting_answers"


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


class Rows(Protocol):
    """What takes predictions."""

    def append(self, row: Sequence[Any], characters: int = 0) -> None:
        """Take one row, whose texts have so many characters."""


class Lines(Protocol):
    """What takes raw lines."""

    def write(self, data: bytes) -> object:
        """Take a line."""


@dataclass(slots=True)
class Output:
    """Where one trial's rows go, and the counts so far."""

    predictions: Rows
    combined: Lines
    quarantine: Lines
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
        ColumnsLackError
            If it has something that the table has no column for.
        """
        settled = settle(completion, self.think_tags[rid.condition])
        if lacking := [column for column in _needed_columns(settled) if column not in self.further]:
            raise ColumnsLackError(lacking)
        arm = self.report.arms[rid.condition]
        if settled.error is None:
            arm.count_answer(settled)
            self.models.count(rid.condition, completion.model)
        else:
            self.reasons[rid.condition][_reason(settled.error)] += 1
            if completion.error is None:
                arm.count_empty(settled)
        self.combined.write(line + b"\n")
        row = _prediction(rid, settled)
        if self.further:
            row += tuple(getattr(settled, name) for name, _ in self.further)
        self.predictions.append(row, len(settled.text) + len(settled.reasoning or ""))

    def set_apart(self, line: bytes) -> None:
        """Keep a line that belongs to no request."""
        self.quarantine.write(line + b"\n")
        self.quarantined += 1


class ColumnsLackError(Exception):
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
    if not (completion.reasoning or completion.reasoning_tokens or completion.cache_write_tokens) and (
        completion.latency_s is None
    ):  # nearly every row
        return ()
    reasoning = REASONING_COLUMNS if completion.reasoning or completion.reasoning_tokens else ()
    cache = CACHE_COLUMNS if completion.cache_write_tokens else ()
    return reasoning + cache + (() if completion.latency_s is None else LATENCY_COLUMNS)


def output_of(
    spec: RunSpec,
    trial: Trial,
    further: tuple[Column, ...],
    predictions: Rows,
    combined: Lines,
    quarantine: Lines,
) -> Output:
    """Return where the rows of a trial go; ``further`` are the columns behind those that every table has."""
    from promptrial.phases.other_models import OtherModels

    return Output(
        predictions,
        combined,
        quarantine,
        ParseReport(arms={name: ArmCounts() for name in trial.conditions}),
        think_tags_of(spec, trial),
        further,
        OtherModels.of(spec, trial),
        reasons={name: Counter() for name in trial.conditions},
    )


def requests_of(part: Part, items: Sequence[ItemKey], trial: Trial) -> list[RequestId]:
    """Return the requests of a part, in order; ``items`` are those that it holds."""
    temp = repr(part.temp)
    return [
        RequestId(key.dataset, key.id, part.condition, temp, sample_index, key.type)
        for key in items
        for sample_index in range(trial.samples_per_item[temp])
    ]


def take_piece(
    path: Path,
    piece: Piece,
    requests: Sequence[RequestId],
    whole: Callable[[], Sequence[RequestId]],
    known: dict[str, RowIndex],
    arm: Arm,
    output: Output,
) -> None:
    """Read the rows of a piece.

    Parameters
    ----------
    path : Path
        The results of its part.
    piece : Piece
    requests : sequence of RequestId
        Those of the piece.
    whole : callable
        Returns those of the whole part, whose index is made once and kept: a part may be in as many pieces as items.
    known : dict
        By part, the indexes that are kept until a part was read whole.
    arm : Arm
    output : Output
    """
    parse_row: ParseRow = registry.load("provider", arm.model.adapter).parse_row
    first = piece.start * (len(requests) // (piece.stop - piece.start))
    with open_regular(path) as file:
        if piece.part.name not in known:
            known[piece.part.name] = index_rows(path, file, whole(), parse_row, output)
        _take_rows(file, requests, first, known[piece.part.name], parse_row, output)
    if piece.stop - piece.start == piece.part.stop - piece.part.start:  # nothing else is read from it
        del known[piece.part.name]


def _take_rows(
    file: BinaryIO,
    requests: Sequence[RequestId],
    first: int,
    index: RowIndex,
    parse_row: ParseRow,
    output: Output,
) -> None:
    """Write and count the responses to requests that follow one another in a part, from a position on."""
    condition = requests[0].condition
    arm = output.report.arms[condition]
    arm.expected += len(requests)
    positions = range(first, first + len(requests))
    for position, rid, line in zip(positions, requests, lines_at(file, index, positions), strict=True):
        completion = parsed_row(line, parse_row) if line else None
        if completion is None:
            if line:
                output.report.malformed_lines += 1
                output.set_apart(line)
            arm.missing += 1
            output.report.missing_ids.setdefault(condition, []).append(ids.canonical(rid))
            continue
        if position in index.conflicts:
            error = f"{CONFLICT}: two rows answer it differently"
            completion = replace(completion, text="", finish_reason=None, reasoning=None, error=error)
        output.take(rid, completion, line)


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


def think_tags_of(spec: RunSpec, trial: Trial) -> dict[ArmName, ThinkTags]:
    """Return how think tags are read in each arm."""
    return {arm.name: spec.config.models[arm.model.alias].think_tags for arm in trial.arms}
