"""A unit of work: what a phase works on in one go, and what facts, checkpoints and progress are told of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["RUN", "Unit"]


@dataclass(frozen=True, slots=True)
class Unit:
    """The whole run, a trial, or a piece of either.

    Parameters
    ----------
    trial : str, optional
        The slug of a trial; None stands for all of them.
    piece : str
        What of it, by a name that says what it is (a part, a wave, a contrast); empty stands for all of it.

    Examples
    --------
    >>> print(RUN, Unit("m1-main"), Unit("m1-main", "wave 2"), Unit(piece="wave 2"), sep=" | ")
    the run | m1-main | m1-main, wave 2 | wave 2
    """

    trial: str | None = None
    piece: str = ""

    def overlaps(self, other: Unit) -> bool:
        """Return whether the two have anything in common: nothing that both of them name tells them apart.

        Examples
        --------
        >>> RUN.overlaps(Unit("a")), Unit("a", "wave 1").overlaps(Unit("a")), Unit("a").overlaps(Unit("b"))
        (True, True, False)
        """
        same_trial = self.trial is None or other.trial is None or self.trial == other.trial
        return same_trial and (not self.piece or not other.piece or self.piece == other.piece)

    def __str__(self) -> str:
        """Return what people call it."""
        return ", ".join(filter(None, (self.trial, self.piece))) or "the run"


RUN: Final = Unit()
