"""Text for a terminal: an aligned table, and the cleaning of text that may hold control characters."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Final

from promptrial.documents.printable import escaped
from promptrial.reporting.cells import Table

__all__ = ["narrowed", "one_line", "printable", "summary_text", "wrapped"]

_GAP: Final = "  "
_NARROWEST: Final = 10
"""The least that a column of text is made to wrap."""


def printable(text: str) -> str:
    """Return a text of any number of lines in which every unprintable character is escaped.

    Newlines and tabs stay; other ends of lines become newlines.
    """
    return escaped(text.replace("\r\n", "\n").replace("\r", "\n"))


def one_line(text: str) -> str:
    r"""Return a text on one line: every run of white space is one space, unprintable characters are escaped.

    Examples
    --------
    >>> one_line("  two\nlines ")
    'two lines'
    """
    return printable(" ".join(text.split()))


def summary_text(table: Table, width: int | None = None) -> str:
    """Return a table as aligned plain text that ends in a newline: title, header, rows, notes.

    With a ``width``, columns of text are wrapped where the table is wider, and so are title and notes.
    """
    lines = [*wrapped(one_line(table.title), width), ""]
    if not table.rows:
        return "\n".join([*lines, "(none)", ""])
    grid = [[one_line(cell) for cell in row] for row in (table.headers, *table.rows)]
    widths = _widths(grid, table.align, width)
    lines += _aligned(grid[0], widths, table.align)
    lines.append(_GAP.join("-" * each for each in widths))
    lines += [line for row in grid[1:] for line in _aligned(row, widths, table.align)]
    lines += _notes(table.notes, width)
    return "\n".join([*lines, ""])


def narrowed(table: Table, width: int | None, spare: Iterable[str]) -> Table:
    """Return a table without as many of its ``spare`` columns, named by their headers, as keep it from fitting."""
    for header in spare:
        if width is None or _is_within(table, width):
            break
        if header in table.headers:
            at = table.headers.index(header)
            rows = tuple((*row[:at], *row[at + 1 :]) for row in table.rows)
            headers, align = (*table.headers[:at], *table.headers[at + 1 :]), table.align[:at] + table.align[at + 1 :]
            table = Table(table.title, headers, rows, table.notes, align)
    return table


def _is_within(table: Table, width: int) -> bool:
    grid = [[one_line(cell) for cell in row] for row in (table.headers, *table.rows)]
    return sum(_widths(grid, table.align, None)) + len(_GAP) * (len(table.headers) - 1) <= width


def wrapped(text: str, width: int | None, indent: str = "") -> list[str]:
    """Return the lines of a text that is no wider than ``width``; what follows the first begins with ``indent``.

    A word that is wider than a line, as the path of a file may be, stays whole.
    """
    if width is None or len(text) <= width:
        return [text]
    return textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _widths(grid: Sequence[Sequence[str]], align: str, most: int | None) -> list[int]:
    """Return the width of each column: that of its widest cell, unless columns of text have to be wrapped."""
    widths = [max(len(row[column]) for row in grid) for column in range(len(align))]
    if most is None:
        return widths
    for _ in range(sum(widths)):
        texts = [column for column, side in enumerate(align) if side == "l" and widths[column] > _NARROWEST]
        if sum(widths) + len(_GAP) * (len(widths) - 1) <= most or not texts:
            break
        widths[max(texts, key=widths.__getitem__)] -= 1
    return widths


def _aligned(cells: Sequence[str], widths: Sequence[int], align: str) -> list[str]:
    """Return the lines of a row."""
    columns = [textwrap.wrap(cell, max(width, 1)) or [""] for cell, width in zip(cells, widths, strict=True)]
    return [
        _GAP.join(
            cell.rjust(width) if side == "r" else cell.ljust(width)
            for cell, width, side in zip(row, widths, align, strict=True)
        ).rstrip()
        for row in zip_longest(*columns, fillvalue="")
    ]


def _notes(notes: Iterable[str], width: int | None) -> list[str]:
    lines = [line for note in notes for line in wrapped(f"- {one_line(note)}", width, "  ")]
    return ["", *lines] if lines else []
