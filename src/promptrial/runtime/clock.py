"""Time as a value that is passed in: now, elapsed seconds, and a wait that a stop wakes. Real and fake."""

from __future__ import annotations

import datetime as dt
import threading
import time
from typing import Protocol

__all__ = ["Clock", "FakeClock", "SystemClock"]


class Clock(Protocol):
    """What the shell needs of time."""

    def now(self) -> str:
        """Return the time in UTC as ``2026-01-31T09:30:00.000000Z``."""

    def timestamp(self) -> float:
        """Return the time as seconds since 1970, as files' times of change are given."""

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start that never go back."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until the event is set or the seconds are over; return whether it is set."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> str:
        """Return the time in UTC."""
        return _format(dt.datetime.now(dt.UTC))  # noqa: TID251 - the one place

    def timestamp(self) -> float:
        """Return the seconds since 1970."""
        return time.time()  # noqa: TID251 - the one place

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start."""
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait on the event."""
        return event.wait(seconds)


class FakeClock:
    """A clock that stands still except for ``advance`` and ``wait``; tests never really sleep.

    Parameters
    ----------
    start : datetime, optional
        The first ``now``; 2026-01-01 00:00 UTC if not given.
    """

    def __init__(self, start: dt.datetime | None = None) -> None:
        self._start = start or dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        self._elapsed = 0.0

    def now(self) -> str:
        """Return the fake time in UTC."""
        return _format(self._start + dt.timedelta(seconds=self._elapsed))

    def timestamp(self) -> float:
        """Return the fake time as seconds since 1970."""
        return self._start.timestamp() + self._elapsed

    def monotonic(self) -> float:
        """Return the seconds advanced so far."""
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Move the clock on."""
        self._elapsed += seconds

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Advance by the seconds unless the event is set."""
        if not event.is_set():
            self.advance(seconds)
        return event.is_set()


def _format(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
