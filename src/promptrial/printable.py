r"""Escaping of characters that a terminal would obey instead of show. What is printed, and where, is decided elsewhere.

Escaped are control characters other than newline and tab (they move the cursor, colour, erase, or end a line early),
marks that change the direction of text, line and paragraph separators, the byte-order mark, and lone surrogates, which
no encoding can write. Each is written as ``\u`` and four hexadecimal digits, as JSON does it, so that JSON stays JSON.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["escaped", "escaped_cell"]

_UNPRINTABLE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)


_UNSAFE_IN_A_CELL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]|\r(?!\n)")


def escaped(text: str) -> str:
    r"""Return a text that is safe to print: every character above as ``\uXXXX``.

    Examples
    --------
    >>> print(escaped("red: \x1b[31m"))
    red: \u001b[31m
    """
    return _UNPRINTABLE.sub(_escape, text)


def escaped_cell(text: str) -> str:
    r"""Return a text for a cell of CSV: what obeys in a terminal or turns text around is escaped, and nothing else.

    Line ends stay, and so do the marks of direction that belong to ordinary Arabic and Hebrew.

    Examples
    --------
    >>> print(escaped_cell("red: \x1b[31m"))
    red: \u001b[31m
    """
    return _UNSAFE_IN_A_CELL.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
