"""How figures are written, once for every table and sentence, and what a table is. Pure.

Scores are given in [0, 1] and are written as percentages, their differences as percentage points, unless their scorer
has a range of its own (``ScoreUnit``). A figure that is not
available is ``MISSING``, never 0. A cell is plain text: what puts it on a page escapes it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

__all__ = [
    "MISSING",
    "PERCENT",
    "ScoreUnit",
    "Table",
    "amount",
    "count",
    "counted",
    "effect",
    "effect_in_words",
    "interval",
    "level",
    "margin",
    "p_equals",
    "p_phrase",
    "p_value",
    "points",
    "points_decimals",
    "quantity",
    "rate",
    "significant",
    "temperature",
    "verdict_decimals",
]

MISSING: Final = "\u2013"
"""An en dash, which no figure begins with."""
_SMALLEST_P: Final = 0.001
_SAME: Final = 1e-9
"""Limits that are no further apart, as shares of the range of the scores, are the same: statistics take them so."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of plain text.

    Parameters
    ----------
    title : str
    headers : tuple of str
    rows : tuple of tuple of str
        Each as long as ``headers``.
    notes : tuple of str
        Sentences to stand below.
    align : str
        One letter a column: ``l`` for text, ``r`` for figures.
    none : str
        The sentence that stands in the place of rows where there are none.

    Raises
    ------
    ValueError
        If a row or ``align`` is not as long as ``headers``.
    """

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    align: str
    none: str = "There are none."

    def __post_init__(self) -> None:
        lengths = {len(row) for row in self.rows} | {len(self.align)}
        if lengths != {len(self.headers)}:
            raise ValueError(f"table {self.title!r}: {len(self.headers)} headers, but rows or alignments of {lengths}")


def count(value: int | None) -> str:
    """Return ``1,234``."""
    return MISSING if value is None else f"{value:,}"


def counted(number: int, noun: str) -> str:
    """Return a number of things: ``1 question``, ``1,234 questions``."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def quantity(value: float | None) -> str:
    """Return a count that averages may have made fractional: ``12``, or ``12.33``.

    Examples
    --------
    >>> quantity(1234.0000000001), quantity(12.3333)
    ('1,234', '12.33')
    """
    if value is None:
        return MISSING
    return _fixed(value, 0 if math.isclose(value, round(value), abs_tol=1e-6) else 2)


@dataclass(frozen=True, slots=True)
class ScoreUnit:
    """In what scores are shown that are given as shares of their range: its ends, and the name of the unit.

    Without a name they are shown in percent, and their differences in percentage points.
    """

    low: float = 0.0
    high: float = 100.0
    name: str = ""

    @property
    def width(self) -> float:
        """The largest difference."""
        return self.high - self.low

    @property
    def of_differences(self) -> str:
        """The unit of a difference, in words."""
        return self.name or "percentage points"


PERCENT: Final = ScoreUnit()


def rate(value: float | None, decimals: int = 1, unit: ScoreUnit = PERCENT) -> str:
    """Return a share in [0, 1] as a percentage, or in its unit: ``62.5%``, ``2.4 words``."""
    if value is None:
        return MISSING
    text = _fixed(unit.low + unit.width * value, decimals)
    return f"{text} {unit.name}" if unit.name else f"{text}%"


def points(value: float | None, decimals: int = 1, unit: ScoreUnit = PERCENT) -> str:
    """Return a difference of shares in percentage points or in a unit, with its sign: ``+3.1``."""
    if value is None:
        return MISSING
    text = _fixed(unit.width * value, decimals)
    return f"+{text}" if value > 0 and text.strip("0.") else text


def points_decimals(
    low: float | None, high: float | None, unit: ScoreUnit = PERCENT, value: float | None = None
) -> int:
    """Return how many decimals a table gives a difference and its means: two digits of half the interval's width.

    They are at least 1. Without an interval ``value``, the difference, has two digits, and the unit decides besides.

    Examples
    --------
    >>> points_decimals(-0.05, 0.05), points_decimals(0.0010, 0.0021), points_decimals(None, 0.1)
    (1, 3, 1)
    >>> points_decimals(None, None, ScoreUnit(0.0, 0.01, "USD"), 0.0004)
    7
    """
    width = _width(low, high, unit)
    return _without_interval(value, unit) if width is None else _two_digits(width / 2)


def verdict_decimals(
    low: float | None, high: float | None, unit: ScoreUnit = PERCENT, value: float | None = None
) -> int:
    """Return how many decimals a verdict gives: one where the interval is wider than a point, else two digits of it.

    Examples
    --------
    >>> verdict_decimals(-0.05, 0.05), verdict_decimals(0.001, 0.003), verdict_decimals(0.0001, 0.0002)
    (1, 2, 3)
    """
    width = _width(low, high, unit)
    if width is None:
        return _without_interval(value, unit)
    return 1 if width > 1 else max(_two_digits(width), 2)


def _width(low: float | None, high: float | None, unit: ScoreUnit) -> float | None:
    """Return how wide an interval is in its unit; None where its limits are the same, or not known."""
    known = low is not None and high is not None and high - low > _SAME
    return unit.width * (high - low) if known and low is not None and high is not None else None


def _without_interval(value: float | None, unit: ScoreUnit) -> int:
    size = 0.0 if value is None else abs(unit.width * value)
    return max(_two_digits(size) if size else 1, _two_digits(unit.width / 10))


def _two_digits(size: float) -> int:
    """Return with how many decimals a size has two digits, at least 1."""
    return max(1 - math.floor(math.log10(size)), 1)


def interval(low: float | None, high: float | None, decimals: int = 1, unit: ScoreUnit = PERCENT) -> str:
    """Return limits in percentage points, or in a unit: ``-2.1 to +8.8``."""
    if low is None and high is None:
        return MISSING
    return f"{points(low, decimals, unit)} to {points(high, decimals, unit)}"


def effect(value: float | None, low: float | None, high: float | None, unit: ScoreUnit = PERCENT) -> str:
    """Return a difference with its interval: ``+3.3 (-2.1 to +8.8)``, ``+1.5 (0.2 to +2.8) words``."""
    if value is None:
        return MISSING
    decimals = points_decimals(low, high, unit, value)
    text = f"{points(value, decimals, unit)} ({interval(low, high, decimals, unit)})"
    return f"{text} {unit.name}" if unit.name else text


def effect_in_words(value: float | None, low: float | None, high: float | None, unit: ScoreUnit = PERCENT) -> str:
    """Return a difference with its interval for a sentence, whose unit is written out in any case."""
    text = effect(value, low, high, unit)
    return text if unit.name else f"{text} {unit.of_differences}"


def margin(value: float, unit: ScoreUnit = PERCENT) -> str:
    """Return an equivalence margin in percentage points or in a unit, as it was given: ``5``, ``2 words``."""
    text = f"{unit.width * value:g}"
    return f"{text} {unit.name}" if unit.name else text


def p_value(p: float | None) -> str:
    """Return a p-value to three significant digits, or ``<0.001``.

    Examples
    --------
    >>> p_value(0.03125), p_value(1.0), p_value(0.0009999)
    ('0.0312', '1.00', '<0.001')
    """
    if p is None:
        return MISSING
    return f"<{_SMALLEST_P}" if p < _SMALLEST_P else f"{p:#.3g}"


def p_phrase(p: float | None) -> str:
    """Return a p-value as it stands in a sentence: ``p = 0.0312`` or ``p < 0.001``."""
    text = p_value(p)
    return f"p < {text[1:]}" if text.startswith("<") else f"p = {text}"


def p_equals(p: float | None) -> str:
    """Return a p-value as a verdict says it: three decimals, and a bound below 0.001."""
    return "p not known" if p is None else f"p < {_SMALLEST_P}" if p < _SMALLEST_P else f"p = {p:.3f}"


def significant(value: float | None, digits: int = 3) -> str:
    """Return a figure to so many significant digits, without an exponent; whole digits are all kept.

    Examples
    --------
    >>> significant(0.0012345), significant(12345.678), significant(2.0), significant(0)
    ('0.00123', '12,346', '2.00', '0')
    """
    if value is None:
        return MISSING
    if value == 0:
        return "0"
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])  # of the rounded figure: that of 0.9999 is 0
    return _fixed(value, max(digits - 1 - exponent, 0))


def amount(usd: float | None) -> str:
    """Return an amount in USD: cents, or two significant digits where they come to less than 1."""
    if usd is None:
        return MISSING
    return significant(usd, 2) if float(f"{usd:.1e}") < 1 else _fixed(usd, 2)


def level(share: float) -> str:
    """Return a confidence level: ``95%``."""
    return f"{100 * share:g}%"


def temperature(temp: float) -> str:
    """Return a temperature: ``0`` or ``0.7``."""
    return f"{temp:g}"


def _fixed(value: float, decimals: int) -> str:
    text = f"{value:,.{decimals}f}"
    return text if text.strip("-0.") else text.removeprefix("-")  # no negative zero
