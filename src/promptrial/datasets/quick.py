"""The sample of a large table of separated values, with as little work per row as possible.

A row is plain if its cells need no more than a look: then its id, and the hash by which it is drawn, follow from its
question and passage or its id alone, and it becomes an item only if it is drawn. Every other row becomes an item at
once. The result is that of the general way, or there is none: whatever is wrong with a row or the file as a whole (a
record that is no CSV, an id that occurs twice) is left to the general way, which says it in the order of the file.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import BinaryIO, Final

import numpy as np
import pyarrow as pa

from promptrial.datasets.base import QuickResult, are_names
from promptrial.datasets.blocks import (
    Block,
    Mask,
    are_blank,
    are_filled,
    are_odd,
    contain,
    joined,
    plain_block,
)
from promptrial.datasets.cells import Cells
from promptrial.datasets.id_columns import HASH, content_ids, sha256_of
from promptrial.datasets.place import Place
from promptrial.datasets.sampling import sampling_prefix
from promptrial.datasets.separated import column_names, csv_reader, is_declaration
from promptrial.datasets.table import Table
from promptrial.datasets.value_texts import has_values
from promptrial.model import Item

__all__ = ["quick_result"]

_BLOCK: Final = 1 << 20  # the work of a smaller block is mostly that of calls; a larger one leaves the caches
Record = list[str]
_Row = tuple[int, str | Item]
"""The line of a row, and its text, or its item if that was made already."""
_Ids = tuple[pa.BinaryArray, Callable[[np.ndarray], list[_Row]]]
"""The ids of some rows, and what returns those at some places."""
Test = Callable[[pa.BinaryArray], Mask]
"""Which cells of a column need more than a look."""


class _NotPlainError(Exception):
    """Something concerns the file as a whole."""


def quick_result(
    table: Table, cells: Cells, dataset: str, size: int, seed: int, check: Callable[[], None]
) -> QuickResult | None:
    """Return a sample of a table of separated values; None if the general way must be taken.

    Parameters
    ----------
    table : Table
    cells : Cells
        How its cells are read.
    dataset : str
    size : int
        At least 1.
    seed : int
    check : callable
        Called now and then; may raise to stop.

    Raises
    ------
    DataError
        For a row that is wrong; an earlier one may be wrong too.

    Notes
    -----
    Memory is O(size), and 8 bytes a row.
    """
    if cells.columns.choices or cells.columns.messages:
        return None
    with table.content.open(lines=True) as file:
        reader = csv_reader(map(bytes.decode, file), table.separator)
        try:
            header = next((one for one in reader if one and not is_declaration(one, table.separator)), [])
            rows = _Rows(table, dataset, cells, column_names(header))
            sample = _Sample(sampling_prefix(dataset, seed), size)
            for ids, rows_at in rows.read(file, reader.line_num + 1):
                check()
                sample.add(ids, rows_at)
            return QuickResult([rows.placed(*one) for one in sample.rows()], rows.empty)
        except (csv.Error, UnicodeDecodeError, _NotPlainError):
            return None


class _Sample:
    """The rows with the smallest hashes."""

    def __init__(self, prefix: bytes, size: int) -> None:
        self._prefix = prefix
        self._size = size
        self._chosen: list[tuple[bytes, int, str | Item]] = []
        self._bound = b"\xff" * 8
        self._keys: list[np.ndarray] = []

    def add(self, ids: pa.BinaryArray, rows_at: Callable[[np.ndarray], list[_Row]]) -> None:
        """Take in rows."""
        hashes = sha256_of(joined(self._prefix, ids))
        keys = np.frombuffer(hashes, ">u8")[:: HASH // 8].astype(np.uint64)
        bound = int.from_bytes(self._bound, "big")
        if len(keys) > self._size:
            bound = min(bound, int(np.partition(keys, self._size)[self._size]))
        places = np.flatnonzero(keys <= bound)
        for at, row in zip(places.tolist(), rows_at(places), strict=True):
            self._chosen.append((hashes[HASH * at : HASH * (at + 1)], *row))
        self._keys.append(keys)
        if len(self._chosen) > self._size:
            self._chosen.sort()
            del self._chosen[self._size :]
            self._bound = self._chosen[-1][0][:8]  # a hash that begins with more is not among the smallest

    def rows(self) -> list[_Row]:
        """Return the rows that are drawn, in order.

        Raises
        ------
        _NotPlainError
            If there is no row, or the hashes of two begin alike: an id occurs twice, unless by a rare chance.
        """
        if not self._keys:
            raise _NotPlainError
        keys = np.sort(np.concatenate(self._keys))
        if not len(keys) or (keys[1:] == keys[:-1]).any():
            raise _NotPlainError
        return [(line, row) for _, line, row in sorted(self._chosen)]


class _Rows:
    """The rows of a file: which are plain, and the id of each."""

    def __init__(self, table: Table, dataset: str, cells: Cells, names: list[str]) -> None:
        self._path = table.path
        self._separator = table.separator
        self._dataset = dataset
        self._cells = cells
        self._names = names
        self._question = names.index(cells.columns.question)
        self._id = _index(names, cells.columns.id)
        self._passage = _index(names, cells.columns.context)
        self._tests = _tests(cells, names)
        self._wanted = sorted({self._question, *(at for at, _ in self._tests)})
        self.empty = 0

    def read(self, file: BinaryIO, line: int) -> Iterator[_Ids]:
        """Yield the rows of a file block by block, from a line on; those without a value are counted.

        Raises
        ------
        _NotPlainError
            For a record with more or fewer cells than the header, and a value in a column without a name.
        csv.Error, UnicodeDecodeError
            For a record that is no CSV, or no UTF-8.
        DataError
            For a row that is wrong.
        """
        while text := file.read(_BLOCK) + file.readline():
            text += b"" if text.endswith(b"\n") else b"\n"  # at the end of the file
            block = plain_block(text, self._separator, len(self._names), self._wanted)
            if block is not None:
                yield from self._of_block(block, line)
                line += len(block.newlines)
            else:
                records, n_lines = _records(text, file, self._separator)
                yield from self._of_records((line + before, record) for before, record in records)
                line += n_lines

    def placed(self, line: int, row: str | Item) -> tuple[Place, Item]:
        """Return a row as an item, with its place."""
        return Place(self._path, line), row if isinstance(row, Item) else self._item(line, self._record(row))

    def _of_block(self, block: Block, line: int) -> Iterator[_Ids]:
        """Yield the plain rows of a block, and the others."""
        is_odd = np.zeros(len(block.ends), bool)
        for at, test in self._tests:
            is_odd |= test(block.cells[at])

        def rows_at(places: np.ndarray) -> list[_Row]:
            return [(line + before, text) for before, text in block.records(places)]

        odd, plain = np.flatnonzero(is_odd), np.flatnonzero(~is_odd)
        if len(odd):
            yield from self._of_records((at, self._record(str(text))) for at, text in rows_at(odd))
        if len(plain):
            cells = {at: column.take(pa.array(plain)) if len(odd) else column for at, column in block.cells.items()}
            yield self._ids(cells), lambda places: rows_at(plain[places])

    def _ids(self, cells: Mapping[int, pa.BinaryArray]) -> pa.BinaryArray:
        if self._id is not None:
            return cells[self._id]
        return content_ids(cells[self._question], None if self._passage is None else cells[self._passage])

    def _of_records(self, records: Iterable[tuple[int, Record]]) -> Iterator[_Ids]:
        """Make an item of each row with values."""
        found: list[tuple[int, Item]] = []
        for line, record in records:
            if len(record) != len(self._names):
                raise _NotPlainError
            if any(cell.strip() for name, cell in zip(self._names, record, strict=True) if not name):
                raise _NotPlainError
            if has_values(record):
                found.append((line, self._item(line, record)))
            else:
                self.empty += 1
        if found:
            ids = pa.array([item.id.encode() for _, item in found], pa.binary())
            yield ids, lambda places: [found[at] for at in places.tolist()]

    def _record(self, text: str) -> Record:
        return next(csv_reader(io.StringIO(text, newline=""), self._separator))

    def _item(self, line: int, record: Record) -> Item:
        row = {name: cell for name, cell in zip(self._names, record, strict=True) if name}
        return self._cells.item(Place(self._path, line), self._dataset, row)


def _records(text: bytes, file: BinaryIO, separator: str) -> tuple[list[tuple[int, Record]], int]:
    """Return the records that begin in a block, and the number of lines read, some of them after the block.

    Each has the number of lines before it. Blank lines are no records.
    """
    reader, n_lines = csv_reader(map(bytes.decode, chain(io.BytesIO(text), file)), separator), text.count(b"\n")
    found: list[tuple[int, Record]] = []
    while (before := reader.line_num) < n_lines:
        if record := next(reader):
            found.append((before, record))
    return found, reader.line_num


def _tests(cells: Cells, names: list[str]) -> list[tuple[int, Test]]:
    """Return the columns that need a look, and what tells which of their cells may be wrong or hold several values.

    What tells it is what the general way asks of each cell.
    """
    columns = cells.columns
    looks: list[tuple[str | None, Test]] = [
        (columns.question, are_blank),
        (columns.id, partial(are_odd, is_odd=lambda text: not are_names([text]))),
        (columns.cluster, partial(are_odd, is_odd=lambda text: text and not are_names([text]))),
        (columns.context, lambda passages: are_filled(passages) & are_blank(passages)),
        (columns.unanswerable, are_filled),
        *((column, partial(_may_hold_several, cells, column)) for column in columns.answers),
    ]
    named = [(names.index(column), test) for column, test in looks if column in names]
    return named + [(at, are_filled) for at, name in enumerate(names) if not name]


def _may_hold_several(cells: Cells, column: str, values: pa.BinaryArray) -> Mask:
    found = np.zeros(len(values), bool)
    for text in cells.signs_of_several(column):
        found |= contain(values, text)
    return found


def _index(names: list[str], column: str | None) -> int | None:
    return names.index(column) if column in names else None
