"""Text for a terminal: an aligned table, and the cleaning of text that may hold control characters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from promptrial.documents.printable import escaped
from promptrial.reporting.tables.cells import Table

__all__ = ["one_line", "printable", "summary_text"]


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


def summary_text(table: Table) -> str:
    """Return a table as aligned plain text that ends in a newline: title, header, rows, notes."""
    lines = [one_line(table.title), ""]
    if not table.rows:
        return "\n".join([*lines, "(none)", ""])
    grid = [[one_line(cell) for cell in row] for row in (table.headers, *table.rows)]
    widths = [max(len(row[column]) for row in grid) for column in range(len(table.headers))]
    rule = ["-" * width for width in widths]
    lines += [_aligned(row, widths, table.align) for row in (grid[0], rule, *grid[1:])]
    lines += _notes(table.notes)
    return "\n".join([*lines, ""])


def _aligned(cells: Sequence[str], widths: Sequence[int], align: str) -> str:
    padded = [
        cell.rjust(width) if side == "r" else cell.ljust(width)
        for cell, width, side in zip(cells, widths, align, strict=True)
    ]
    return "  ".join(padded).rstrip()


def _notes(notes: Iterable[str]) -> list[str]:
    lines = [f"- {one_line(note)}" for note in notes]
    return ["", *lines] if lines else []
