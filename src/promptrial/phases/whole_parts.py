"""The rows of a part of bounded size: read once, held in memory, and laid out column by column.

It does what ``row_index`` and ``parsed`` do row by row, for files of any size and for pieces of parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from promptrial.documents.files import open_regular
from promptrial.model import RequestId
from promptrial.model.completions import CompletionColumns, chosen
from promptrial.phases.parsed import Output, in_conflict
from promptrial.phases.row_index import ABSENT, ParseRow, id_in, position_in, positions_of, row_to_keep

__all__ = ["ParseRows", "fits", "take_whole"]

_LARGEST_FILE: Final = 32 << 20
"""Bytes of results that are held at once; what is made of them takes twice as much."""
_LAID_OUT_TOGETHER: Final = 8_192
ParseRows = Callable[[Sequence[bytes]], CompletionColumns]


def fits(path: Path) -> bool:
    """Tell whether a file of results is small enough to be held."""
    return path.stat().st_size <= _LARGEST_FILE


class _Found(NamedTuple):
    """Rows, what they say, and of each request where its row is (``ABSENT`` if there is none)."""

    lines: list[bytes]
    columns: CompletionColumns
    places: list[int]
    conflicts: set[int]


def take_whole(
    path: Path, requests: Sequence[RequestId], parse_rows: ParseRows, parse_row: ParseRow, output: Output
) -> None:
    """Read the rows of a part, and write and count the responses to its requests.

    Parameters
    ----------
    path : Path
        The results of the part.
    requests : sequence of RequestId
        All that it asks.
    parse_rows, parse_row : callable
        Read many rows, and one.
    output : Output
    """
    found = _find(path, requests, parse_rows, parse_row, output)
    for position in found.conflicts:
        place = found.places[position]
        found.columns.put(place, in_conflict(found.columns.at(place)))
    there = list(_there(requests, found, output))
    for start in range(0, len(there), _LAID_OUT_TOGETHER):
        own = there[start : start + _LAID_OUT_TOGETHER]
        places = [found.places[position] for position in own]
        output.take_many(chosen(requests, own), found.columns.chosen(places), chosen(found.lines, places))


def _there(requests: Sequence[RequestId], found: _Found, output: Output) -> Iterator[int]:
    """Yield the positions of the requests that have a response, and count the others as missing."""
    output.report.arms[requests[0].condition].expected += len(requests)
    for position, place in enumerate(found.places):
        if place != ABSENT and found.columns.wire_id[place] is not None:
            yield position
            continue
        if place != ABSENT:
            output.set_apart_unread(found.lines[place])
        output.count_missing(requests[position])


def _find(
    path: Path, requests: Sequence[RequestId], parse_rows: ParseRows, parse_row: ParseRow, output: Output
) -> _Found:
    """Read all rows, and set those apart that belong to no request."""
    with open_regular(path) as file:
        lines = [line for raw in file if (line := raw.rstrip())]
    columns, position_of = parse_rows(lines), positions_of(path, requests)
    places, conflicts = [ABSENT] * len(requests), set[int]()
    for place, (line, read) in enumerate(zip(lines, columns.wire_id, strict=True)):
        position = position_in(position_of, id_in(line, output) if read is None else read, line, output)
        if position is None:
            continue
        if places[position] == ABSENT:
            places[position] = place
            continue
        kept = row_to_keep(lines[places[position]], line, parse_row, output)
        if kept == "second":
            places[position] = place
        elif kept == "both":
            conflicts.add(position)
    return _Found(lines, columns, places, conflicts)
