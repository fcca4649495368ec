"""Tables of questions with columns of one's own, in any kind of file: ``datasets.table`` reads rows, this makes items.

Configurations of earlier versions say ``format: custom`` and no ``columns``. A file that those versions read, with the
columns ``id``, ``question``, ``answers``, ``context``, ``is_unanswerable`` and ``cluster`` under these very names, is
read as they read it: other columns are not used and not kept, which is said, so that its items stay the same to the
byte. Those versions refused a question that had neither ``answers`` nor the mark; a file with one is read by names.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Final

from promptrial.datasets.base import DatasetFormat, Placed, QuickResult, Reading
from promptrial.datasets.cells import MOST_KEPT, Cells
from promptrial.datasets.choices import choice_key
from promptrial.datasets.columns import NAMES, Columns, listed, match_columns
from promptrial.datasets.encodings import HEAD, open_content
from promptrial.datasets.place import Place, shown
from promptrial.datasets.table import Row, Table, open_table, table_of
from promptrial.datasets.unsplit import unsplit_answers
from promptrial.datasets.value_texts import has_values
from promptrial.errors import DataError
from promptrial.model import Item

__all__ = ["FORMAT", "items_of_table"]

SHEETS: Final = frozenset({"separated", "xlsx"})
"""The kinds of tables whose cells hold single values, under a header."""

_FIRST: Final = 100
"""How many rows are looked at for their columns; later ones may bring more where rows name their columns."""
_MOST_LATE: Final = 1000
"""How many columns may come up after these rows: all names are matched again for each."""
_QUICK: Final = {"separated": HEAD, "lines": 0}
"""The kinds of files of which there is a quick way, and from which size it is taken: a smaller file of separated values
is read before the libraries of that are loaded."""
_EARLIER: Final = Columns(
    question="question",
    answers=("answers",),
    id="id",
    context="context",
    cluster="cluster",
    unanswerable="is_unanswerable",
)
_EARLIER_NAMES: Final = ("id", "question", "answers", "context", "is_unanswerable", "cluster")
# "answer" and "unanswerable" are slips of the pen; "context_id" and "question_id" are other columns
_SLIP: Final = 0.85


def _table_items(path: Path, dataset: str, reading: Reading) -> Placed:
    return items_of_table(open_table(path, reading.encoding, NAMES, reading.sheet), dataset, reading)


def items_of_table(table: Table, dataset: str, reading: Reading) -> Placed:
    """Yield the questions of a table, each with its place.

    Raises
    ------
    DataError
        At the first thing wrong, with file and line.
    """
    rows = table.rows()
    first = list(islice(rows, _FIRST))
    if not first:
        return
    source = _source(table, first, dataset, reading)
    empty = 0
    for place, row in chain(first, rows):
        if not source.known.issuperset(row):
            source = source.with_columns(place, row)
        cells = source.cells
        if not has_values(row.values()):
            empty += 1
            continue
        yield place, cells.item(place, dataset, row)
    _tell(source.cells, empty, reading)


def _quick_sample(
    path: Path, dataset: str, reading: Reading, size: int, seed: int, check: Callable[[], None]
) -> list[tuple[Place, Item]] | None:
    """Return a sample of plain separated values or JSON lines, as ``drawing.draw`` does; None if it is no such file."""
    content = open_content(path, reading.encoding)
    if content.binary:
        return None
    table = table_of(content, NAMES, reading.sheet)
    if table.kind not in _QUICK or len(content.head) < _QUICK[table.kind]:
        return None
    remarks: list[Callable[[], None]] = []  # said once, here or by the general way
    later = reading._replace(
        note=lambda text: remarks.append(partial(reading.note, text)),
        say=lambda text: remarks.append(partial(reading.say, text)),
    )
    try:
        first = list(islice(table.rows(), _FIRST))
        source = _source(table, first, dataset, later) if first else None
        found = None if source is None else _quick_result(table, source, dataset, size, seed, check)
    except DataError:
        return None  # the general way says it, in the order of the file
    if source is None or found is None:
        return None
    for remark in remarks:
        remark()
    _tell(source.cells, found.empty, reading)
    return found.drawn


def _quick_result(
    table: Table, source: _Source, dataset: str, size: int, seed: int, check: Callable[[], None]
) -> QuickResult | None:
    if table.kind == "lines":
        from promptrial.datasets.quick_lines import quick_lines

        known = source.known.union(_EARLIER_NAMES if source.is_earlier else ())
        return quick_lines(table, source.cells, known, dataset, size, seed, check)
    from promptrial.datasets.quick import quick_result

    return quick_result(table, source.cells, dataset, size, seed, check)


def _tell(cells: Cells, empty: int, reading: Reading) -> None:
    """Say what was left out of a file."""
    if empty:
        reading.say(f"{empty} empty row{'s' * (empty > 1)} skipped")
    for column in sorted(cells.too_long):
        reading.say(f"column {column!r}: values longer than {MOST_KEPT:,} characters are not kept")


@dataclass(frozen=True, slots=True)
class _Source:
    """How the rows of a file are read, and the columns that have been seen so far."""

    cells: Cells
    names: tuple[str, ...]
    known: frozenset[str]
    is_earlier: bool
    table: Table
    reading: Reading
    n_late: int = 0

    def with_columns(self, place: Place, row: Iterable[str]) -> _Source:
        """Return the same for columns that come up only now.

        Raises
        ------
        DataError
            If a name is close to one that the file lacks, so that it must be a slip; if too many columns come up after
            the first rows; or as ``match_columns``.
        """
        new = [name for name in row if name not in self.known]
        names, n_late = (*self.names, *new), self.n_late + len(new)
        if n_late > _MOST_LATE:
            raise place.error(
                f"more than {_MOST_LATE:,} columns appear after the first {_FIRST} rows, such as {shown(new[-1])}",
                hint="give all rows the same keys; data that differs from row to row belongs in values; "
                "see docs/questions.md#columns",
            )
        if self.is_earlier:
            _check_spelling(place, new, names)
            return replace(self, names=names, known=frozenset(names), n_late=n_late)
        columns = match_columns(place, names, self.cells.columns.given)
        cells = replace(self.cells, columns=columns, keep=_kept(columns, everything=True, wanted=self.reading.keep))
        if (columns.choices, columns.answers) != (self.cells.columns.choices, self.cells.columns.answers):
            cells = _with_key(cells, self.table, self.reading)
        return replace(self, cells=cells, names=names, known=frozenset(names), n_late=n_late)


def _source(table: Table, first: Sequence[Row], dataset: str, reading: Reading) -> _Source:
    is_sheet = table.kind in SHEETS
    place = Place(table.path, 1) if table.kind == "separated" else first[0][0]
    is_earlier = not reading.columns and _is_earlier([row for _, row in first], is_sheet)
    names = tuple(dict.fromkeys(name for _, row in first[: 1 if is_earlier else None] for name in row))
    columns = _EARLIER if is_earlier else match_columns(place, names, reading.columns)
    if is_earlier:
        columns = replace(columns, others=tuple(name for name in names if name not in _EARLIER_NAMES))
    cells = Cells(
        columns=columns,
        is_sheet=is_sheet,
        separator=reading.separator,
        trims=is_sheet or not is_earlier,
        keep=_kept(columns, everything=not is_earlier, wanted=reading.keep),
    )
    sentences = _left_out(cells) if is_earlier else (f"read as {table.words}", *columns.sentences)
    for sentence in sentences:
        reading.note(sentence)
    for sentence in unsplit_answers(cells, [row for _, row in first], dataset):
        reading.say(sentence)
    cells = _with_key(cells, table, reading)
    return _Source(cells, names, frozenset(names), is_earlier, table, reading)


def _with_key(cells: Cells, table: Table, reading: Reading) -> Cells:
    """Return the same with how the answers of the whole file name their choices, and say how."""
    if not (cells.columns.choices and cells.columns.answers):
        return cells
    rows = ((place, marked) for place, row in table.rows() if (marked := cells.marked(place, row)).choices)
    key = choice_key(rows, is_sheet=cells.is_sheet, first_choice=reading.first_choice)
    reading.say(key.sentence)
    return replace(cells, key=key)


def _is_earlier(rows: Sequence[Mapping[str, object]], is_sheet: bool) -> bool:  # noqa: FBT001 - a fact of the file
    """Whether earlier versions read a file with these first rows."""
    names = [*rows[0]]
    needed = _EARLIER_NAMES[: 3 if is_sheet else 2]
    return (
        all(name in names for name in needed)
        and all("answers" in row or row.get("is_unanswerable") is True for row in rows)
        and next(_slips(names, names), None) is None
    )


def _left_out(cells: Cells) -> Iterator[str]:
    """Say which columns of a file that earlier versions read are not used."""
    kept = {column for column, _ in cells.keep}
    if unused := [name for name in cells.columns.others if name not in kept]:
        yield (
            f"columns: only {', '.join(_EARLIER_NAMES)}, as in earlier versions, because of `format: custom` without "
            f"`columns`; not used: {listed(unused)}"
        )


def _kept(columns: Columns, *, everything: bool, wanted: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """Return column and name of what is kept with an item; ``wanted`` are columns to keep if not everything is."""
    return tuple((column, name) for column, name in columns.kept if everything or column in wanted)


def _slips(columns: Iterable[str], present: Sequence[str]) -> Iterator[tuple[str, str]]:
    absent = [name for name in _EARLIER_NAMES if name not in present]
    for column in columns:
        known = column in _EARLIER_NAMES
        close = [] if known else difflib.get_close_matches(column.strip(), absent, n=1, cutoff=_SLIP)
        if close:
            yield column, close[0]


def _check_spelling(place: Place, columns: Iterable[str], present: Sequence[str]) -> None:
    for column, meant in _slips(columns, present):
        raise place.error(
            f"unknown column {column!r}; did you mean {meant!r}?",
            hint="rename it, or say with `columns` what the columns are; see docs/questions.md#columns",
        )


FORMAT: Final = DatasetFormat(
    name="custom",
    type=None,
    hub=None,
    table_items=_table_items,
    quick_sample=_quick_sample,
)
