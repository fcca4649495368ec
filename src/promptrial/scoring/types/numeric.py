"""Numeric: whether the last number of the answer is that of an accepted one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Literal

from promptrial.model import Item
from promptrial.scoring.base import Gold, PreparedAnswer
from promptrial.scoring.contract import Declaration, Scorer
from promptrial.scoring.numbers import DecimalMark, Number, read_number

__all__ = ["Numeric"]


@lru_cache(maxsize=8192)
def _accepted(answers: tuple[str, ...], decimal: DecimalMark) -> tuple[Number, ...]:
    found = (read_number(answer, decimal) for answer in answers)
    return tuple(number for number in found if number is not None)


def _read(number: Number) -> Fraction:
    value = Fraction(number.value)
    return value / 100 if number.percent else value


@dataclass(frozen=True)
class Numeric(Scorer):
    """Whether the last number of the answer equals the last number of an accepted answer.

    So worked answers need no marker: of "12 / 3 = 4 an hour, and 4 * 5 = 20" the number is 20. In a text that is
    nothing but a number, plain spaces separate thousands too ("1 000"). Numbers are compared exactly, as fractions.
    What is read as a number, and what is not, is in ``scoring.numbers.read_number``. Items none of whose accepted
    answers has a number are left out; an abstention scores as for exact match.

    Attributes
    ----------
    tolerance : float
        The largest difference that counts as none, 0 or more.
    relative : float
        The same as a share of the accepted number's size. The larger of both counts.
    decimal : {".", ","}
        The decimal mark, in questions and answers alike; the other one separates thousands.
    percent : {"either", "exact"}
        ``either``: 50% equals 50 and 0.5 where the other number has no percent sign. ``exact``: 50% is 0.5.

    Raises
    ------
    ValueError
        If a tolerance is negative or not finite, or another setting is none of those.

    References
    ----------
    Cobbe et al. 2021, "Training Verifiers to Solve Math Word Problems" (GSM8K), whose answers are the number after
    ``####``; taking the last number of an answer is what evaluations of it do.
    """

    declared = Declaration(
        label="Correct number",
        meaning="Is the last number in the answer that of an accepted answer or, if the question has no answer, "
        "is it a refusal?",
        scale="binary",
        direction="higher",
        needs=("gold",),
        role="accuracy",
        version=4,
    )

    tolerance: float = 0.0
    relative: float = 0.0
    decimal: DecimalMark = "."
    percent: Literal["either", "exact"] = "either"

    def __post_init__(self) -> None:
        for name in ("tolerance", "relative"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} is {value}; allowed: 0 or more")
        if self.decimal not in {".", ","} or self.percent not in {"either", "exact"}:
            raise ValueError("decimal is '.' or ',', percent is 'either' or 'exact'")

    def applies(self, item: Item) -> bool:
        """Items with a number in an accepted answer, and items without an answer."""
        return super().applies(item) and (item.is_unanswerable or bool(_accepted(item.answers, self.decimal)))

    def score(self, gold: Gold, answer: PreparedAnswer) -> float:
        """1 if the last number is an accepted one; an abstention is right exactly when the item is unanswerable."""
        if answer.abstained:
            return float(gold.item.is_unanswerable)
        found = read_number(answer.text, self.decimal)
        wanted = _accepted(gold.item.answers, self.decimal)
        return float(found is not None and any(self._equals(found, each) for each in wanted))

    def _equals(self, found: Number, wanted: Number) -> bool:
        if isinstance(found.value, str) or isinstance(wanted.value, str):
            return found == wanted
        readings = [(_read(found), _read(wanted))]
        if self.percent == "either" and found.percent != wanted.percent:
            readings.append((found.value, wanted.value))
        tolerance, relative = self._tolerances
        return any(abs(one - other) <= max(tolerance, relative * abs(other)) for one, other in readings)

    @cached_property
    def _tolerances(self) -> tuple[Fraction, Fraction]:
        """Both tolerances, exactly as they were written."""
        return Fraction(repr(self.tolerance)), Fraction(repr(self.relative))
