"""How figures are written, once for every table and sentence, and what a table is. Pure.

Scores are given in [0, 1] and are written as percentages, their differences as percentage points, unless their scorer
has a range of its own (``ScoreUnit``). A figure that is not
available is ``MISSING``, never 0. A cell is plain text: what puts it on a page escapes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = [
    "ALPHA",
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
ALPHA: Final = 0.05
"""The level of tests, if nothing else is said."""
_SMALLEST_P: Final = 0.001
_MORE: Final = 4
"""How many more digits a figure may have so that rounding does not move it to the other side of a mark."""
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
        Sentences to show below.
    align : str
        One letter a column: ``l`` for text, ``r`` for figures.
    none : str
        The sentence that is shown if there are no rows.

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
    if low is None or high is None or not high - low > _SAME:
        return None
    return unit.width * (high - low)


def _without_interval(value: float | None, unit: ScoreUnit) -> int:
    size = 0.0 if value is None else abs(unit.width * value)
    return max(_two_digits(size) if size else 1, _two_digits(unit.width / 10))


def _two_digits(size: float) -> int:
    """Return with how many decimals a size has two digits, at least 1."""
    return max(1 - math.floor(math.log10(size)), 1)


def interval(
    low: float | None,
    high: float | None,
    decimals: int = 1,
    unit: ScoreUnit = PERCENT,
    marks: Sequence[float] = (),
) -> str:
    """Return limits in percentage points, or in a unit: ``-2.1 to +8.8``.

    A limit has more decimals where it would be rounded on to 0 though the interval leaves 0 out, or on to one of
    ``marks``, such as a margin. A limit that is next to 0 has its sign.

    Examples
    --------
    >>> interval(-0.297, -0.0003), interval(-0.01, 0.0003), interval(-0.0196, 0.01, marks=(-0.02, 0.02))
    ('-29.7 to -0.03', '-1.0 to 0.0', '-1.96 to +1.0')
    >>> interval(5e-324, 0.3)
    '+0.0 to +30.0'
    """
    if low is None and high is None:
        return MISSING
    leaves_out_0 = (low is not None and low > 0) or (high is not None and high < 0)
    found = [*marks, *([0.0] if leaves_out_0 else [])]
    return f"{_limit(low, decimals, unit, found)} to {_limit(high, decimals, unit, found)}"


def _limit(value: float | None, decimals: int, unit: ScoreUnit, marks: Sequence[float]) -> str:
    if value is None:
        return MISSING
    for more in range(_MORE + 1):
        text = points(value, decimals + more, unit)
        shown = float(text.replace(",", ""))
        if all(_side(shown, unit.width * mark) == _side(unit.width * value, unit.width * mark) for mark in marks):
            return text
    text = points(value, decimals, unit)
    is_next_to_0 = 0.0 in marks and value and not text.strip("0.")
    return f"{'+' if value > 0 else '-'}{text}" if is_next_to_0 else text


def effect(
    value: float | None,
    low: float | None,
    high: float | None,
    unit: ScoreUnit = PERCENT,
    marks: Sequence[float] = (),
) -> str:
    """Return a difference with its interval: ``+3.3 (-2.1 to +8.8)``, ``+1.5 (0.2 to +2.8) words``."""
    if value is None:
        return MISSING
    decimals = points_decimals(low, high, unit, value)
    text = f"{points(value, decimals, unit)} ({interval(low, high, decimals, unit, marks)})"
    return f"{text} {unit.name}" if unit.name else text


def effect_in_words(value: float | None, low: float | None, high: float | None, unit: ScoreUnit = PERCENT) -> str:
    """Return a difference with its interval for a sentence, whose unit is written out in any case."""
    text = effect(value, low, high, unit)
    return text if unit.name else f"{text} {unit.of_differences}"


def margin(value: float, unit: ScoreUnit = PERCENT) -> str:
    """Return an equivalence margin in percentage points or in a unit, as it was given: ``5``, ``2 words``."""
    text = f"{unit.width * value:g}"
    return f"{text} {unit.name}" if unit.name else text


def p_value(p: float | None, alpha: float = ALPHA) -> str:
    """Return a p-value to three significant digits, or ``<0.001``; more where these would reach or pass ``alpha``.

    Examples
    --------
    >>> p_value(0.03125), p_value(1.0), p_value(0.0009999), p_value(0.04996)
    ('0.0312', '1.00', '<0.001', '0.04996')
    """
    return MISSING if p is None else _p_text(p, alpha, lambda more: f"{p:#.{3 + more}g}")


def p_phrase(p: float | None, alpha: float = ALPHA) -> str:
    """Return a p-value as it is written in a sentence: ``p = 0.0312`` or ``p < 0.001``."""
    return _phrase(p_value(p, alpha))


def p_equals(p: float | None, alpha: float = ALPHA) -> str:
    """Return a p-value as a verdict says it: three decimals, more where these would reach or pass ``alpha``.

    Examples
    --------
    >>> p_equals(0.0312), p_equals(0.0495), p_equals(0.0504), p_equals(0.0001)
    ('p = 0.031', 'p = 0.0495', 'p = 0.0504', 'p < 0.001')
    """
    return "p not known" if p is None else _phrase(_p_text(p, alpha, lambda more: f"{p:.{3 + more}f}"))


def _p_text(p: float, alpha: float, write: Callable[[int], str]) -> str:
    """Return a p-value with so few digits that they are on its side of the level; where none are, the side alone."""
    smallest = min(_SMALLEST_P, alpha)
    if p < smallest:
        return f"<{smallest:g}"
    texts = (write(more) for more in range(_MORE + 1))
    side = f"{'<' if p < alpha else '>'}{alpha:g}"
    return next((text for text in texts if _side(float(text), alpha) == _side(p, alpha)), side)


def _phrase(text: str) -> str:
    return f"p {text[0]} {text[1:]}" if text[0] in "<>" else f"p = {text}"


def _side(value: float, mark: float) -> int:
    """Return on which side of a mark a value is: -1, 0 or 1."""
    return (value > mark) - (value < mark)


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
