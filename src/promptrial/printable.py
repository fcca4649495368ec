r"""Escaping of characters that a terminal would obey instead of show. What is printed, and where, is decided elsewhere.

Escaped are control characters other than newline and tab (they move the cursor, colour, erase, or end a line early),
marks that change the direction of text, line and paragraph separators, the byte-order mark, and lone surrogates, which
no encoding can write. Each is written as ``\u`` and four hexadecimal digits, as JSON does it, so that JSON stays JSON.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["escaped"]

_UNPRINTABLE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)


def escaped(text: str) -> str:
    r"""Return a text that is safe to print: every character above as ``\uXXXX``.

    Examples
    --------
    >>> print(escaped("red: \x1b[31m"))
    red: \u001b[31m
    """
    return _UNPRINTABLE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
