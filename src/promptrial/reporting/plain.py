"""Text for a terminal: an aligned table, and the cleaning of text that may hold control characters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from promptrial.reporting.tables.cells import Table

__all__ = ["one_line", "printable", "summary_text"]

# Controls could rewrite a terminal, lone surrogates cannot be encoded, and direction marks show text in another order.
_UNPRINTABLE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)


def printable(text: str) -> str:
    """Return a text of any number of lines in which every unprintable character is replaced by U+FFFD.

    Newlines and tabs stay; other ends of lines become newlines.
    """
    return _UNPRINTABLE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def one_line(text: str) -> str:
    r"""Return a text on one line: every run of white space is one space, unprintable characters are replaced.

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
