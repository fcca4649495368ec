"""Many tasks at once in one thread: each runs until it has to wait, and continues when its wait is over.

A task is a generator that yields how many seconds it wants to wait. The order in which tasks continue depends on those
seconds alone, so that a run does the same each time. One that yields ``FOR_A_PERSON`` is parked: it takes no place, and
continues once nothing else does, for one more look.
"""

from __future__ import annotations

import heapq
import itertools
import math
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from promptrial.runtime.clock import Clock
from promptrial.runtime.stop import StopToken

__all__ = ["FOR_A_PERSON", "PartTask", "Schedule", "Steps"]

_T = TypeVar("_T")
Steps = Generator[float, None, _T]
"""What may take a while: yields seconds to wait, and returns its result."""
FOR_A_PERSON: Final = math.inf
"""The wait of a task for what a person has to do."""
_NOTICE_S = 0.5


class PartTask(Protocol):
    """The work on one part, which a schedule brings to its end."""

    @property
    def in_flight(self) -> bool:
        """Whether it has a job at a provider, and is therefore brought to its end even if a stop was asked for."""

    def steps(self) -> Steps[None]:
        """Do the work, in steps between waits."""

    def failed(self, error: Exception) -> None:
        """Take note of an error that ended it."""


@dataclass(slots=True)
class Schedule:
    """Runs tasks, at most ``limit`` at a time.

    Parameters
    ----------
    clock : Clock
    stop : StopToken
        Once set, no task is begun, and one that is not in flight is left where it is.
    limit : int
    on_stop : callable
        Called once with the number of tasks in flight, if a stop was asked for while there were some.

    Attributes
    ----------
    parked : list
        The tasks that wait for a person, each with its steps.
    """

    clock: Clock
    stop: StopToken
    limit: int
    on_stop: Callable[[int], None] = lambda _count: None
    parked: list[tuple[PartTask, Steps[None]]] = field(default_factory=list, init=False)
    _due: list[tuple[float, int, PartTask, Steps[None]]] = field(default_factory=list)
    _look_again: bool = False
    _order: Iterator[int] = field(default_factory=itertools.count)
    _said: bool = False

    def run(self, tasks: Iterator[PartTask], *, leave_in_flight: bool = False) -> None:
        """Bring tasks to their end.

        With ``leave_in_flight`` it is enough that every task is in flight: those are left there once none waits to
        begin. After a stop it returns when nothing is in flight any more; the caller then looks at the token. Tasks
        that wait for a person are left parked.
        """
        upcoming = next(tasks, None)
        while upcoming is not None or self._due or self._unparked():
            stopping = self.stop.is_set()
            if stopping:
                upcoming = None
                self._keep_what_is_in_flight()
            while upcoming is not None and len(self._due) < self.limit and not self.stop.is_set():
                begun, upcoming = upcoming, next(tasks, None)
                self._advance(begun, begun.steps())
            if leave_in_flight and upcoming is None and not self.stop.is_set() and self._all_in_flight():
                return
            if self.stop.is_set() and not stopping:
                continue  # asked for just now: a task that is not in flight must not continue
            if self._due and self._wait_until(self._due[0][0], stopping=stopping):
                _, _, task, steps = heapq.heappop(self._due)
                self._look_again = True
                self._advance(task, steps)

    def drain(self, tasks: Iterator[PartTask]) -> None:
        """Bring tasks that are in flight to their end after a stop was asked for; all of them at once."""
        for task in tasks:
            self._advance(task, task.steps())
        self.run(iter(()))

    def _advance(self, task: PartTask, steps: Steps[None]) -> None:
        try:
            seconds = next(steps)
        except StopIteration:
            return
        except Exception as error:  # noqa: BLE001 - the edge of a task: noted, and the others continue
            task.failed(error)
            return
        if seconds == FOR_A_PERSON:
            self.parked.append((task, steps))
            return
        heapq.heappush(self._due, (self.clock.monotonic() + seconds, next(self._order), task, steps))

    def _unparked(self) -> bool:
        """Let parked tasks look again if others went on meanwhile; return whether one of them goes on."""
        if not self._look_again or self.stop.is_set():
            return False
        self._look_again, parked, self.parked = False, self.parked, []
        for task, steps in parked:
            self._advance(task, steps)
        return bool(self._due)

    def _all_in_flight(self) -> bool:
        return all(due[2].in_flight for due in self._due)

    def _keep_what_is_in_flight(self) -> None:
        for _, _, task, steps in self._due:
            if not task.in_flight:
                steps.close()
        self._due = [entry for entry in self._due if entry[2].in_flight]
        heapq.heapify(self._due)
        if self._due and not self._said:
            self._said = True
            self.on_stop(len(self._due))

    def _wait_until(self, moment: float, *, stopping: bool) -> bool:
        """Wait; return whether the moment has come, and not a stop. Once one was asked for, none wakes us again."""
        never = threading.Event()
        while (left := moment - self.clock.monotonic()) > 0:
            if not stopping and self.stop.wait(left):
                return False
            if stopping:
                self.clock.wait(never, min(left, _NOTICE_S))
        return True
