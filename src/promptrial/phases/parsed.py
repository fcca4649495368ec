"""What parsing makes of the rows of a part: predictions in the order of the requests, raw lines, and counts."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from operator import add
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from promptrial.model import Completion, Part, RequestId, Trial, ids
from promptrial.model.arms import ArmName
from promptrial.model.completions import CompletionColumns
from promptrial.model.responses import CUT, ThinkTags, error_code, is_cut, settle, settle_many
from promptrial.phases.prepared import ItemKey
from promptrial.phases.spec import RunSpec
from promptrial.store.tables import Column, table_of_columns

if TYPE_CHECKING:
    import pyarrow as pa

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
    "in_conflict",
    "output_of",
    "requests_of",
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
"""Appended, after those, where any prompt of the trial was written to a cache."""
LATENCY_COLUMNS: Final[tuple[Column, ...]] = (("latency_s", "float"),)
"""Appended, after those, where any answer of the trial says how many seconds its server took."""
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

    def count_answers(self, finish_reasons: Sequence[str | None], reasoning: Sequence[str | None]) -> None:
        """Count responses that are answers, given how each ended, and the reasoning of each."""
        self.answered += len(finish_reasons)
        self.truncated += sum(map(CUT.__contains__, finish_reasons))
        self.with_reasoning += len(reasoning) - reasoning.count(None)

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

    def append_table(self, table: pa.Table, characters: array[int]) -> None:
        """Take many rows; ``characters`` says how many the texts of each have."""


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
            self.reasons[rid.condition][error_code(settled.error)] += 1
            if completion.error is None:
                arm.count_empty(settled)
        self.combined.write(line + b"\n")
        row = _prediction(rid, settled)
        if self.further:
            row += tuple(getattr(settled, name) for name, _ in self.further)
        self.predictions.append(row, len(settled.text) + len(settled.reasoning or ""))

    def take_many(self, requests: Sequence[RequestId], columns: CompletionColumns, lines: Sequence[bytes]) -> None:
        """Do what ``take`` does, for requests of one arm that follow one another. The columns are settled in place.

        Raises
        ------
        ColumnsLackError
            As ``take``, but naming all that is needed.
        """
        condition = requests[0].condition
        empty = settle_many(columns, self.think_tags[condition])
        if lacking := [column for column in _columns_needed(columns) if column not in self.further]:
            raise ColumnsLackError(lacking)
        arm = self.report.arms[condition]
        answered = [error is None for error in columns.error]
        self.reasons[condition].update(error_code(error) for error in columns.error if error is not None)
        arm.count_answers(list(compress(columns.finish_reason, answered)), list(compress(columns.reasoning, answered)))
        self.models.count_all(condition, compress(columns.model, answered))
        for place in empty:
            arm.count_empty(columns.at(place))
        self.combined.write(b"\n".join(lines) + b"\n")
        values = _prediction_columns(requests, columns) + [getattr(columns, name) for name, _ in self.further]
        characters = array("q", map(len, columns.text))
        if any(columns.reasoning):
            characters = array("q", map(add, characters, (len(each or "") for each in columns.reasoning)))
        self.predictions.append_table(table_of_columns(PREDICTION_COLUMNS + self.further, values), characters)

    def count_missing(self, rid: RequestId) -> None:
        """Count a request without a response."""
        self.report.arms[rid.condition].missing += 1
        self.report.missing_ids.setdefault(rid.condition, []).append(ids.canonical(rid))

    def set_apart_unread(self, line: bytes) -> None:
        """Keep a row of a request that cannot be read."""
        self.report.malformed_lines += 1
        self.set_apart(line)

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


def _columns_needed(columns: CompletionColumns) -> tuple[Column, ...]:
    """Return the columns that some completions need besides those that every table has."""
    reasoning = REASONING_COLUMNS if any(columns.reasoning) or any(columns.reasoning_tokens) else ()
    cache = CACHE_COLUMNS if any(columns.cache_write_tokens) else ()
    return reasoning + cache + (LATENCY_COLUMNS if columns.latency_s.count(None) < len(columns.latency_s) else ())


def output_of(
    spec: RunSpec,
    trial: Trial,
    further: tuple[Column, ...],
    predictions: Rows,
    combined: Lines,
    quarantine: Lines,
) -> Output:
    """Return where the rows of a trial go; ``further`` are the columns after those that every table has."""
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


def _prediction_columns(requests: Sequence[RequestId], columns: CompletionColumns) -> list[Sequence[Any]]:
    """Return what ``_prediction`` does of each, column by column."""
    datasets, items, conditions, temps, samples, types = zip(*requests, strict=True)
    texts: Sequence[str | None] = columns.text
    if columns.error.count(None) < len(requests):
        texts = [text if error is None else None for text, error in zip(columns.text, columns.error, strict=True)]
    return [
        [ids.canonical(rid) for rid in requests],
        *(datasets, items, conditions, temps, samples, types),
        columns.request_id,
        columns.finish_reason,
        texts,
        columns.prompt_tokens,
        columns.completion_tokens,
        columns.total_tokens,
        columns.cached_tokens,
        columns.error,
    ]


def in_conflict(completion: Completion) -> Completion:
    """Return the completion of a request with two rows that say different things, given that of one."""
    error = f"{CONFLICT}: two rows answer it differently"
    return replace(completion, text="", finish_reason=None, reasoning=None, error=error)


def think_tags_of(spec: RunSpec, trial: Trial) -> dict[ArmName, ThinkTags]:
    """Return how think tags are read in each arm."""
    return {arm.name: spec.config.models[arm.model.alias].think_tags for arm in trial.arms}
