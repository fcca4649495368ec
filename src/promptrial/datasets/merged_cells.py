"""Merged cells of an Excel sheet: only the first of them is stored, and each of the others has its value too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from promptrial.datasets.place import Place

__all__ = ["Area", "has_value", "with_merged"]

Cell = tuple[int, int]
Area = tuple[Cell, Cell]
"""The first and last cell of a merged area: row and column, from 0."""
_SEE: Final = "see docs/question_files.md#excel"


def has_value(cells: Sequence[object]) -> bool:
    """Whether a row of a sheet holds anything."""
    return any(cell is not None and cell != "" for cell in cells)


def with_merged(path: Path, title: str, table: list[list[Any]], areas: Sequence[Area]) -> list[list[Any]]:
    """Put the value of each merged area under the header into its empty cells, in the rows that hold something else.

    Parameters
    ----------
    path : Path
        The workbook, for messages.
    title : str
        The sheet, for messages.
    table : list of list
        Its cells, from the first row and column on, which are changed.
    areas : sequence of Area
        An area in several columns has its value in the first of them: in the header that is the column with the name.

    Raises
    ------
    DataError
        For an area in several columns with names that is alone in its row, and for areas that overlap.
    """
    if not areas:
        return table
    filled = [has_value(cells) for cells in table]
    head = filled.index(True) if True in filled else len(table)
    left = len(table) * len(table[0]) if table else 0
    for (top, column), (bottom, right) in areas:
        if not (head < top < len(table) and column < len(table[0]) and has_value([table[top][column]])):
            continue
        _check_heading(path, title, table, head, ((top, column), (bottom, right)))
        below = range(top + 1, min(bottom + 1, len(table)))
        left -= 1 + len(below)
        if left < 0:  # a sheet of a megabyte could take hours otherwise
            raise Place(path, 1).error(
                f"merged areas of sheet {title!r} overlap", hint=f"unmerge them, or save the sheet as CSV; {_SEE}"
            )
        for row in below:
            if filled[row] and not has_value([table[row][column]]):
                table[row][column] = table[top][column]
    return table


def _check_heading(path: Path, title: str, table: Sequence[Sequence[object]], head: int, area: Area) -> None:
    """Refuse an area in several columns, in a row that holds nothing else: a heading is not a question.

    In any other row its value is that of the area's first column, as in the header.
    """
    (top, first), (bottom, last) = area
    header, cells = table[head], table[top]
    names = [str(name) for name in header[first : last + 1] if has_value([name])]
    if len(names) > 1 and not has_value([*cells[:first], *cells[last + 1 :]]):
        place = Place(path, top + 1, f"row {top + 1} of sheet {title!r}")
        raise place.error(
            f"the merged area {_letters(first)}{top + 1}:{_letters(last)}{bottom + 1} lies in several columns: "
            f"{', '.join(names)}; the row holds nothing else",
            hint=f"remove the row if it is a heading, or unmerge the area; {_SEE}",
        )


def _letters(column: int) -> str:
    """Return the letters of a column, counted from 0."""
    return "".join(reversed([*_backwards(column)]))


def _backwards(column: int) -> Iterator[str]:
    while column >= 0:
        yield chr(65 + column % 26)
        column = column // 26 - 1
