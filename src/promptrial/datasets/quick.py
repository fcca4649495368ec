"""The sample of a table of separated values, with as little work per row as possible.

A row is plain if its cells need no more than a look: then its id, and the hash by which it is drawn, follow from its
question and passage or its id alone, and it becomes an item only if it is drawn. Every other row becomes an item at
once. The result is that of the general way, or there is none: whatever is wrong with a row or the file as a whole (a
record that is no CSV, an id that stands twice) is left to the general way, which says it in the order of the file.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate, count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from promptrial.datasets.base import are_names
from promptrial.datasets.cells import Cells
from promptrial.datasets.content_ids import content_id, ids_of_questions
from promptrial.datasets.place import Place
from promptrial.datasets.separated import column_names, csv_reader, is_declaration
from promptrial.datasets.table import Table
from promptrial.datasets.values import has_values
from promptrial.model import Item

if TYPE_CHECKING:
    import numpy as np

__all__ = ["QuickResult", "quick_result"]

_CHUNK: Final = 128  # small enough for the caches of a processor
_CHECK_EVERY: Final = 32
_SLACK: Final = 1000
Record = list[str]
_Read = tuple[list[bytes], Sequence[int], list[Record]]
"""Ids, lines and records of some rows."""
Test = Callable[[list[str]], bool]
"""Whether some cell of a column needs more than a look."""


class QuickResult(NamedTuple):
    """A sample in its order, and how many rows had no value."""

    drawn: list[tuple[Place, Item]]
    empty: int


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
        For a row that is wrong; another may be wrong that stands before it.

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
            rows = _Rows(table.path, dataset, cells, column_names(header))
            sample = _Sample(f"{seed}|{dataset}|".encode(), size)
            line = reader.line_num + 1
            for number in count():
                if not number % _CHECK_EVERY:
                    check()
                if not (records := list(islice(reader, _CHUNK))):
                    break
                sample.add(*rows.read(records, line, reader.line_num + 1 - line))
                line = reader.line_num + 1
            return QuickResult([rows.item(*one) for one in sample.rows()], rows.empty)
        except (csv.Error, UnicodeDecodeError, _NotPlainError):
            return None


class _Sample:
    """The rows with the smallest hashes."""

    def __init__(self, prefix: bytes, size: int) -> None:
        self._prefix = prefix
        self._size = size
        self._chosen: list[tuple[bytes, int, Record]] = []
        self._bound = b"\xff" * 33  # a hash that is not below this is not among the smallest
        self._keys: list[np.ndarray] = []

    def add(self, ids: list[bytes], lines: Sequence[int], records: list[Record]) -> None:
        """Take in rows."""
        import numpy as np

        sha256, prefix, bound = hashlib.sha256, self._prefix, self._bound
        keys = [sha256(prefix + item_id).digest() for item_id in ids]
        self._chosen += [(key, lines[at], records[at]) for at, key in enumerate(keys) if key < bound]
        self._keys.append(np.frombuffer(b"".join(keys), dtype=np.uint64)[::4].copy())
        if len(self._chosen) >= 2 * self._size + _SLACK:
            self._cut()

    def rows(self) -> list[tuple[int, Record]]:
        """Return line and record of the rows that are drawn, in order.

        Raises
        ------
        _NotPlainError
            If there is no row, or the hashes of two begin alike: an id stands twice, unless by a rare chance.
        """
        import numpy as np

        if not self._keys:
            raise _NotPlainError
        keys = np.sort(np.concatenate(self._keys))
        if not len(keys) or (keys[1:] == keys[:-1]).any():
            raise _NotPlainError
        self._cut()
        return [(line, record) for _, line, record in self._chosen]

    def _cut(self) -> None:
        self._chosen.sort()
        del self._chosen[self._size :]
        if len(self._chosen) == self._size:
            self._bound = self._chosen[-1][0]


class _Rows:
    """The rows of a file: which are plain, and the id of each."""

    def __init__(self, path: Path, dataset: str, cells: Cells, names: list[str]) -> None:
        self._path = path
        self._dataset = dataset
        self._cells = cells
        self._names = names
        self._question = names.index(cells.columns.question)
        self._id = _index(names, cells.columns.id)
        self._passage = _index(names, cells.columns.context)
        self._tests = _tests(cells, names)
        self.empty = 0

    def read(self, records: list[Record], line: int, n_lines: int) -> _Read:
        """Return ids, lines and records of the rows with values.

        Raises
        ------
        _NotPlainError
            For a record with more or fewer cells than the header, and a value in a column without a name.
        DataError
            For a row that is wrong.
        """
        lines: Sequence[int] = range(line, line + n_lines)
        if n_lines != len(records):  # a record has as many lines as its cells have ends of lines, and one
            lengths = (1 + sum(cell.count("\n") for cell in record) for record in records)
            lines = list(accumulate(lengths, initial=line))
        if set(map(len, records)) != {len(self._names)}:
            kept = [
                (at, record) for at, record in zip(lines, records, strict=False) if record
            ]  # blank lines are no records
            if any(len(record) != len(self._names) for _, record in kept):
                raise _NotPlainError
            lines, records = [at for at, _ in kept], [record for _, record in kept]
        questions = [record[self._question] for record in records]
        if not all(map(str.strip, questions)) or any(
            test([record[at] for record in records]) for at, test in self._tests
        ):
            return self._read_each(records, lines)
        return self._ids(questions, records), lines, records

    def _ids(self, questions: list[str], records: list[Record]) -> list[bytes]:
        if self._id is not None:
            return [record[self._id].encode() for record in records]
        if self._passage is not None:
            at = self._passage
            return [
                content_id(asked, record[at] or None).encode() for asked, record in zip(questions, records, strict=True)
            ]
        return ids_of_questions(questions)

    def _read_each(self, records: list[Record], lines: Sequence[int]) -> _Read:
        """Make an item of each row, some of which are not plain."""
        found: list[tuple[bytes, int, Record]] = []
        for line, record in zip(lines, records, strict=False):
            if any(cell.strip() for name, cell in zip(self._names, record, strict=True) if not name):
                raise _NotPlainError
            if has_values(record):
                found.append((self.item(line, record)[1].id.encode(), line, record))
            else:
                self.empty += 1
        return [one[0] for one in found], [one[1] for one in found], [one[2] for one in found]

    def item(self, line: int, record: Record) -> tuple[Place, Item]:
        """Return a row as an item, with its place."""
        place = Place(self._path, line)
        row = {name: cell for name, cell in zip(self._names, record, strict=True) if name}
        return place, self._cells.item(place, self._dataset, row)


def _tests(cells: Cells, names: list[str]) -> list[tuple[int, Test]]:
    """Return the columns that need a look, and what tells that one of their cells may be wrong or hold several values.

    What tells it is what the general way asks of each cell.
    """
    columns = cells.columns
    looks: list[tuple[str | None, Test]] = [
        (columns.id, lambda texts: not are_names(texts)),
        (columns.cluster, lambda texts: not are_names([text for text in texts if text])),
        (columns.context, lambda texts: any(map(str.isspace, texts))),
        (columns.unanswerable, any),
        *((column, partial(cells.may_hold_several, column)) for column in columns.answers),
    ]
    named = [(names.index(column), test) for column, test in looks if column in names]
    return named + [(at, has_values) for at, name in enumerate(names) if not name]


def _index(names: list[str], column: str | None) -> int | None:
    return names.index(column) if column in names else None
