"""How often a live request fails, since when, and whether it counts as unanswered. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["Failing"]

_OFTEN: Final = 4


@dataclass(slots=True)
class Failing:
    """The failures of one request; ``alone`` counts those in a row with an answer to another request before each."""

    failures: int = 0
    alone: int = 0
    since: float = 0.0
    last: float = 0.0

    def note(self, now: float, last_answer: float | None) -> None:
        """Note a failure, at a moment of the clock, and when another request was answered last."""
        if not self.failures:
            self.since = now
        elif last_answer is not None and last_answer > self.last:
            self.alone += 1
        else:
            self.alone = 0
        self.failures, self.last = self.failures + 1, now

    def counts_as_unanswered(self, now: float, outage_s: float, *, with_leave: bool) -> str | None:
        """Return why the request is given up, or None if it is to be sent again.

        Parameters
        ----------
        now : float
        outage_s : float
            The seconds for which it must have failed, and at least four times.
        with_leave : bool
            Whether that is enough. Else others must have been answered in between: it is the request that fails then,
            and not the server.
        """
        if now - self.since < outage_s:
            return None
        said = f"no answer to this request in {outage_s:,.0f} s"
        if self.alone >= _OFTEN:
            return f"{said}, although others were answered"
        return f"{said}, with --rebuy" if with_leave and self.failures >= _OFTEN else None
