r"""Escaping of characters that a terminal would obey instead of show. What is printed, and where, is decided elsewhere.

Escaped are characters that move the cursor, colour, erase or end a line early (all of C0 and C1 but newline and tab),
marks that change the direction of text, line and paragraph separators, the byte-order mark, and lone surrogates, which
no encoding can write. Each is written as ``\u`` and four hexadecimal digits, as JSON does it, so that JSON stays JSON.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

__all__ = ["FORMULA_STARTS", "defused_cell", "escaped", "escaped_cell"]

# OWASP's list for CSV injection, with the full-width forms that some locales take for the plain ones.
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - meant
"""What a cell begins with that a spreadsheet runs as a formula."""


def _table(codes: Iterable[int]) -> dict[int, str]:
    return {code: f"\\u{code:04x}" for code in codes}


# A table and not a pattern: compiling one of these ranges costs more than all that --help does.
_CONTROLS: Final = {*range(0x20), *range(0x7F, 0xA0)} - {ord("\t"), ord("\n")}
_OBEYED: Final = _table((*_CONTROLS, *range(0x202A, 0x202F), *range(0x2066, 0x206A)))
_UNPRINTABLE: Final = _OBEYED | _table((0x61C, 0x200E, 0x200F, 0x2028, 0x2029, 0xFEFF))
_IN_A_CELL: Final = {code: text for code, text in _OBEYED.items() if code != ord("\r")}
_LINE_END: Final = "\0"  # stands for one for a moment, as texts no longer hold NUL by then


def escaped(text: str) -> str:
    r"""Return a text that is safe to print: every character above as ``\uXXXX``.

    Examples
    --------
    >>> print(escaped("red: \x1b[31m"))
    red: \u001b[31m
    """
    safe = text.translate(_UNPRINTABLE)
    return safe if safe.isascii() else safe.encode(errors="backslashreplace").decode()  # the surrogates


def escaped_cell(text: str) -> str:
    r"""Return a text for a cell of CSV: what obeys in a terminal or turns text around is escaped, and nothing else.

    Line ends stay, and so do the marks of direction that belong to ordinary Arabic and Hebrew.

    Examples
    --------
    >>> print(escaped_cell("red: \x1b[31m"))
    red: \u001b[31m
    """
    safe = text.translate(_IN_A_CELL)
    if "\r" not in safe:
        return safe
    return safe.replace("\r\n", _LINE_END).replace("\r", r"\u000d").replace(_LINE_END, "\r\n")


def defused_cell(text: str) -> str:
    """Return the text of a CSV cell, escaped; one that a spreadsheet would run as a formula begins with an apostrophe.

    Examples
    --------
    >>> defused_cell("=1+1"), defused_cell("1+1")
    ("'=1+1", '1+1')
    """
    shown = escaped_cell(text)
    return f"'{shown}" if shown.startswith(FORMULA_STARTS) else shown
