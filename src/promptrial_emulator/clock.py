"""The virtual clock: seconds that are in the database and move only when told to, so that hours pass in a moment."""

from __future__ import annotations

import datetime as dt
from typing import Final

from promptrial_emulator.database import Database

__all__ = ["EPOCH", "VirtualClock", "timestamp"]

EPOCH: Final = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
"""When every emulator begins."""
LATEST_S: Final = 100 * 365.25 * 86_400
"""How far the clock goes: a hundred years, long before dates end."""
_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"


class VirtualClock:
    """The time of an emulator, in seconds since ``EPOCH``.

    Parameters
    ----------
    database : Database
    step_s : float
        How far ``tick`` moves it.
    """

    def __init__(self, database: Database, step_s: float) -> None:
        self._database = database
        self._step_s = step_s

    def now(self) -> float:
        """Return the time."""
        return float(self._database.value("clock", "0"))

    def tick(self) -> float:
        """Move it by one step and return the time; called within a transaction. At the latest time it stands still."""
        return self.advance(min(self._step_s, LATEST_S - self.now()))

    def advance(self, seconds: float) -> float:
        """Move it and return the time; called within a transaction.

        Raises
        ------
        ValueError
            If it would go back, or beyond ``LATEST_S``.
        """
        now = self.now() + seconds
        if not 0 <= seconds <= now <= LATEST_S:
            raise ValueError(f"the clock only goes forwards, to at most {LATEST_S:,.0f} s")
        self._database.set_value("clock", repr(now))
        return now


def timestamp(seconds: float) -> str:
    """Return a time as JSON has it; always six decimals, so that text sorts as time does."""
    return (EPOCH + dt.timedelta(seconds=seconds)).strftime(_FORMAT)
