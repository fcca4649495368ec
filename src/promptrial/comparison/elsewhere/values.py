"""One score as a number: what files write for it, and what of it is not a score."""

from __future__ import annotations

import math
from typing import Final

from promptrial.datasets.place import Place, shown
from promptrial.datasets.value_texts import BrokenCell

__all__ = ["is_scalar", "score_in", "score_of"]

_MISSING: Final = frozenset({"", "null", "none", "na", "n/a", "-"})
_WORDS: Final = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
_LONGEST: Final = 400
"""Letters of a number; a double needs at most 345 without an exponent."""


def score_of(value: object) -> float | None:
    """Return a score as a number, which may be infinite or not a number; None for no value.

    Raises
    ------
    ValueError
        If it is not a number, truth value or empty.

    Examples
    --------
    >>> score_of("0.5"), score_of(True), score_of(" yes "), score_of("n/a"), score_of(10**400)
    (0.5, 1.0, 1.0, None, inf)
    """
    if value is None:
        return None
    if isinstance(value, int | float):
        return _as_float(value)
    if not isinstance(value, str):
        raise ValueError(f"{type(value).__name__} is no number")  # noqa: TRY004 - the caller says where
    text = value.strip().lower()
    if text in _MISSING:
        return None
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _LONGEST or "_" in text:
        raise ValueError("no number")
    return float(text)


def score_in(place: Place, column: str, value: object) -> float | None:
    """Return the score in a column.

    Raises
    ------
    DataError
        If it is not one; says where, and what was found.
    """
    try:
        return score_of(value)
    except ValueError:
        found = value.shown if isinstance(value, BrokenCell) else value if isinstance(value, str) else repr(value)
        raise place.error(
            f"column {column!r} holds {shown(found)}, which is no score: expected a number, true or false, or nothing",
            hint="correct the cell, or name another column of scores with --score; see docs/analyze.md#tables",
        ) from None


def is_scalar(value: object) -> bool:
    """Whether a value is a score on its own."""
    if isinstance(value, bool | int | float):
        return True
    if not isinstance(value, str):
        return False
    try:
        return score_of(value) is not None
    except ValueError:
        return False


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number of more than 308 digits
        return math.inf if value > 0 else -math.inf
