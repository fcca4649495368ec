"""Numbers in a text: found as people and models write them, and read without rounding. Pure."""

# ruff: noqa: RUF001 - digits, dashes and multiplication signs of every kind

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Final, Literal

__all__ = ["DecimalMark", "Number", "read_number", "whole_number"]

DecimalMark = Literal[".", ","]
_MOST_DIGITS: Final = 400
_LARGEST_EXPONENT: Final = 400
_MOST_DIGITS_OF_POWER: Final = 1000
_SUPERSCRIPTS: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_RAISED: Final = re.compile(r"(?<=[\d)\]])([⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
_SAME: Final = str.maketrans(
    {
        **dict.fromkeys("−–﹣－", "-"),
        **dict.fromkeys("＋", "+"),
        **dict.fromkeys("٪％﹪", "%"),
        **dict.fromkeys("⁄∕", "/"),
        **dict.fromkeys("×✕·⋅∙", "*"),
        **dict.fromkeys("’‘٬＇ʼ", "'"),
        **dict.fromkeys("\u2009\u202f\u2007\u00a0", "\u00a0"),
        "．": ".",
        "，": ",",
        "٫": ".",
    }
)
_TEX: Final = (
    (re.compile(r"\{([,.])\}"), r"\1"),
    (re.compile(r"\\[,;:! ]"), "\u00a0"),
    (re.compile(r"\\(?:times|cdot)(?![a-z])"), "*"),
    (re.compile(r"\\([%$])"), r"\1"),
)
_PART: Final = r"\s?(?:\{\s?([-+\u2212]?(?:[0-9]{1,50}(?:\.[0-9]{1,50})?|\.[0-9]{1,50}))\s?\}|([0-9]))"
_FRACTION: Final = re.compile(rf"(?P<sign>[-\u2212])?\\[dtc]?frac{_PART}{_PART}")
"""A fraction of TeX. Without braces, its parts are one digit each."""
_FORM: Final = "\ufdd0"
"""What marks the start of a fraction that was one character: no text has it, it is not a character of Unicode."""
_BEHIND_A_WORD: Final = re.compile(rf"(?<=\w)[ \u00a0]?{_FORM}")
_SPACED: Final = re.compile(r"[^0-9]{0,4}[1-9][0-9]{0,2}(?: [0-9]{3})+(?![0-9])")
"""Plain spaces between thousands, at the start of a text."""
_EXPONENT: Final = re.compile(
    r"(?:(?<![\d.,])(?P<base>[\d.,]{1,400}))?[ \u00a0]?\^[ \u00a0]?"
    r"(?:\{[^{}\n]{0,40}\}|\([^()\n]{0,40}\)|[-+\u2212]?(?:[0-9]+(?:[./][0-9]+)?|\.[0-9]+))"
)
_STARS: Final = re.compile(
    r"(?:(?<=[0-9)\]])|(?<=^[A-Za-z])|(?<=[^A-Za-z][A-Za-z])|(?<=[0-9/][A-Za-z]{2})|(?<=[0-9/][ \u00a0][A-Za-z]{2}))"
    r"\*\*(?P<exponent>[-+]?[0-9]+|\([-+]?[0-9./]{1,40}\))(?![0-9.]*\*\*)"
)
"""Two stars as the sign of a power: of a number, a bracket, a variable or a unit. Elsewhere they are bold type."""
_BRACKET: Final = re.compile(r"[(\[][-+*/\u2212\d., ]{1,40}[)\]](?=[ \u00a0]?\^)")
"""A bracket that has a power, and numbers alone."""
_WHOLE_EXPONENT: Final = re.compile(r"[-+]?[0-9]{1,50}")
_PARTIAL_EXPONENT: Final = re.compile(r"[-+]?(?:[0-9]*\.[0-9]+|[0-9]+/[0-9]+)")
_DATE: Final = re.compile(r"[0-9]{1,50}(?:/[0-9]{1,50}){2,}")
_BEFORE: Final = r"(?<![A-Za-z0-9_À-ɏͰ-ӿ])"
_CURRENCY: Final = r"[$€£¥₹₩₽₺₴₫฿]"


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written.

    ``value`` is exact. A number of more than 400 digits, or with an exponent beyond 400, is kept as its text and equals
    only what is written like it. ``percent`` says whether a percent sign follows; it is not part of the value.
    """

    value: Fraction | str
    percent: bool = False


def whole_number(text: str, decimal: DecimalMark = ".") -> Number | None:
    """Return the number that a text is, a full stop and white space aside; None if it is anything else.

    Where there is nothing else, plain spaces separate thousands as well: elsewhere "12 345" is two numbers.

    Examples
    --------
    >>> whole_number("1 234.5"), whole_number("1.234"), whole_number("1.234", decimal=",")
    (Number(value=Fraction(2469, 2), percent=False), Number(value=Fraction(617, 500), percent=False), \
Number(value=Fraction(1234, 1), percent=False))
    >>> whole_number("1.234.567"), whole_number("5 sacks")
    (None, None)
    """
    return _whole(_plain(text), decimal)


def read_number(text: str, decimal: DecimalMark = ".") -> Number | None:
    """Return the number that a text is, else the last one in it; None if it has none.

    A number is one of: digits, with thousands in groups (``1,000``, ``1'000``, ``1_000``, no-break spaces), a decimal
    part, an exponent (``1e-3``, ``1.5 x 10^6``, ``10^6``, ``10**6``, ``10⁶``); a fraction (``3/4``), also after a
    whole number (``1 1/2``). A sign and a currency symbol may be before it, a percent sign behind it. Digits of
    every script count. Digits right after a letter ("H2O", "Q3"), exponents of anything but a number ("cm^2"), powers
    of brackets ("(-2)^2") and those with an exponent that is not whole ("2^0.5") are not numbers; words ("five", the
    million of "2 million") are not read; "3:15" and "1/2/2020" are several numbers.

    Parameters
    ----------
    text : str
    decimal : {".", ","}
        The decimal mark. The other one separates thousands.

    Examples
    --------
    >>> read_number("12 / 3 = 4 an hour, and 4 * 5 = 1,020.50.")
    Number(value=Fraction(2041, 2), percent=False)
    >>> read_number("about 1.234,5 %", decimal=",")
    Number(value=Fraction(2469, 2), percent=True)
    """
    plain = _plain(text)
    return _whole(plain, decimal) or _last(plain, decimal)


def _last(plain: str, decimal: DecimalMark) -> Number | None:
    last = None
    for match in _pattern(decimal).finditer(plain):
        last = match
    return None if last is None else _number(last)


def _whole(plain: str, decimal: DecimalMark) -> Number | None:
    bare = plain.strip().removesuffix(".")
    spaced = _SPACED.match(bare)
    if spaced:
        bare = spaced[0].replace(" ", "\u00a0") + bare[spaced.end() :]
    match = _pattern(decimal).fullmatch(bare)
    return None if match is None else _number(match)


@cache
def _pattern(decimal: DecimalMark) -> re.Pattern[str]:
    mark, group = (r"\.", ",") if decimal == "." else (",", r"\.")
    grouped = (
        rf"[1-9][0-9]{{0,2}}(?:{group}[0-9]{{2,3}}){{0,20}}{group}[0-9]{{3}}(?![0-9])"
        r"|[1-9][0-9]{0,2}(?:(?P<other>['_\u00a0])[0-9]{3})(?:(?P=other)[0-9]{3}){0,20}(?![0-9])"
    )
    whole = rf"(?P<whole>{grouped}|[0-9]+)(?:{mark}(?P<part>[0-9]+))?|{mark}(?P<bare>[0-9]+)"
    power = (
        r"[eE](?P<e>[-+]?[0-9]+)(?![0-9A-Za-z])|\^(?P<raised>[-+]?[0-9]+)"
        r"|[ \u00a0]?[*xX][ \u00a0]?10[ ]?(?:\^|\*\*)[ ]?\{?(?P<ten>[-+]?[0-9]+)\}?"
    )
    fraction = r"[ \u00a0]?/[ \u00a0]?(?P<under>0{0,20}[1-9][0-9]*)(?![0-9])"
    mixed = r"[ \u00a0](?P<over>[0-9]+)/(?P<below>0{0,20}[1-9][0-9]*)(?![0-9])"
    sign = rf"(?:(?P<sign>(?<![)\]0-9A-Za-z])[-+])?{_CURRENCY}?(?P<second>[-+])?)"
    return re.compile(
        rf"{_BEFORE}(?<![0-9]{mark}){sign}(?:{whole})(?:{power}|{mixed}|{fraction})?"
        r"(?P<percent>[ \u00a0]?(?:%|percent\b|per cent\b))?"
    )


def _plain(text: str) -> str:
    """Return the text with marks of one kind written in one way, digits of every script as those of ASCII."""
    if "\\" in text or "{" in text:
        if "frac" in text:
            text = _FRACTION.sub(_fraction, text)
        for pattern, instead in _TEX:
            text = pattern.sub(instead, text)
    if "**" in text:
        text = "\n".join(map(_with_powers, text.split("\n")))
    if not text.isascii():
        text = _RAISED.sub(lambda match: f"^{match[1].translate(_SUPERSCRIPTS)}", text)
    if "^" in text:
        text = _EXPONENT.sub(_exponent, _BRACKET.sub("", text))
    if "/" in text:
        text = _DATE.sub(lambda match: match[0].replace("/", ";"), text)
    if text.isascii():
        return text
    plain = "".join(map(_plain_character, text.translate(_SAME)))
    return _BEHIND_A_WORD.sub(" ", plain).replace(_FORM, "") if _FORM in plain else plain


def _fraction(match: re.Match[str]) -> str:
    """Return a fraction of TeX as people write it; after a number it is the part of a mixed one."""
    over, below = (Fraction(part.replace("\u2212", "-")) for part in match.groups()[1:] if part)
    if not below:
        return match[0]
    value, sign = over / below, match["sign"] or ""
    if value < 0:
        value, sign = -value, "+" if sign else "-"
    joins = match.string[match.start() - 1 : match.start()].isalnum() and not match["sign"]
    return f"{' ' if joins else ''}{sign}{value.numerator}/{value.denominator}"


def _with_powers(line: str) -> str:
    """Return a line with the powers of two stars written as those of ``^``; one pair that is bold type makes all so."""
    carets, n = _STARS.subn(r"^\g<exponent>", line)
    return carets if n == line.count("**") else line


def _exponent(match: re.Match[str]) -> str:
    """Return a number and its exponent if that is a whole one, and nothing of a number with any other exponent.

    What is raised but no exponent of a number, such as the one of a unit, is not a number.
    """
    base, raised = match["base"] or "", match[0][len(match["base"] or "") :]
    exponent = raised.strip(" \u00a0^{}()").replace("\u2212", "-").replace(" ", "")
    divided = "" if raised[-1] in "})" else "".join(exponent.partition("/")[1:])
    if base[-1:].isdigit() and _WHOLE_EXPONENT.fullmatch(exponent.removesuffix(divided)):
        return f"{base}^{exponent}"
    return "^" if _PARTIAL_EXPONENT.fullmatch(exponent) else f"{base}^"


@cache
def _plain_character(character: str) -> str:
    if character.isascii():
        return character
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "No" and "\u2044" in (form := unicodedata.normalize("NFKC", character)):
        return f"{_FORM}{form}".replace("\u2044", "/")
    return character


def _number(match: re.Match[str]) -> Number:
    digits = match["whole"] or ""
    whole = re.sub(r"[^0-9]", "", digits)
    part = match["part"] or match["bare"] or ""
    negative = "-" in {match["sign"], match["second"]}
    bounds = (whole + part, match["under"] or "", match["over"] or "", match["below"] or "")
    exponent = match["e"] or match["ten"] or "0"
    value = None
    if all(len(each) <= _MOST_DIGITS for each in bounds) and _is_small(exponent):
        value = Fraction(int(whole + part or "0"), 10 ** len(part)) * Fraction(10) ** int(exponent)
        value = _power(value, match["raised"], len(whole + part)) if match["raised"] else value
    if value is None:
        return Number(match[0].strip(), match["percent"] is not None)
    if match["over"]:
        value = _mixed(value, Fraction(int(match["over"]), int(match["below"])))
    elif match["under"]:
        value /= int(match["under"])
    return Number(-value if negative else value, match["percent"] is not None)


def _power(value: Fraction, exponent: str, digits: int) -> Fraction | None:
    """Return a power; None if it has too many digits, or does not exist."""
    if not _is_small(exponent) or digits * abs(int(exponent)) > _MOST_DIGITS_OF_POWER:
        return None
    return value ** int(exponent) if value or int(exponent) >= 0 else None


def _is_small(exponent: str) -> bool:
    digits = exponent.lstrip("+-").lstrip("0")
    return len(digits) <= 3 and int(digits or "0") <= _LARGEST_EXPONENT


def _mixed(whole: Fraction, part: Fraction) -> Fraction:
    """Return a mixed number; what is before a fraction of 1 or more is a number of its own."""
    return whole + part if part < 1 and whole.denominator == 1 else part
