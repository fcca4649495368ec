"""The rows of pieces of parts: a whole part of bounded size by column, anything else row by row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from promptrial import registry
from promptrial.design.growth import Piece
from promptrial.documents.files import open_regular
from promptrial.model import Arm, RequestId
from promptrial.phases.parsed import Output, in_conflict
from promptrial.phases.row_index import ParseRow, RowIndex, index_rows, lines_at, parsed_row
from promptrial.phases.whole_parts import fits, take_whole
from promptrial.providers.capabilities import ReadsRowsTogether

__all__ = ["take_piece"]


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
    adapter = registry.load("provider", arm.model.adapter)
    parse_row: ParseRow = adapter.parse_row
    is_whole = piece.stop - piece.start == piece.part.stop - piece.part.start
    if is_whole and isinstance(adapter, ReadsRowsTogether) and fits(path):
        take_whole(path, requests, adapter.parse_rows, parse_row, output)
        return
    first = piece.start * (len(requests) // (piece.stop - piece.start))
    with open_regular(path) as file:
        if piece.part.name not in known:
            known[piece.part.name] = index_rows(path, file, whole(), parse_row, output)
        _take_rows(file, requests, first, known[piece.part.name], parse_row, output)
    if is_whole:  # nothing else is read from it
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
    output.report.arms[requests[0].condition].expected += len(requests)
    positions = range(first, first + len(requests))
    for position, rid, line in zip(positions, requests, lines_at(file, index, positions), strict=True):
        completion = parsed_row(line, parse_row) if line else None
        if completion is None:
            if line:
                output.set_apart_unread(line)
            output.count_missing(rid)
            continue
        output.take(rid, in_conflict(completion) if position in index.conflicts else completion, line)
