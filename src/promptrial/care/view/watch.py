"""A run that pages watch: its files are looked at once for all of them, at most once a second, without its lock."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

from promptrial.care.following import Follower, Look, Speed, pause_after
from promptrial.care.log_tail import Said, last_said
from promptrial.care.status import RunStatus, read_status
from promptrial.documents.ledger import Ledger
from promptrial.errors import PromptrialError
from promptrial.phases.accounts import read_ledger
from promptrial.phases.month import FolderMonth
from promptrial.runtime.clock import Clock
from promptrial.store.change_records import SpendingCaps
from promptrial.store.part_records import set_or_none
from promptrial.store.rundir import RunDir

__all__ = ["MonthSpending", "RunWatch", "Seen"]

_LINES: Final = 12


@dataclass(frozen=True, slots=True)
class MonthSpending:
    """What all runs of a folder have spent in a month, such as ``2026-01``, and what may be billed yet.

    ``usd`` is None where that cannot be counted; ``problem`` then says why.
    """

    name: str
    usd: float | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the files of a run said at a look. ``month`` is there if a cap of the month holds for the run."""

    run: RunDir
    look: Look
    ledger: Ledger
    speed: Speed
    month: MonthSpending | None
    said: list[Said]

    @property
    def status(self) -> RunStatus:
        """The progress of the run."""
        return self.look.status

    @property
    def caps(self) -> SpendingCaps:
        """The most that may be spent."""
        return set_or_none(self.status.state.caps) or SpendingCaps()


class RunWatch:
    """Looks at a run again and again; for several threads.

    Parameters
    ----------
    run : RunDir
    clock : Clock
    """

    def __init__(self, run: RunDir, clock: Clock) -> None:
        self._run, self._clock = run, clock
        self._follower = Follower(run, clock)
        self._month: FolderMonth | None = None
        self._lock = threading.Lock()
        self._found: Seen | Exception | None = None
        self._next = 0.0

    def look(self) -> Seen:
        """Return what the files say, as of a moment ago.

        Raises
        ------
        PromptrialError, OSError
            If they cannot be read at this moment.
        """
        with self._lock:
            began = self._clock.monotonic()
            if self._found is None or began >= self._next:
                self._found = self._looked()
                self._next = began + pause_after(self._clock.monotonic() - began)
            if isinstance(self._found, Exception):
                raise self._found
            return self._found

    def _looked(self) -> Seen | Exception:
        try:
            status, ledger = read_status(self._run, self._clock), read_ledger(self._run)
        except (PromptrialError, OSError) as error:
            return error
        return Seen(
            self._run,
            self._follower.note(status, ledger),
            ledger,
            self._follower.speed,
            self._month_spending(status, ledger),
            last_said(self._run.log_path, _LINES),
        )

    def _month_spending(self, status: RunStatus, ledger: Ledger) -> MonthSpending | None:
        caps = set_or_none(status.state.caps)
        if caps is None or caps.month_max_usd is None:
            return None
        if self._month is None:
            is_dry = ledger.dry_run is True
            self._month = FolderMonth(self._run, is_dry, caps.month_max_usd, self._clock, lambda _text: None)
        try:
            return MonthSpending(self._month.name, self._month.usd())
        except (PromptrialError, OSError) as error:
            return MonthSpending(self._month.name, None, str(error))
