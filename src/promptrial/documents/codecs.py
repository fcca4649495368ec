"""The names of text encodings that a configuration may give: Python's codecs that turn bytes into text."""

from __future__ import annotations

import codecs
from encodings.aliases import aliases
from functools import cache
from typing import Final

__all__ = ["text_codec"]

# These turn bytes into bytes or text into text, need Windows, or would run the escapes of the text.
_NOT_TEXT: Final = frozenset(
    {
        *("base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec"),
        *("mbcs", "oem", "idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape"),
    }
)


@cache
def _known() -> frozenset[str]:
    """Return the usual names of all encodings of text; every codec that there is has to be looked up for that."""
    return frozenset(codecs.lookup(name).name for name in {*aliases.values(), "utf_8_sig"} - _NOT_TEXT)


def text_codec(name: str) -> str:
    """Return the usual name of an encoding: of ``Latin1`` it is ``iso8859-1``.

    Raises
    ------
    ValueError
        If it is not the name of an encoding of text.

    Examples
    --------
    >>> text_codec("Latin1"), text_codec("UTF8")
    ('iso8859-1', 'utf-8')
    """
    try:
        found = codecs.lookup(name).name
    except (LookupError, ValueError, UnicodeError):
        found = ""
    if found not in _known():
        raise ValueError(
            f"unknown encoding {name[:60]!r}; for example utf-8, utf-16, cp1252, latin-1, shift_jis, gb18030"
        )
    return found
