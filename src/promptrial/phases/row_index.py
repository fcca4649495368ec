"""Where the row of each request of a part stands in its results, and reading the rows in the order of the requests."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from promptrial.errors import DataError
from promptrial.model import Completion, RequestId, ids
from promptrial.providers.request_rows import row_id

if TYPE_CHECKING:
    from promptrial.phases.parsed import Output

__all__ = ["ParseRow", "RowIndex", "index_rows", "lines_at", "parsed_row"]

_ABSENT: Final = -1
_READ_TOGETHER: Final = 256
_LARGEST_BLOCK: Final = 1 << 20
"""Bytes that are read at once; rows that stand further apart are read one by one."""
ParseRow = Callable[[bytes], Completion]


class RowIndex(NamedTuple):
    """Where the row of each request of a part stands, and which requests have two rows that say different things.

    A row's place is its start (``_ABSENT`` if there is none) and its length in bytes.
    """

    starts: array[int]
    lengths: array[int]
    conflicts: set[int]


def lines_at(file: BinaryIO, index: RowIndex, positions: range) -> Iterator[bytes]:
    """Yield the row of each position, empty where there is none; rows that stand near each other are read together."""
    for first in range(0, len(positions), _READ_TOGETHER):
        chosen = positions[first : first + _READ_TOGETHER]
        starts, lengths = index.starts[chosen.start : chosen.stop], index.lengths[chosen.start : chosen.stop]
        low = min((start for start in starts if start != _ABSENT), default=0)
        high = max(low, *map(add, starts, lengths))
        block = os.pread(file.fileno(), high - low, low) if high - low <= _LARGEST_BLOCK else None
        for start, length in zip(starts, lengths, strict=True):
            if start == _ABSENT:
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
            was, now = (None, None) if first == line else (parsed_row(first, parse_row), parsed_row(line, parse_row))
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
    return RowIndex(starts, lengths, conflicts)


def parsed_row(line: bytes, parse_row: ParseRow) -> Completion | None:
    """Return what a row says; None if it cannot be read."""
    try:
        return parse_row(line)
    except ValueError:
        return None
