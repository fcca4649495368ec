"""Numbers as words: texts in which no rule that deletes punctuation makes 15 of 1.5, or 5 of -5. Pure.

The words of an official evaluation, and those of ``support``, have no punctuation. Where that would change a number,
its decimal mark and its sign are first written as letters, in the text and in what is looked for in it.
"""

# ruff: noqa: RUF001 - signs of every kind

from __future__ import annotations

import re
from typing import Final

__all__ = ["SIGNS", "is_sign", "with_whole_numbers"]

SIGNS: Final = "-−–﹣－"
"""What a minus is written as; the hyphen first, so that it is no range in a class of characters."""
_POINT, _COMMA, _MINUS = "qdq", "qcq", "qmq"
"""Letters that no text has between digits; ASCII, because texts of ASCII alone are prepared several times as fast."""
_MAY_CHANGE: Final = re.compile(rf"[{SIGNS}.,](?=[$€£¥]?\d)")
_RUN: Final = re.compile(rf"[{SIGNS}\d.,$€£¥]+")
"""What numbers are looked for in: it begins with one of a few characters, and so skips the rest of a text quickly."""
_NUMBER: Final = re.compile(rf"(?P<sign>[{SIGNS}])?(?P<symbol>[$€£¥])?(?P<digits>\d*(?:[.,]\d+)+|\d+)")
_SIGN_BEHIND: Final = re.compile(r"(?:^|[\s(\[{=:<>~≈≤≥\"'“‘$€£¥*_`|^/,;+]|\d[eE])\Z")
_THOUSANDS: Final = re.compile(r"\d{1,3}(?:,\d{2,3}){0,20},\d{3}(?:\.\d+)?")
_THOUSANDS_BY_POINT: Final = re.compile(r"\d{1,3}(?:\.\d{3}){2,20}(?:,\d+)?|\d{1,3}\.\d{3},\d+")


def with_whole_numbers(text: str) -> str:
    """Return a text with each number as one word: the text itself, if no number in it has a mark or a sign.

    Marks between thousands are dropped, and zeros at the end of a decimal part, so that equal numbers are the same
    word. "1.234" is a decimal number, and "2,5" is another word than "2.5": which mark a text uses is not known.

    Examples
    --------
    >>> with_whole_numbers("1,500.50 and 1500.5"), with_whole_numbers("from -5 to 5, in 1914-1918.")
    ('1500qdq5 and 1500qdq5', 'from qmq5 to 5, in 1914-1918.')
    """
    return text if _MAY_CHANGE.search(text) is None else _RUN.sub(_as_words, text)


def is_sign(text: str, place: int) -> bool:
    """Tell whether the dash at a place of a text, in front of a digit, is a minus; not in "10-20" or "Covid-19"."""
    before = text[max(0, place - 2) : place]
    return _SIGN_BEHIND.search(before) is not None and not (before[:1].isdigit() and before[1:].isspace())


def _as_words(run: re.Match[str]) -> str:
    if _MAY_CHANGE.search(run[0]) is None:
        return run[0]
    parts, place = [], run.start()
    for match in _NUMBER.finditer(run.string, *run.span()):
        parts += [run.string[place : match.start()], _as_word(match)]
        place = match.end()
    return "".join([*parts, run.string[place : run.end()]])


def _as_word(match: re.Match[str]) -> str:
    sign, symbol, digits = match["sign"] or "", match["symbol"] or "", match["digits"]
    before = match.string[match.start("digits") - 1 : match.start("digits")]
    if digits[0] in ".," and (digits[0] == "," or before.isalnum() or before in {".", ")"}):
        return match[0]
    minus = _MINUS if sign and is_sign(match.string, match.start()) else ""
    return f"{'' if minus else sign}{symbol}{minus}{_digits(digits)}"


def _digits(digits: str) -> str:
    if digits.isdigit():
        return digits
    if _THOUSANDS.fullmatch(digits):
        digits = digits.replace(",", "")
    elif _THOUSANDS_BY_POINT.fullmatch(digits):
        digits = digits.replace(".", "").replace(",", ".")
    whole, point, part = digits.partition(".")
    if point and part.isdigit() and (whole.isdigit() or not whole):
        part = part.rstrip("0")
        return f"{whole or '0'}{_POINT}{part}" if part else whole or "0"
    return digits.replace(".", _POINT).replace(",", _COMMA)
