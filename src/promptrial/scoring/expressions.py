"""Regular expressions of the user's, matched in linear time by RE2.

RE2 has no look-around and no back references: what it has takes time proportional to the text, whatever the pattern
(Cox 2007, "Regular Expression Matching Can Be Simple And Fast").
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

__all__ = ["LIBRARIES", "compiled", "searchable"]

LIBRARIES: Final = {"re2": "google-re2"}
"""What holds the engine; see ``Scorer.libraries``."""
_LONGEST: Final = 1000
_MEMORY: Final = 1 << 20
"""Bytes that a compiled pattern may take: what bounds the time for each character of a text."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_UNSUPPORTED: Final = re.compile(r"\(\?(?:[=!]|<[=!])|\\[1-9]|\(\?P=")


@lru_cache(maxsize=4096)
def compiled(pattern: str, *, case: bool = True, multiline: bool = False, dotall: bool = False) -> Any:  # noqa: ANN401 - no types
    r"""Return a compiled pattern, with ``search``, ``fullmatch`` and ``finditer`` as those of ``re``.

    Parameters
    ----------
    pattern : str
        In RE2's syntax, at most 1,000 characters.
    case : bool
        Whether upper and lower case differ.
    multiline : bool
        Whether ``^`` and ``$`` match at each line.
    dotall : bool
        Whether ``.`` matches a line break.

    Raises
    ------
    ValueError
        If it is not one, or too large; says so in one sentence.
    """
    import re2

    if len(pattern) > _LONGEST:
        raise ValueError(f"a pattern has at most {_LONGEST:,} characters; given: {len(pattern):,}")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    flags = "".join(flag for flag, is_set in (("i", not case), ("m", multiline), ("s", dotall)) if is_set)
    try:
        return re2.compile(f"(?{flags}){searchable(pattern)}" if flags else searchable(pattern), options)
    except re2.error as error:
        raise ValueError(f"{pattern!r} is not a valid RE2 regular expression: {_said(error)}{_why(pattern)}") from None


def searchable(text: str) -> str:
    """Return a text as RE2 can read it: half of a surrogate pair, which is not a character, becomes U+FFFD."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _said(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)


def _why(pattern: str) -> str:
    if _UNSUPPORTED.search(pattern):
        return "; look-around and back references are not supported, because matching them can take endless time"
    return ""
