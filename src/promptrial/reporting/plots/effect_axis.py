"""The axis of effects that plots share: points of the range of the scores, symmetric about zero. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from promptrial.reporting.plots.canvas import nice_ceiling

__all__ = ["NARROW", "NARROW_ROW", "ROW", "WIDE", "half_of_axis", "in_points"]

WIDE: Final = 860
NARROW: Final = 340
"""On a telephone."""
ROW: Final = 34
NARROW_ROW: Final = 58
_LEAST: Final = 5.0
"""The least half of the axis, in points: a tiny effect should not look large."""
_FULL: Final = 100.0


def in_points(share: float | None) -> float | None:
    """Return a share of the range of the scores in points."""
    return None if share is None else _FULL * share


def half_of_axis(ends: Iterable[float | None]) -> float:
    """Return where the axis ends, in points: at a round number, as far from zero as any of the ``ends`` that is known.

    Examples
    --------
    >>> half_of_axis([1.2, None]), half_of_axis([-7.2, 3.0]), half_of_axis([130.0])
    (5.0, 10.0, 100.0)
    """
    return min(nice_ceiling(max([_LEAST, *(abs(each) for each in ends if each is not None)])), _FULL)
