"""The sample of a file of JSON lines, with as little work per row as possible, and no library for it.

A row is plain if a look at its column tells that it is right: then its id, and the hash by which it is drawn, follow
from its values, and it becomes an item, without being checked again, only if it is drawn. Every other row becomes an
item at once, as the general way makes it. The result is that of the general way, or there is none: whatever is wrong
with a row or the file as a whole is left to the general way, which says it in the order of the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import BinaryIO, Final, NamedTuple

import msgspec

from promptrial.datasets.base import QuickResult, are_names
from promptrial.datasets.cells import MOST_KEPT, Cells
from promptrial.datasets.content_ids import content_id
from promptrial.datasets.json_errors import check_keys, has_repeats_perhaps
from promptrial.datasets.json_objects import ENVELOPES, unwrapped
from promptrial.datasets.place import Place
from promptrial.datasets.sampling import prefixed_hash, sampling_prefix
from promptrial.datasets.table import Table
from promptrial.datasets.value_texts import has_values
from promptrial.model import Item

__all__ = ["quick_lines"]

_BLOCK: Final = 1 << 18
_SHORT: Final = MOST_KEPT // 8
"""A line of fewer bytes holds no value that is too long to be kept, however it is written."""
_ABSENT: Final = (None, "")
_Row = Mapping[str, object]
_Column = list[object]


class _NotPlainError(Exception):
    """Something is wrong, or concerns the file as a whole."""


def quick_lines(
    table: Table,
    cells: Cells,
    known: frozenset[str],
    dataset: str,
    size: int,
    seed: int,
    check: Callable[[], None],
) -> QuickResult | None:
    """Return a sample of a file of JSON lines; None if the general way must be taken.

    Parameters
    ----------
    table : Table
    cells : Cells
        How its cells are read.
    known : set of str
        The columns that change nothing of how cells are read, wherever they come up.
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
    Memory is O(size), and O(rows) for their ids.
    """
    if cells.columns.choices or cells.columns.messages:
        return None
    reader = _Reader(table, cells, known, dataset)
    sample = _Sample(sampling_prefix(dataset, seed), size)
    try:
        with table.content.open(lines=True) as file:
            for rows in reader.read(file):
                check()
                sample.add(rows)
        drawn = sample.rows()
    except _NotPlainError:
        return None
    return QuickResult([(Place(table.path, line), reader.item(row)) for line, row in drawn], reader.empty)


class _Plain(NamedTuple):
    """A row that was found right, and its id."""

    id: str
    row: _Row


_Found = tuple[str, int, _Plain | Item]
"""The id of a row, its line, and the row itself, or its item if that was made already."""


class _Sample:
    """The rows with the smallest hashes."""

    def __init__(self, prefix: bytes, size: int) -> None:
        self._prefix = prefix
        self._size = size
        self._chosen: list[tuple[bytes, int, _Plain | Item]] = []
        self._bound = b"\xff" * hashlib.sha256().digest_size
        self._ids: set[str] = set()
        self._n = 0

    def add(self, found: Sequence[_Found]) -> None:
        """Take in rows."""
        prefix, bound = self._prefix, self._bound
        ids = [id_ for id_, _, _ in found]
        self._n += len(ids)
        self._ids.update(ids)
        hashes = [prefixed_hash(prefix, id_) for id_ in ids]
        self._chosen += [(key, line, row) for key, (_, line, row) in zip(hashes, found, strict=True) if key <= bound]
        if len(self._chosen) > 2 * self._size:
            self._cut()

    def _cut(self) -> None:
        self._chosen.sort(key=lambda one: one[0])
        del self._chosen[self._size :]
        self._bound = self._chosen[-1][0]

    def rows(self) -> list[tuple[int, _Plain | Item]]:
        """Return the rows that are drawn, in order, each with its line.

        Raises
        ------
        _NotPlainError
            If there is no row, or an id occurs twice.
        """
        if not self._n or len(self._ids) != self._n:
            raise _NotPlainError
        self._cut()
        return [(line, row) for _, line, row in self._chosen]


class _Reader:
    """The rows of a file: which are plain, and the id of each."""

    def __init__(self, table: Table, cells: Cells, known: frozenset[str], dataset: str) -> None:
        self._table = table
        self._cells = cells
        self._known = known
        self._dataset = dataset
        self._decode = msgspec.json.Decoder(dict[str, object]).decode
        self.empty = 0

    def read(self, file: BinaryIO) -> Iterator[list[_Found]]:
        """Yield the rows of a file block by block; those without a value are counted.

        Raises
        ------
        _NotPlainError
            For a line that is not an object, and a column that is not known.
        DataError
            For a row that is wrong.
        """
        line = 1
        while block := file.read(_BLOCK) + file.readline():
            lines = block.split(b"\n")
            texts = {line + at: text for at, one in enumerate(lines) if (text := one.strip())}
            if texts:
                yield self._found(block, texts)
            line += block.count(b"\n")

    def _found(self, block: bytes, texts: dict[int, bytes]) -> list[_Found]:
        places, rows = list(texts), self._rows(block, texts)
        odd, ids = self._odd(rows), self._ids(rows)
        if self._cells.keep and max(map(len, texts.values())) >= _SHORT:
            odd |= {at for at, text in enumerate(texts.values()) if len(text) >= _SHORT}
        if not odd:
            return [(id_, line, _Plain(id_, row)) for id_, line, row in zip(ids, places, rows, strict=True)]
        found: list[_Found] = []
        for at, (line, row) in enumerate(zip(places, rows, strict=True)):
            if at not in odd:
                found.append((ids[at], line, _Plain(ids[at], row)))
            elif has_values(row.values()):
                item = self._cells.item(Place(self._table.path, line), self._dataset, row)
                found.append((item.id, line, item))
            else:
                self.empty += 1
        return found

    def _rows(self, block: bytes, texts: Mapping[int, bytes]) -> list[_Row]:
        """Return the values of lines."""
        try:
            rows: list[_Row] = [self._decode(text) for text in texts.values()]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise _NotPlainError from None
        if has_repeats_perhaps(block, rows):
            for (line, text), row in zip(texts.items(), rows, strict=True):
                check_keys(Place(self._table.path, line), text, row)
        names: set[str] = set().union(*rows)
        if not names.isdisjoint(ENVELOPES):
            rows = [unwrapped({**row}) for row in rows]
            names = set().union(*rows)
        if not self._known.issuperset(names):
            raise _NotPlainError
        return rows

    def _odd(self, rows: Sequence[_Row]) -> set[int]:
        """Return which rows need more than a look."""
        columns = self._cells.columns
        odd = _unlike(_column(rows, columns.question), _are_filled)
        if columns.id is not None:
            odd |= _unlike(_column(rows, columns.id), _are_ids)
        if columns.context is not None:
            odd |= _unlike(_column(rows, columns.context), _are_filled, absent=_ABSENT)
        if columns.cluster is not None:
            odd |= _unlike(_column(rows, columns.cluster), _are_ids, absent=_ABSENT)
        if columns.unanswerable is not None:
            odd |= _unlike(_column(rows, columns.unanswerable), _are_none, absent=(*_ABSENT, False))
        for column in columns.answers:
            signs = self._cells.signs_of_several(column)
            odd |= _unlike(_column(rows, column), partial(_are_answers, signs=signs), absent=_ABSENT)
        return odd

    def _ids(self, rows: Sequence[_Row]) -> list[str]:
        """Return the ids of rows; those of odd ones mean nothing."""
        columns = self._cells.columns
        if columns.id is not None:
            return [str(one) for one in _column(rows, columns.id)]
        questions = [str(one) for one in _column(rows, columns.question)]
        if columns.context is None:
            return [content_id(question) for question in questions]
        contexts = _column(rows, columns.context)
        return [content_id(q, str(c) if c else None) for q, c in zip(questions, contexts, strict=True)]

    def item(self, row: _Plain | Item) -> Item:
        """Return a row as an item: what ``Cells.item`` makes of it, for a row that was found right."""
        if isinstance(row, Item):
            return row
        columns, values = self._cells.columns, row.row
        answers = [text for column in columns.answers for text in _answers(values.get(column))]
        if self._cells.trims:
            answers = [text.strip() for text in answers]
        return Item(
            id=row.id,
            dataset=self._dataset,
            question=str(values[columns.question]),
            answers=tuple(dict.fromkeys(answers)),
            context=_text(values, columns.context),
            cluster=_text(values, columns.cluster),
            extra=self._cells.kept(values),
        )


# --- columns: each test says whether all of some values are right; else each is asked alone ---------------------------


def _column(rows: Sequence[_Row], name: str) -> _Column:
    return [row.get(name) for row in rows]


def _unlike(column: _Column, are_right: Callable[[_Column], bool], absent: tuple[object, ...] = ()) -> set[int]:
    """Return the places of the values that are not right; those that stand for none need not be."""
    if are_right([value for value in column if value not in absent] if absent else column):
        return set()
    return {at for at, value in enumerate(column) if not (value in absent or are_right([value]))}


def _are_filled(values: _Column) -> bool:
    """Whether all are texts with more than spaces."""
    return all(type(value) is str and value.strip() for value in values)


def _are_ids(values: _Column) -> bool:
    return {*map(type, values)} <= {str, int} and are_names([*map(str, values)])


def _are_answers(values: _Column, signs: Sequence[str]) -> bool:
    """Whether each is one answer, a text without a sign of several or a whole number, or a list of texts."""
    texts = [value for value in values if type(value) is not list]
    return (
        _are_filled([value for value in texts if type(value) is not int])
        and not any(sign in value for sign in signs for value in texts if isinstance(value, str))
        and _are_filled([*chain.from_iterable(value for value in values if isinstance(value, list))])
    )


def _are_none(values: _Column) -> bool:
    return not values


def _answers(value: object) -> list[str]:
    """Return the answers in a cell that was found right."""
    if isinstance(value, list):
        return value
    return [] if value in _ABSENT else [str(value)]


def _text(row: _Row, column: str | None) -> str | None:
    value = None if column is None else row.get(column)
    return None if value in _ABSENT else str(value)
