"""Where the row of each request of a part is in its results, and reading the rows in the order of the requests."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Literal, NamedTuple

from promptrial.errors import DataError
from promptrial.model import Completion, RequestId, ids
from promptrial.providers.request_rows import row_id

if TYPE_CHECKING:
    from promptrial.phases.parsed import Output

__all__ = [
    "ABSENT",
    "ParseRow",
    "RowIndex",
    "id_in",
    "index_rows",
    "lines_at",
    "parsed_row",
    "position_in",
    "positions_of",
    "row_to_keep",
]

ABSENT: Final = -1
_READ_TOGETHER: Final = 256
_LARGEST_BLOCK: Final = 1 << 20
"""Bytes that are read at once; rows that are further apart are read one by one."""
ParseRow = Callable[[bytes], Completion]


class RowIndex(NamedTuple):
    """Where the row of each request of a part is, and which requests have two rows that say different things.

    A row's place is its start (``ABSENT`` if there is none) and its length in bytes.
    """

    starts: array[int]
    lengths: array[int]
    conflicts: set[int]


def lines_at(file: BinaryIO, index: RowIndex, positions: range) -> Iterator[bytes]:
    """Yield the row of each position, empty where there is none; rows that are near each other are read together."""
    for first in range(0, len(positions), _READ_TOGETHER):
        chosen = positions[first : first + _READ_TOGETHER]
        starts, lengths = index.starts[chosen.start : chosen.stop], index.lengths[chosen.start : chosen.stop]
        low = min((start for start in starts if start != ABSENT), default=0)
        high = max(low, *map(add, starts, lengths))
        block = os.pread(file.fileno(), high - low, low) if high - low <= _LARGEST_BLOCK else None
        for start, length in zip(starts, lengths, strict=True):
            if start == ABSENT:
                yield b""
            elif block is None:
                yield os.pread(file.fileno(), length, start)
            else:
                yield block[start - low : start - low + length]


def index_rows(
    path: Path,
    file: BinaryIO,
    requests: Sequence[RequestId],
    parse_row: ParseRow,
    output: Output,
) -> RowIndex:
    """Read where the row of each request of a part is.

    Raises
    ------
    DataError
        If two requests have one id.
    """
    position_of = positions_of(path, requests)
    starts, lengths = array("q", [ABSENT]) * len(requests), array("q", [0]) * len(requests)
    conflicts: set[int] = set()
    offset = 0
    for raw in file:
        line = raw.rstrip()
        start, offset = offset, offset + len(raw)
        if not line:
            continue
        position = position_in(position_of, id_in(line, output), line, output)
        if position is None:
            continue
        if starts[position] == ABSENT:
            starts[position], lengths[position] = start, len(line)
            continue
        kept = row_to_keep(os.pread(file.fileno(), lengths[position], starts[position]), line, parse_row, output)
        if kept == "second":
            starts[position], lengths[position] = start, len(line)
        elif kept == "both":
            conflicts.add(position)
    return RowIndex(starts, lengths, conflicts)


def positions_of(path: Path, requests: Sequence[RequestId]) -> dict[str, int]:
    """Return the position of each request of a part by its wire id.

    Raises
    ------
    DataError
        If two requests have one id.
    """
    position_of = {wire: position for position, wire in enumerate(ids.wire_encode_all(requests))}
    if len(position_of) != len(requests):
        raise DataError(f"{path}: two requests of this part have one wire id")
    return position_of


def id_in(line: bytes, output: Output) -> str | None:
    """Return the wire id of a row; one without an id is kept separately."""
    try:
        return row_id(line)
    except ValueError:
        output.report.malformed_lines += 1
        output.set_apart(line)
        return None


def position_in(position_of: Mapping[str, int], wire: str | None, line: bytes, output: Output) -> int | None:
    """Return the position of a row's request; a row with the id of no request is kept separately."""
    if wire is None:
        return None
    position = position_of.get(wire)
    if position is None:
        output.report.unknown_ids += 1
        output.set_apart(line)
    return position


def row_to_keep(first: bytes, second: bytes, parse_row: ParseRow, output: Output) -> Literal["first", "second", "both"]:
    """Return which of two rows of one request to keep; both if they say different things. A dropped one is counted."""
    was, now = (None, None) if first == second else (parsed_row(first, parse_row), parsed_row(second, parse_row))
    if was == now:
        output.report.duplicates_ignored += 1
        return "first"
    if was is not None and now is not None:
        output.set_apart(second)
        return "both"
    output.report.malformed_lines += 1  # only one of them can be read, and is the answer
    output.set_apart(first if was is None else second)
    return "second" if was is None else "first"


def parsed_row(line: bytes, parse_row: ParseRow) -> Completion | None:
    """Return what a row says; None if it cannot be read."""
    try:
        return parse_row(line)
    except ValueError:
        return None
