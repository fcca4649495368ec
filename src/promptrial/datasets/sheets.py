"""Reading a sheet of an Excel workbook (.xlsx), its first row with values being the header.

The archive is checked before the spreadsheet library sees it: its size once unpacked, and the area that its cells span,
which the library holds in memory as a whole.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from promptrial.datasets.broken_cells import broken_cells, column_number
from promptrial.datasets.merged_cells import Area, has_value, with_merged
from promptrial.datasets.place import Place
from promptrial.datasets.separated import Row, check_nameless, check_repeats
from promptrial.datasets.value_texts import text_of
from promptrial.errors import DataError, MissingDependencyError

if TYPE_CHECKING:
    import python_calamine

__all__ = ["Sheet", "read_sheet"]

_MOST_BYTES: Final = 1 << 30
_MOST_MEMBERS: Final = 10_000
_MOST_CELLS: Final = 50_000_000
_CHUNK: Final = 1 << 20
_OVERLAP: Final = 65_536
_CELL: Final = re.compile(rb"""(?<![\w:])r\s*=\s*["']([A-Za-z]{0,20})(\d{1,20})["']""")
_OTHER_KINDS: Final = frozenset({"content.xml", "mimetype", "xl/workbook.bin"})
"""Members of other kinds of spreadsheets, whose areas are not checked here, and which the library would read too."""
_SEE: Final = "see docs/question_files.md#excel"
_Found = tuple[str, list[list[Any]], Sequence[Area]]
"""The title of a sheet, its cells, and its merged areas."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet that was read.

    Attributes
    ----------
    path : Path
    title : str
    others : tuple of str
        The other sheets, for people.
    cells : list of list
        From the first row and column on; a cell without a value is an empty text, and one of a merged area has that of
        the area.
    """

    path: Path
    title: str
    others: tuple[str, ...]
    cells: list[list[Any]]

    @property
    def words(self) -> str:
        """What was read, for people."""
        ignored = f" (not read: {', '.join(self.others)})" if self.others else ""
        return f"an Excel workbook, sheet {self.title!r}{ignored}"

    def rows(self) -> Iterator[Row]:
        """Yield the rows under the header, without empty rows, and columns that have neither a name nor values.

        Raises
        ------
        DataError
            For a column that occurs twice, and a value in a column without a name; the place gives the row.
        """
        header, names, nameless = True, list[str](), list[int]()
        for number, cells in enumerate(self.cells, start=1):
            if not has_value(cells):
                continue
            place = Place(self.path, number, f"row {number} of sheet {self.title!r}")
            if header:
                names = [text_of(cell).strip() for cell in cells]
                check_repeats(place, names)
                nameless, header = [index for index, name in enumerate(names) if not name], False
                continue
            check_nameless(place, cells, nameless)
            yield place, {name: None if cell == "" else cell for name, cell in zip(names, cells, strict=True) if name}


def read_sheet(path: Path, file: BinaryIO, wanted: str | None = None) -> Sheet:
    """Return a sheet of a workbook: the wanted one, or the first visible one that has a header and a row.

    Raises
    ------
    MissingDependencyError
        If python-calamine is not installed.
    DataError
        If the file is not a workbook, is too large, has no such sheet, or no rows in any that is visible.
    """
    place = Place(path, 1)
    _check_archive(place, file)
    try:
        import python_calamine
    except ImportError as error:
        raise MissingDependencyError(
            "the python-calamine package, which reads Excel files, is not installed",
            hint="pip install 'promptrial[xlsx]', or save the sheet as CSV (UTF-8)",
        ) from error
    file.seek(0)
    try:
        with python_calamine.CalamineWorkbook.from_filelike(file) as book:
            sheets = [one for one in book.sheets_metadata if one.typ == python_calamine.SheetTypeEnum.WorkSheet]
            visible = {one.name: one.visible == python_calamine.SheetVisibleEnum.Visible for one in sheets}
            tables = (_found(book, file, name) for name in _candidates(place, visible, wanted))
            title, table, areas = _chosen(place, tables, [name for name in visible if not visible[name]], wanted)
        others = tuple(repr(name) + ("" if visible[name] else " (hidden)") for name in visible if name != title)
        return Sheet(path, title, others, with_merged(path, title, table, areas))
    except DataError:
        raise
    except BaseException as error:
        # The library is Rust: what it does not expect ends in a PanicException, which is no Exception.
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise _unreadable(place, str(error)) from error
        raise


def _found(book: python_calamine.CalamineWorkbook, file: BinaryIO, title: str) -> _Found:
    sheet = book.get_sheet_by_name(title)
    table = _with_broken(sheet.to_python(skip_empty_area=False), file, title)
    return title, table, sheet.merged_cell_ranges or ()


def _candidates(place: Place, visible: Mapping[str, bool], wanted: str | None) -> list[str]:
    """Return the sheets that may be read."""
    if wanted is None:
        return [name for name in visible if visible[name]]
    same = [name for name in visible if name == wanted] or [
        name for name in visible if name.strip().casefold() == wanted.strip().casefold()
    ]
    if not same:
        raise place.error(
            f"no sheet {wanted!r}, which `sheet` names; the sheets are {', '.join(map(repr, visible))}",
            hint=f"correct `sheet` of the data set; {_SEE}",
        )
    return same[:1]


def _chosen(place: Place, tables: Iterable[_Found], hidden: Sequence[str], wanted: str | None) -> _Found:
    """Return the first sheet that has a header and a row; else the first that has a header."""
    first: _Found | None = None
    for found in tables:
        n_rows = sum(1 for _ in islice(filter(has_value, found[1]), 2))
        if n_rows == 2:
            return found
        if n_rows and first is None:
            first = found
    if first is None and wanted is not None:
        raise place.error(f"the sheet {wanted!r} has no rows", hint=f"name another with `sheet`; {_SEE}")
    if first is None:
        hint = f"name a hidden one with `sheet: {hidden[0]}`" if hidden else "put the header in the first row"
        raise place.error("no visible sheet of the workbook has rows", hint=f"{hint}; {_SEE}")
    return first


def _with_broken(table: list[list[Any]], file: BinaryIO, title: str) -> list[list[Any]]:
    """Put the broken cells of a sheet where the library gives nothing, and rows of them that it leaves out."""
    width = len(table[0]) if table else 0
    for (row, column), cell in broken_cells(file, title):
        if row and 1 <= column <= width:
            table.extend([""] * width for _ in range(row - len(table)))
            table[row - 1][column - 1] = cell
    return table


def _unreadable(place: Place, problem: str) -> DataError:
    first = problem.splitlines()[0][:200] if problem else "damaged"
    return place.error(f"not readable as an Excel workbook: {first}", hint=f"save it again as .xlsx or as CSV; {_SEE}")


def _check_archive(place: Place, file: BinaryIO) -> None:
    """Unpack every member once, holding none, and refuse what would be too large to hold."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            names = set(archive.namelist())
            if "xl/workbook.xml" not in names or names & _OTHER_KINDS:
                raise place.error(
                    "a ZIP archive that is not an Excel workbook (.xlsx)",
                    hint=f"unpack it and name the file of questions; {_SEE}",
                )
            if len(members) > _MOST_MEMBERS:
                raise place.error(f"a workbook of {len(members):,} parts", hint=f"save the sheet as CSV; {_SEE}")
            left = _MOST_BYTES
            for member in members:
                left -= _check_member(place, archive, member, left)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise _unreadable(place, str(error)) from error


def _check_member(place: Place, archive: zipfile.ZipFile, member: zipfile.ZipInfo, left: int) -> int:
    """Return the size of a member, unpacked; at most ``left``."""
    size, end, columns, rows = 0, b"", 1, 1
    with archive.open(member) as stream:
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            if size > left:
                raise place.error(
                    f"more than {_MOST_BYTES >> 30} GiB once unpacked", hint=f"save the sheet as CSV; {_SEE}"
                )
            for found in _CELL.finditer(end + chunk):  # any part may be a sheet
                columns, rows = max(columns, column_number(found[1].decode())), max(rows, int(found[2]))
            end = chunk[-_OVERLAP:]
    if columns * rows > _MOST_CELLS:
        raise place.error(
            f"a sheet with cells as far as row {rows:,} and column {columns:,}",
            hint=f"delete the stray cells, or save the sheet as CSV; {_SEE}",
        )
    return size
