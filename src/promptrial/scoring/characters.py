"""Scripts that are written without spaces between words: which characters they have, and texts cut into them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Final

__all__ = ["NUL", "has_unspaced", "split_unspaced"]

NUL: Final = "\0"
"""Separates texts that are joined for one translation: no rule of Unicode or of this package looks across it."""

_HAN: Final = (
    "\u2e80-\u2fdf\u3005\u3007\u3021-\u3029\u3038-\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
)
_KANA: Final = "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f\U0001aff0-\U0001b16f"
_THAI: Final = "\u0e01-\u0e3a\u0e40-\u0e4e\u0e50-\u0e59"
_LAO: Final = "\u0e81-\u0edf"
_KHMER: Final = "\u1780-\u17d3\u17d7\u17dc-\u17e9\u19e0-\u19ff"
_MYANMAR: Final = "\u1000-\u1049\u1050-\u109f\ua9e0-\ua9fe\uaa60-\uaa7f"
_UNSPACED: Final = _HAN + _KANA + _THAI + _LAO + _KHMER + _MYANMAR


@cache
def _pattern() -> re.Pattern[str]:
    return re.compile(f"[{_UNSPACED}]")


def has_unspaced(text: str) -> bool:
    """Tell whether a text has a character of a script without spaces.

    Examples
    --------
    >>> has_unspaced("\u738b\u4f1f"), has_unspaced("Wang Wei"), has_unspaced("\uc11c\uc6b8")
    (True, False, False)
    """
    return not text.isascii() and _pattern().search(text) is not None


def split_unspaced(words: Iterable[str]) -> list[str]:
    """Cut words at each character of a script without spaces, which becomes a token with its combining marks.

    Punctuation beside such characters is not a token, just as ASCII punctuation is not one by the official rules.

    Examples
    --------
    >>> split_unspaced(["\u738b\u4f1f\u3002", "GPT-4\u6a21\u578b", "paris"])
    ['\u738b', '\u4f1f', 'GPT-4', '\u6a21', '\u578b', 'paris']
    """
    uncut = list(words)
    if not has_unspaced("".join(uncut)):  # nearly every text, and one look instead of one a word
        return uncut
    return [token for word in uncut for token in (_cut(word) if has_unspaced(word) else [word])]


def _cut(word: str) -> list[str]:
    unspaced = _pattern()
    tokens: list[str] = []
    running = False
    for character in word:
        category = unicodedata.category(character)
        if category[0] == "P" and not running:
            continue
        if unspaced.match(character) and category[0] != "M":
            tokens.append(character)
            running = False
        elif tokens and (running or category[0] == "M"):
            tokens[-1] += character
        else:
            tokens.append(character)
            running = True
    return [trimmed for token in tokens if (trimmed := _trimmed(token))]


def _trimmed(token: str) -> str:
    """Return the token without punctuation at its end."""
    while token and unicodedata.category(token[-1])[0] == "P":
        token = token[:-1]
    return token
