"""A run as somebody watches it: looks at its files, and what two looks say together, as speed and time left.

The same figures are shown by the process that works on the run and by any other: all come from the files.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from promptrial import registry
from promptrial.care.status import RunStatus, read_status
from promptrial.documents.ledger import ArmSpending, Ledger
from promptrial.errors import PromptrialError, UsageError
from promptrial.phases.accounts import read_ledger
from promptrial.runtime.clock import Clock
from promptrial.store.rundir import RunDir

__all__ = ["Follower", "Look", "Speed", "look_at", "pause_after", "projected_usd", "require_there", "speed_between"]

_WINDOW_S: Final = 60.0
"""Speeds are means over the last minute."""
_LOOK_EVERY_S: Final = 1.0
_REST: Final = 20
"""A look that takes long is followed by a pause of this many times its length, so that the run can work."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the files of a run said at one moment.

    ``at`` are seconds of a clock that never goes back. ``tokens`` is the sum of prompt and completion tokens on record.
    ``spending`` is that of the whole run.
    """

    at: float
    status: RunStatus
    tokens: int
    spending: ArmSpending
    dry_run: bool = False

    @property
    def phase(self) -> str | None:
        """The phase that the run is in, or would continue with; None once all are completed."""
        return current_phase(self.status)

    @property
    def answers(self) -> int | None:
        """How many answers are on disk; None before the build phase."""
        return self.status.rows

    @property
    def expected(self) -> int | None:
        """How many requests were built; None before the build phase."""
        return self.status.expected_rows


@dataclass(frozen=True, slots=True)
class Speed:
    """Requests answered and tokens billed a second, and the seconds until all is answered; None where not known."""

    requests: float | None = None
    tokens: float | None = None
    left_s: float | None = None


class Follower:
    """Looks at a run again and again.

    Parameters
    ----------
    run : RunDir
        It need not be there yet.
    clock : Clock
    """

    def __init__(self, run: RunDir, clock: Clock) -> None:
        self.run = run
        self.problem = ""
        self.pause_s = _LOOK_EVERY_S
        self._clock = clock
        self._looks: deque[Look] = deque()

    @property
    def last(self) -> Look | None:
        """The last look that found something; None before the first."""
        return self._looks[-1] if self._looks else None

    @property
    def speed(self) -> Speed:
        """The speed over the looks of the last minute."""
        return speed_between(self._looks[0], self._looks[-1]) if self._looks else Speed()

    def look(self) -> Look | None:
        """Look at the files, and return what they say.

        Files that do not exist yet, or cannot be read at this moment, leave the last look as it is; ``problem`` says
        what is wrong with them until a look succeeds. ``pause_s`` says how long to wait before the next look.
        """
        began = self._clock.monotonic()
        try:
            return self.note(read_status(self.run, self._clock), read_ledger(self.run))
        except (PromptrialError, OSError) as error:
            self.problem = str(error)
            return self.last
        finally:
            self.pause_s = pause_after(self._clock.monotonic() - began)

    def note(self, status: RunStatus, ledger: Ledger) -> Look:
        """Take what the files say now for a look at them, and return it."""
        found, self.problem = _look(status, ledger, self._clock.monotonic()), ""
        if self._looks and (found.phase != self._looks[-1].phase or _went_back(self._looks[-1], found)):
            self._looks.clear()
        self._looks.append(found)
        while self._looks[0].at < found.at - _WINDOW_S:
            self._looks.popleft()
        return found


def pause_after(took_s: float) -> float:
    """Return how many seconds to wait after a look that took so long, so that looking takes a small share of a core."""
    return max(_LOOK_EVERY_S, _REST * took_s)


def require_there(run: RunDir) -> None:
    """Refuse to continue watching a run that is gone: its last state would stay on the screen.

    Raises
    ------
    UsageError
        If the folder of the run no longer exists.
    """
    if not run.root.is_dir():
        raise UsageError(
            f"run {run.run_id} was removed while it was watched",
            hint=f"see which runs there are: promptrial list{run.place}",
        )


def look_at(run: RunDir, clock: Clock) -> Look:
    """Look at the files of a run once.

    Raises
    ------
    PromptrialError
        If they cannot be read.
    """
    return _look(read_status(run, clock), read_ledger(run), clock.monotonic())


def speed_between(first: Look, last: Look) -> Speed:
    """Return the speed from one look to a later one; nothing is known where no time has passed or nothing came.

    Time left is only said while answers are collected, from the requests that are not answered yet.
    """
    seconds = last.at - first.at
    if seconds <= 0 or first.answers is None or last.answers is None:
        return Speed()
    requests = (last.answers - first.answers) / seconds
    tokens = (last.tokens - first.tokens) / seconds
    left = None if last.expected is None or requests <= 0 else (last.expected - last.answers) / requests
    collects = last.phase in registry.PART_STATES
    return Speed(requests if requests > 0 else None, tokens if tokens > 0 else None, left if collects else None)


def projected_usd(look: Look) -> float | None:
    """Return what the run comes to if the other answers cost as much as those on record; None where not known.

    What may be billed for requests in flight is in neither figure until its answers are there.
    """
    spent = look.spending.spent
    if spent is None or look.spending.unpriced or not look.answers or not look.expected:
        return None
    return float(spent) * max(1.0, look.expected / look.answers)


def current_phase(status: RunStatus) -> str | None:
    """Return the phase that a run is in, or would continue with; None once all are completed."""
    left = [name for name in registry.PHASES if status.state.phases[name].status != "completed"]
    begun = (name for name in left if status.state.phases[name].status != "not_started")
    return next(begun, left[0] if left else None)


def _look(status: RunStatus, ledger: Ledger, at: float) -> Look:
    return Look(at, status, _tokens(ledger), ledger.total, ledger.dry_run is True)


def _tokens(ledger: Ledger) -> int:
    return sum(line.tokens.prompt + line.tokens.completion for line in ledger.lines if line.tokens is not None)


def _went_back(before: Look, now: Look) -> bool:
    """Whether there is less than before, as after requests were built again."""
    return (now.answers or 0) < (before.answers or 0) or now.tokens < before.tokens
