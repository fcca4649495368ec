"""Markdown from plain text: what is hostile in a cell, a line or a block is made harmless here, and only here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from promptrial.reporting.cells import Table
from promptrial.reporting.plain import one_line, printable

__all__ = ["bullets", "fenced", "inline", "line", "page", "section", "table_block", "table_blocks"]

# A pipe becomes an entity rather than "\|", so that no run of backslashes before it can free it.
_ENTITIES: Final = {"&": "&amp;", ">": "&gt;", "|": "&#124;"}
_SPECIAL: Final = re.compile(
    r"""
    (?P<entity>[&>|])
  | (?P<tag><(?![\s\d]))             # "<0.001" is no tag and stays readable
  | (?P<mark>[\\`*\[\]~$])
  | (?P<mark_outside_word>(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))
  | (?P<link>:(?=//)|(?<=[wW]{3})\.)   # some renderers make links of bare addresses
    """,
    re.VERBOSE,
)
_BLOCK_START: Final = re.compile(r"(?:[#+=-]|\d+(?=[.)]))")
_WIDEST_PADDED: Final = 48


def inline(text: str) -> str:
    r"""Return text that reads as itself within a line or a table cell, whatever it holds.

    Examples
    --------
    >>> print(inline("a|b <script> *x* operational_only <0.001"))
    a&#124;b &lt;script&gt; \*x\* operational_only <0.001
    """
    return _SPECIAL.sub(_escaped, one_line(text))


def line(text: str) -> str:
    """Return ``inline`` text that also begins no heading, list or rule where it is at the start of a line."""
    escaped = inline(text)
    start = _BLOCK_START.match(escaped)
    if start is None:
        return escaped
    place = start.end() if start.group()[0].isdigit() else 0
    return f"{escaped[:place]}\\{escaped[place:]}"


def fenced(text: str) -> str:
    """Return text as a code block whose fence is longer than any run of backticks in it."""
    body = printable(text)
    longest = max((len(run) for run in re.findall("`+", body)), default=0)
    fence = "`" * max(3, longest + 1)
    end = "" if body.endswith("\n") else "\n"
    return f"{fence}text\n{body}{end}{fence}\n"


def bullets(texts: Iterable[str]) -> str:
    """Return a list, one item a text; empty without any."""
    return "".join(f"- {line(text)}\n" for text in texts)


def table_block(table: Table, heading: str = "###") -> str:
    """Return a table under its title, with its notes below; without rows it says what there is none of."""
    title = f"{heading} {inline(table.title)}\n\n"
    notes = bullets(table.notes)
    if not table.rows:
        return f"{title}{line(table.none)}\n" + (f"\n{notes}" if notes else "")
    grid = [[inline(cell) for cell in row] for row in (table.headers, *table.rows)]
    widths = [_width(column) for column in zip(*grid, strict=True)]
    rule = [
        f"{'-' * (width - 1)}:" if side == "r" else "-" * width for width, side in zip(widths, table.align, strict=True)
    ]
    rows = "".join(_row(row, widths, table.align) for row in (grid[0], rule, *grid[1:]))
    return title + rows + (f"\n{notes}" if notes else "")


def table_blocks(tables: Iterable[Table]) -> list[str]:
    """Return tables under titles of the third level."""
    return [table_block(table) for table in tables]


def section(title: str, *blocks: str) -> str:
    """Return a heading of the second level with the blocks that are not empty; ``title`` is not escaped."""
    return "\n".join([f"## {title}\n", *(block for block in blocks if block)])


def page(*sections: str) -> str:
    """Return a page of the sections that are not empty."""
    return "\n".join(section for section in sections if section)


def _escaped(match: re.Match[str]) -> str:
    text = match.group()
    if text == "<":
        return "&lt;"
    return _ENTITIES.get(text) or f"\\{text}"


def _width(cells: Sequence[str]) -> int:
    """Return how wide a column is laid out: as its longest cell, unless that would push the others off the page."""
    longest = max(map(len, cells))
    return max(3, longest) if longest <= _WIDEST_PADDED else max(3, len(cells[0]))


def _row(cells: Sequence[str], widths: Sequence[int], align: str) -> str:
    padded = (
        cell.rjust(width) if side == "r" else cell.ljust(width)
        for cell, width, side in zip(cells, widths, align, strict=True)
    )
    return f"| {' | '.join(padded)} |\n"
