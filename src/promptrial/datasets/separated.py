"""Reading separated values: CSV, TSV and their relatives. What separates them is recognised from the first records.

A row's place is the line on which its record begins, also where a quoted cell goes on over several lines.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from promptrial.datasets.place import Place
from promptrial.errors import DataError

if TYPE_CHECKING:
    from _csv import Reader as CsvReader

__all__ = ["SEPARATORS", "Row", "check_repeats", "recognise_separator", "rows"]

Row = tuple[Place, dict[str, object]]
"""A row: its place, and column -> value."""

SEPARATORS: Final = {",": "comma", "\t": "tab", ";": "semicolon", "|": "vertical bar"}
"""What may separate cells, and how it is called; the earlier is taken where two would do."""

_MOST_CELL: Final = 256 << 20
_LOOKED_AT: Final = 100
_DECLARED: Final = "sep="
_SEE: Final = "see docs/question_files.md#separators"


def recognise_separator(head: bytes, is_whole: bool, names: Collection[str]) -> str:  # noqa: FBT001 - a fact of ``head``
    """Return the character that separates the cells of a text.

    It is the one that splits the first record into the most well-known names; of several, the one by which most
    records have as many cells as the first; of several, the first in ``SEPARATORS``. Excel's first line ``sep=;``
    decides alone.

    Parameters
    ----------
    head : bytes
        The beginning of the text, in UTF-8.
    is_whole : bool
        Whether ``head`` is the whole text; otherwise its last record may be cut.
    names : collection of str
        The names of columns that are expected, in lower case.
    """
    text = head.decode(errors="replace")
    first = text.partition("\n")[0].strip()
    if first.lower().startswith(_DECLARED) and len(first) == len(_DECLARED) + 1:
        return first[-1]
    return max(SEPARATORS, key=lambda separator: _fit(text, separator, is_whole, names))


def _fit(text: str, separator: str, is_whole: bool, names: Collection[str]) -> tuple[int, float]:  # noqa: FBT001 - called in one place
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    found: list[list[str]] = []
    with suppress(csv.Error):  # reported when it is read, with its line
        found.extend(itertools.islice((record for record in reader if record), _LOOKED_AT))
    if len(found) < _LOOKED_AT and not is_whole:
        found = found[:-1] or found
    if not found or len(found[0]) < 2:
        return 0, 0.0
    known = sum(cell.strip().lower() in names for cell in found[0])
    return known, sum(len(record) == len(found[0]) for record in found) / len(found)


def rows(path: Path, file: BinaryIO, separator: str) -> Iterator[Row]:
    """Yield the rows under the header; blank lines are passed over, and columns without a name and without values.

    Raises
    ------
    DataError
        For text that is not UTF-8, a quote that does not fit, a name that occurs twice in the header, and a row with
        more or fewer cells than the header.
    """
    found = records(path, file, separator)
    place, header = next(found, (Place(path, 1), []))
    names = column_names(header)
    check_repeats(place, names)
    nameless = [index for index, name in enumerate(names) if not name]
    for place, cells in found:
        if len(cells) != len(names):
            raise _ragged(place, cells, len(names), separator)
        if nameless:
            check_nameless(place, cells, nameless)
        yield place, dict(zip(names, cells, strict=True)) if not nameless else _named(names, cells)


def column_names(header: Sequence[str]) -> list[str]:
    """Return the names in a header; empty where there is none."""
    return [cell if cell.strip() else "" for cell in header]


def _named(names: Sequence[str], cells: Sequence[object]) -> dict[str, object]:
    return {name: cell for name, cell in zip(names, cells, strict=True) if name}


def check_nameless(place: Place, cells: Sequence[object], nameless: Sequence[int]) -> None:
    """Refuse a value in a column without a name."""
    for index in nameless:
        if str(cells[index] or "").strip():
            raise place.error(
                f"a value in column {index + 1}, which has no name in the header",
                hint=f"name the column in the first line, or empty it; {_SEE}",
            )


def check_repeats(place: Place, names: Sequence[str]) -> None:
    """Refuse a header in which a name occurs twice."""
    named = [name for name in names if name]
    if len(set(named)) < len(named):
        raise place.error(
            f"a column appears twice; the header is: {', '.join(names)}",
            hint="rename one of the two; see docs/questions.md#columns",
        )


def _ragged(place: Place, cells: list[str], n_columns: int, separator: str) -> DataError:
    name = SEPARATORS.get(separator, repr(separator))
    return place.error(
        f"{len(cells)} cells under a header of {n_columns}",
        hint=f'cells are separated by {name}; put a cell that holds one in double quotes: "a{separator} b"; {_SEE}',
    )


def records(path: Path, file: BinaryIO, separator: str) -> Iterator[tuple[Place, list[str]]]:
    """Yield each record that is not a blank line, the header too; its place is the line on which it begins."""
    reader = csv_reader(_decoded(path, file), separator)
    while True:
        place = Place(path, reader.line_num + 1)
        try:
            record = next(reader, None)
        except csv.Error as error:
            raise _not_csv(place, error) from error
        if record is None:
            return
        if record and not (place.line == 1 and is_declaration(record, separator)):
            yield place, record


def csv_reader(lines: Iterable[str], separator: str) -> CsvReader:
    """Return the reader of the ``csv`` module by which all records are read."""
    csv.field_size_limit(_MOST_CELL)  # the module's own limit, 131,072, is shorter than some passages
    return csv.reader(lines, delimiter=separator, strict=True)


def is_declaration(record: list[str], separator: str) -> bool:
    """Whether the first record is Excel's line ``sep=;``."""
    return [cell.lower() for cell in record] == [_DECLARED, ""] and separator != "="


def _not_csv(place: Place, error: csv.Error) -> DataError:
    problem = str(error)
    if "expected after" in problem:
        problem, fix = f"text after the end of a quoted cell ({problem})", 'write a quote inside a cell twice: ""'
    elif "unexpected end of data" in problem:
        problem, fix = f"a quoted cell starts here and never ends ({problem})", "close the quote"
    elif "new-line" in problem:
        problem, fix = "lines that end in only a carriage return", "save the file with ordinary line ends"
    else:
        fix = "check this record and its quotes"
    return place.error(f"not valid CSV: {problem}", hint=f"{fix}; {_SEE}")


def _decoded(path: Path, file: BinaryIO) -> Iterator[str]:
    for number, line in enumerate(file, start=1):
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            raise not_utf8(Place(path, number), error) from error


def not_utf8(place: Place, error: UnicodeDecodeError) -> DataError:
    """Return the error for a line that is not UTF-8."""
    return place.error(
        f"not UTF-8: {error.reason} at byte {error.start + 1} of the line",
        hint="save the file as UTF-8, or write its encoding in its section of `datasets`, such as `encoding: cp1252`; "
        "see docs/question_files.md#encodings",
    )
