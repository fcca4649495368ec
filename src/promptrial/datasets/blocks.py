"""Blocks of a table of separated values as columns, by Arrow, wherever Arrow reads what the ``csv`` module reads.

That is so for plain blocks. Their text is UTF-8 without zero bytes; a carriage return is only before a newline;
each quote opens a cell at its beginning, closes one at its end, or is one of two inside a quoted cell; each record has
a cell for each column. Quotes alternate between opening and closing, so that it is enough to look at what is before
each opening and after each closing one: two quotes inside a cell close it and open it again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

__all__ = ["Block", "Mask", "are_blank", "are_filled", "are_odd", "contain", "joined", "plain_block", "values_of"]

Mask = np.ndarray
"""A truth value for each row."""

_MOST: Final = 64 << 20  # Arrow counts in 32 bits
_NEWLINE, _RETURN, _QUOTE, _SPACE, _DELETE = b'\n\r" \x7f'


@dataclass(frozen=True, slots=True)
class Block:
    """A plain block of n records.

    Attributes
    ----------
    text : bytes
        Its lines.
    cells : dict of BinaryArray, each of length n
        Index of a column -> its cells as UTF-8, of the columns that were asked for.
    newlines : ndarray
        Where the lines of the text end, those inside of cells too.
    starts, ends : ndarray, shape (n,)
        Where each record begins, and the newline that ends it.
    """

    text: bytes
    cells: dict[int, pa.BinaryArray]
    newlines: np.ndarray
    starts: np.ndarray
    ends: np.ndarray

    def records(self, places: np.ndarray) -> list[tuple[int, str]]:
        """Return some of the records, each with the number of lines before it."""
        starts, ends = self.starts[places], self.ends[places] + 1
        lines = np.searchsorted(self.newlines, starts)
        return [
            (line, self.text[start:end].decode())
            for line, start, end in zip(lines.tolist(), starts.tolist(), ends.tolist(), strict=True)
        ]


def plain_block(text: bytes, separator: str, n_columns: int, wanted: Sequence[int]) -> Block | None:
    """Return a block as columns; None if it is not plain.

    Parameters
    ----------
    text : bytes
        Begins with a record, and ends with a newline.
    separator : str
        The character between cells.
    n_columns : int
    wanted : sequence of int
        Indices of the columns whose cells are wanted, at least one.
    """
    if len(text) > _MOST or not separator.isascii() or separator in '"\r\n' or not _is_text(text):
        return None
    characters = np.frombuffer(text, np.uint8)
    quotes, newlines = np.flatnonzero(characters == _QUOTE), np.flatnonzero(characters == _NEWLINE)
    if np.count_nonzero(characters == _RETURN) != np.count_nonzero(characters[newlines - 1] == _RETURN):
        return None
    if not _are_paired(characters, quotes, ord(separator)):
        return None
    cells = _cells(text, separator, n_columns, wanted)
    if cells is None:
        return None
    n_records, ends = len(cells[wanted[0]]), newlines
    if n_records != len(newlines):  # there are blank lines, or newlines in cells
        ends = newlines[np.searchsorted(quotes, newlines) % 2 == 0]
    starts = np.concatenate(([0], ends[:-1] + 1))
    if n_records != len(ends):
        are_filled = ends - starts > (characters[ends - 1] == _RETURN)
        starts, ends = starts[are_filled], ends[are_filled]
    return Block(text, cells, newlines, starts, ends) if n_records == len(ends) else None


def _is_text(text: bytes) -> bool:
    if b"\0" in text:
        return False
    try:
        return text.isascii() or bool(text.decode())
    except UnicodeDecodeError:
        return False


def _are_paired(characters: np.ndarray, quotes: np.ndarray, separator: int) -> bool:
    """Whether quotes are only where cells begin and end, and two by two inside; the last character is a newline."""
    if len(quotes) % 2:
        return False
    before, behind = characters[quotes[::2] - 1], characters[quotes[1::2] + 1]
    return all(
        ((near == separator) | (near == end) | (near == _NEWLINE) | (near == _QUOTE)).all()
        for near, end in ((before, _NEWLINE), (behind, _RETURN))
    )


def _cells(text: bytes, separator: str, n_columns: int, wanted: Sequence[int]) -> dict[int, pa.BinaryArray] | None:
    names = [str(index) for index in range(n_columns)]
    try:
        table = pyarrow.csv.read_csv(
            pa.py_buffer(text),
            pyarrow.csv.ReadOptions(use_threads=False, column_names=names, block_size=len(text) + 1),
            pyarrow.csv.ParseOptions(delimiter=separator),
            pyarrow.csv.ConvertOptions(
                check_utf8=False,
                include_columns=[names[index] for index in wanted],
                column_types=dict.fromkeys(names, pa.binary()),
            ),
        )
    except pa.ArrowInvalid:
        return None
    return {index: table[names[index]].combine_chunks() for index in wanted} if table.num_rows else None


# --- columns ----------------------------------------------------------------------------------------------------------


def values_of(cells: pa.BinaryArray) -> bytes:
    """Return all cells of a column one after the other."""
    offsets, values = _offsets(cells), cells.buffers()[2]
    return b"" if values is None else values[: offsets[-1]].to_pybytes()


def are_filled(cells: pa.BinaryArray) -> Mask:
    """Return which cells are not empty."""
    filled: Mask = np.diff(_offsets(cells)) > 0
    return filled


def contain(cells: pa.BinaryArray, text: str) -> Mask:
    """Return which cells hold a text."""
    found: Mask = pc.match_substring(cells, text.encode()).to_numpy(zero_copy_only=False)
    return found


def joined(*parts: pa.BinaryArray | bytes) -> pa.BinaryArray:
    """Return parts joined row by row; bytes are the same in each row."""
    values = [pa.scalar(part, pa.binary()) if isinstance(part, bytes) else part for part in (*parts, b"")]
    return pc.binary_join_element_wise(*values)


def are_blank(cells: pa.BinaryArray) -> Mask:
    """Return which cells are empty, or hold nothing but spaces."""
    first = _characters(cells, are_filled(cells), 0)
    return _which(cells, ~_is_visible(first), lambda text: not text.strip())


def are_odd(cells: pa.BinaryArray, is_odd: Callable[[str], object]) -> Mask:
    """Return which cells pass a test that no text passes of visible ASCII, spaces inside it allowed."""
    offsets, filled = _offsets(cells), are_filled(cells)
    ends = [_characters(cells, filled, index) for index in (0, -1)]
    is_suspect = ~(_is_visible(ends[0]) & _is_visible(ends[1]))
    inside = np.frombuffer(values_of(cells), np.uint8)
    invisible = (inside < _SPACE) | (inside >= _DELETE)
    if invisible.any():
        before = np.concatenate(([0], np.cumsum(invisible)))
        is_suspect |= before[offsets[1:]] > before[offsets[:-1]]
    return _which(cells, is_suspect, is_odd)


def _characters(cells: pa.BinaryArray, filled: Mask, index: int) -> np.ndarray:
    """Return the first or last byte of each cell, and 0 of one that is empty."""
    offsets, found = _offsets(cells), np.zeros(len(cells), np.uint8)
    places = offsets[:-1] if index == 0 else offsets[1:] - 1
    found[filled] = np.frombuffer(values_of(cells), np.uint8)[places[filled]]
    return found


def _is_visible(characters: np.ndarray) -> Mask:
    visible: Mask = (characters > _SPACE) & (characters < _DELETE)
    return visible


def _which(cells: pa.BinaryArray, is_suspect: Mask, test: Callable[[str], object]) -> Mask:
    found = np.zeros(len(cells), bool)
    places = np.flatnonzero(is_suspect)
    texts = cells.take(pa.array(places)).to_numpy(zero_copy_only=False) if len(places) else ()
    found[places] = [bool(test(text.decode())) for text in texts]
    return found


def _offsets(cells: pa.BinaryArray) -> np.ndarray:
    return np.frombuffer(cells.buffers()[1], np.int32)[: len(cells) + 1]
