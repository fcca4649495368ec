"""Which items a page shows, as its address says it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Self
from urllib.parse import urlencode

from promptrial.phases.side_by_side import OUTCOMES, Outcome

__all__ = ["ItemsQuery"]

_LONGEST: Final = 200
_MOST_DIGITS: Final = 9
_LEFT_OUT: Final = {"start": "0", "item": "0"}
"""The values that say nothing; of any other name, the empty one: somebody may search for ``0``."""


@dataclass(frozen=True, slots=True)
class ItemsQuery:
    """Which items a page shows.

    Parameters
    ----------
    trial : str
        Empty for the first.
    arm : str
        The arm whose contrast tells what changed; empty for that of the first contrast.
    outcome : Outcome or None
        None for any.
    words : str
        Empty for no search.
    start : int
        How many of the items that pass the filters come before the page.
    item : int
        Only the item of this number, from 1; 0 for those that pass the filters.
    """

    trial: str = ""
    arm: str = ""
    outcome: Outcome | None = None
    words: str = ""
    start: int = 0
    item: int = 0

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Self:
        """Return what an address asks for; a value that makes no sense counts as none."""
        outcome = values.get("outcome", "")
        return cls(
            trial=values.get("trial", "")[:_LONGEST],
            arm=values.get("arm", "")[:_LONGEST],
            outcome=next((each for each in OUTCOMES if each == outcome), None),
            words=values.get("q", "")[:_LONGEST],
            start=_number(values.get("start", "")),
            item=_number(values.get("item", "")),
        )

    def of_trial(self, trial: str) -> Self:
        """Return the same of a trial."""
        return replace(self, trial=trial)

    def address(self, **changes: str) -> str:
        """Return the query of an address with some values changed; those of ``ItemsQuery()`` are left out."""
        values = {
            "trial": self.trial,
            "arm": self.arm,
            "outcome": self.outcome or "",
            "q": self.words,
            "start": str(self.start),
            "item": str(self.item),
        }
        return "?" + urlencode(
            {name: value for name, value in (values | changes).items() if value != _LEFT_OUT.get(name, "")}
        )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else 0
