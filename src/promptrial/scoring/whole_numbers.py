"""Numbers as words: texts in which no rule that deletes punctuation makes 15 of 1.5, or 5 of -5. Pure.

The words of an official evaluation, and those of ``support``, have no punctuation. Where that would change a number,
its decimal mark and its sign are first written as letters, in the text and in what is looked for in it.
"""

# ruff: noqa: RUF001 - signs of every kind

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

__all__ = ["SIGNS", "apart", "is_sign", "other_reading", "with_equal_numbers", "with_whole_numbers"]

SIGNS: Final = "-−–﹣－"
"""What a minus is written as; the hyphen first, so that it is not a range in a class of characters."""
_POINT, _COMMA, _MINUS = "qdq", "qcq", "qmq"
"""Letters that no text has between digits; ASCII, because texts of ASCII alone are prepared several times as fast."""
_MAY_CHANGE: Final = re.compile(rf"[{SIGNS}.,](?=[$€£¥]?\d)")
_END_ZEROS: Final = re.compile(rf"({_POINT}\d*[1-9])0+(?!\d)")
_RUN: Final = re.compile(rf"[{SIGNS}\d.,$€£¥]+")
"""What numbers are looked for in: it begins with one of a few characters, and so skips the rest of a text quickly."""
_NUMBER: Final = re.compile(rf"(?P<sign>[{SIGNS}])?(?P<symbol>[$€£¥])?(?P<digits>\.?\d+(?:[.,]\d+)*)")
_SIGN_BEHIND: Final = re.compile(r"(?:^|[\s(\[{=:<>~≈≤≥\"'“‘$€£¥*_`|^/,;+]|\d[eE])\Z")
_DIGIT: Final = re.compile(r"\d")
_DIGITS: Final = re.compile(r"\d+(?:[.,]\d+)*")
_BY_COMMA: Final = r"(?:[1-9]\d{0,2}(?:,\d{3}){1,20}|[1-9]\d?(?:,\d{2}){1,20},\d{3})(?:\.\d+)?"
_BY_POINT: Final = r"[1-9]\d{0,2}(?:(?:\.\d{3}){2,20}(?:,\d+)?|\.\d{3},\d+)"
_THOUSANDS: Final = re.compile(_BY_COMMA)
_THOUSANDS_BY_POINT: Final = re.compile(_BY_POINT)
_ONE_NUMBER: Final = re.compile(rf"\d*(?:\.\d+)?|\d+,\d{{1,3}}|0,\d+|{_BY_COMMA}|{_BY_POINT}")
"""Digits without a mark, with one decimal mark, or with thousands in groups. More than three digits after a comma are
a number of their own, as in "December 7,1941"."""
_PAIR: Final = re.compile(rf"(?<=[(\[{{])([{SIGNS}]?\d+),(?=\d{{1,2}}[)\]}}])")
_SPACED: Final = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:[ \u00a0\u202f\u2009]\d{3}){1,20}(?!\d)")
_LINE_DASH: Final = re.compile(rf"(?m)^[ \t]{{0,8}}[{SIGNS}](?=[$€£¥]?\d[\d.,]*(?P<word>[ \t][^\W\d_])?)")
"""A dash at the start of a line, before a number, and whether a word follows."""


def with_whole_numbers(text: str) -> str:
    """Return a text with each number as one word: the text itself, if no number in it has a mark or a sign.

    Marks between thousands are dropped, and a decimal part of zeros, so that equal numbers are the same word. Other
    zeros stay: 3.10 may be a version. "1.234" is a decimal number, and "2,5" is another word than "2.5": which mark a
    text uses is not known. Digits with marks that make no number, as in a date, are several numbers.

    Examples
    --------
    >>> with_whole_numbers("1,500.50 and 1500.0"), with_whole_numbers("from -5 to 5, in 1914-1918.")
    ('1500qdq50 and 1500', 'from qmq5 to 5, in 1914-1918.')
    >>> with_whole_numbers("12.05.2020")
    '12. 05. 2020'
    """
    return text if _MAY_CHANGE.search(text) is None else _RUN.sub(_as_words, text)


def with_equal_numbers(text: str) -> str:
    """Return what ``with_whole_numbers`` does, without zeros at the end of a decimal part: where 1.50 is 1.5."""
    whole = with_whole_numbers(text)
    return _END_ZEROS.sub(r"\1", whole) if _POINT in whole else whole


def apart(text: str) -> str:
    """Return a text with a space between numbers that only a mark separates, as in "1,2,3" or a date."""
    return _DIGITS.sub(lambda match: _parted(match[0]), text)


def other_reading(text: str) -> str:
    r"""Return a text with what can be read in two ways read in the other one: the text itself, if there is no such.

    "(3,4)" is a pair, "1 000" one number, and a dash before a number at the start of a line a bullet, not a minus: if
    other lines begin so too, or, after the first line, if a word follows or the line before has no mark at its end.

    Examples
    --------
    >>> other_reading("(3,4) and 1 000"), other_reading("You need:\n-2 eggs"), other_reading("It is:\n-2")
    ('(3, 4) and 1000', 'You need:\n- 2 eggs', 'It is:\n-2')
    """
    if _DIGIT.search(text) is None:
        return text
    text = _SPACED.sub(lambda match: "".join(match[0].split()), _PAIR.sub(r"\1, ", text))
    if "\n" not in text:
        return text
    several = len(_LINE_DASH.findall(text)) > 1
    return _LINE_DASH.sub(lambda dash: f"{dash[0]} " if several or _is_bullet(dash) else dash[0], text)


def _is_bullet(dash: re.Match[str]) -> bool:
    """Tell whether one dash is a bullet: after another line, with a word after its number or no mark before it."""
    start = dash.start()
    return start > 0 and (dash["word"] is not None or dash.string[max(0, start - 2)].isalnum())


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
    if digits[0] == "." and (before.isalnum() or before in {".", ")"}):
        return f".{_parted(digits[1:], _word)}"
    minus = _MINUS if sign and is_sign(match.string, match.start()) else ""
    return f"{'' if minus else sign}{symbol}{minus}{_parted(digits, _word)}"


def _parted(digits: str, written: Callable[[str], str] = str) -> str:
    """Return digits and marks with a space after each mark that separates numbers, and each number as ``written``."""
    if digits.isdigit():
        return digits
    if _ONE_NUMBER.fullmatch(digits):
        return written(digits)
    mark = "," if "," in digits else "."
    return f"{mark} ".join(_parted(each, written) for each in digits.split(mark))


def _word(number: str) -> str:
    """Return one number, which has a mark, as a word."""
    if _THOUSANDS.fullmatch(number):
        number = number.replace(",", "")
    elif _THOUSANDS_BY_POINT.fullmatch(number):
        number = number.replace(".", "").replace(",", ".")
    whole, point, part = number.partition(".")
    if not point:
        return number.replace(",", _COMMA)
    return f"{whole or '0'}{_POINT}{part}" if part.strip("0") else whole or "0"
