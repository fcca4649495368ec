"""Why rows of a job that has ended may be missing: of several reasons the most severe is reported. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from promptrial.errors import ResultsEmptyError, ResultsGoneError, ResultsShortError, ResultsTornError

__all__ = ["Doubt", "require_rows"]

Doubt = ResultsShortError | ResultsGoneError

_FROM_MILD_TO_GRAVE: Final = (ResultsTornError, ResultsShortError, ResultsEmptyError, ResultsGoneError)
"""An unproven end is a weaker sign than a torn row, an empty file is more doubtful still, and an output that is gone
comes before all."""


def require_rows(doubts: Sequence[Doubt], told: int, rows: int) -> None:
    """Refuse results in which rows are missing for a reason that is known.

    Parameters
    ----------
    doubts : sequence of Doubt
        What may have kept rows away.
    told : int
        How many rows came.
    rows : int
        How many requests there are.

    Raises
    ------
    ResultsShortError, ResultsGoneError
        The most severe of the doubts.
    """
    if doubts and told < rows:
        worst = max(doubts, key=lambda each: _FROM_MILD_TO_GRAVE.index(type(each)))
        raise type(worst)(f"{worst.message}; {told} of {rows} rows were received")
