"""Many tasks at once in one thread: each runs until it has to wait, and continues when its wait is over.

A task is a generator that yields how many seconds it wants to wait: the one way of waiting. It waits in a lane until it
is started; from then on it runs or waits, until it ends. The order in which tasks continue depends on their waits
alone, so that a run does the same each time; only a task that waits for another thread is woken before its time. Each
lane has a limit of its own, so that no kind of work waits for a place of another. A task that yields ``FOR_A_PERSON``
is parked: it takes no place, and continues once no other does, for one more look.

While one task runs, no other does: what may take long without a wait is done in threads, which wake the task that
waits for it (``live``, ``calls_beside``). Calls that create, look for or fetch something are not: their order among
the tasks is a promise, and what they write is written by one thread.
"""

from __future__ import annotations

import heapq
import itertools
import math
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

from promptrial.runtime.clock import Clock
from promptrial.runtime.stop import StopToken

__all__ = ["FOR_A_PERSON", "UNTIL_WOKEN_S", "Lane", "PartTask", "Schedule", "Steps", "Wakes"]

_T = TypeVar("_T")
Steps = Generator[float, None, _T]
"""What may take a while: yields seconds to wait, and returns its result."""
FOR_A_PERSON: Final = math.inf
"""The wait of a task for what a person has to do."""
UNTIL_WOKEN_S: Final = 60.0
"""The wait of a task for nothing but another thread, which wakes it."""
_LOOK_FOR_A_STOP_S: Final = 0.5
"""How often a stop is looked for during a wait."""


class PartTask(Protocol):
    """The work on one part, which a schedule brings to its end."""

    @property
    def in_flight(self) -> bool:
        """Whether something of it is at work at a provider, so that it is brought to its end despite a stop."""

    def steps(self) -> Steps[None]:
        """Do the work, in steps between waits."""

    def failed(self, error: Exception) -> None:
        """Take note of an error that ended it."""

    def left_off(self) -> None:
        """Take note that it was left because of a stop, before its end and with nothing in flight."""


_Task = TypeVar("_Task", bound=PartTask)


class Lane(Generic[_Task]):
    """Tasks that share a limit, in the order in which they are started.

    Parameters
    ----------
    tasks : iterable of PartTask
        Taken one ahead of the one that is started.
    has_room : callable
        Called with how many of them are at work and the next one; returns whether that may be started.
    """

    def __init__(self, tasks: Iterable[_Task], has_room: Callable[[int, _Task], bool]) -> None:
        self._tasks = iter(tasks)
        self._has_room = has_room
        self._next: _Task | None = next(self._tasks, None)
        self.at_work = 0

    @classmethod
    def of(cls, tasks: Iterable[_Task], limit: int) -> Lane[_Task]:
        """Return a lane in which this many tasks may run at once."""
        return cls(tasks, lambda at_work, _task: at_work < limit)

    @property
    def has_next(self) -> bool:
        """Whether a task is left that was not started."""
        return self._next is not None

    def take(self) -> _Task | None:
        """Return the next task if it may be started now."""
        if self._next is None or not self._has_room(self.at_work, self._next):
            return None
        taken, self._next = self._next, next(self._tasks, None)
        return taken

    def drop(self) -> None:
        """Leave what was not started."""
        self._next = None


class Wakes:
    """Lets other threads say that a task need not wait any longer."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self._tasks: list[PartTask] = []
        self._lock = threading.Lock()

    def wake(self, task: PartTask) -> None:
        """Let a task continue; called by any thread, also of a task that has ended."""
        with self._lock:
            self._tasks.append(task)
        self.event.set()

    def take(self) -> list[PartTask]:
        """Return those that were woken since the last call, each once, in their order."""
        self.event.clear()
        with self._lock:
            woken, self._tasks = self._tasks, []
        return list({id(task): task for task in woken}.values())

    def take_back(self, task: PartTask) -> None:
        """Forget that a task was woken: it went on before."""
        with self._lock:
            self._tasks = [each for each in self._tasks if each is not task]


@dataclass(slots=True, eq=False)
class _StartedTask:
    task: PartTask
    steps: Steps[None]
    lane: Lane[Any] | None
    wait_number: int = -1
    """The number of its wait: an older one counts no more."""


@dataclass(slots=True)
class Schedule:
    """Runs tasks.

    Parameters
    ----------
    clock : Clock
    stop : StopToken
        Once set, no task is started, and one that is not in flight is left where it is.
    on_stop : callable
        Called once with the tasks in flight, if a stop was asked for while there were some.
    wakes : Wakes

    Attributes
    ----------
    parked : list
        The tasks that wait for a person, each with its steps.
    current : PartTask
        The task that runs, for what its steps call.
    """

    clock: Clock
    stop: StopToken
    on_stop: Callable[[Sequence[PartTask]], None] = lambda _tasks: None
    wakes: Wakes = field(default_factory=Wakes)
    parked: list[tuple[PartTask, Steps[None]]] = field(default_factory=list, init=False)
    current: PartTask = field(init=False)
    _others_went_on: bool = False
    _started: dict[int, _StartedTask] = field(default_factory=dict)
    _waits: list[tuple[float, int, _StartedTask]] = field(default_factory=list)
    _wait_numbers: Iterator[int] = field(default_factory=itertools.count)
    _said_what_is_in_flight: bool = False

    def run(self, lanes: Sequence[Lane[Any]], *, leave_in_flight: bool = False) -> None:
        """Bring the tasks of all lanes to their end, those of different lanes side by side.

        With ``leave_in_flight`` it is enough that every task is in flight: those are left there once none waits to
        begin. After a stop it returns when nothing is in flight; the caller then looks at the token. Tasks
        that wait for a person are left parked, and tasks left that no lane has room for though nothing is at work.
        """
        while self._started or any(lane.has_next for lane in lanes) or self._resume_parked():
            stopping = self.stop.is_set()
            if stopping:
                for lane in lanes:
                    lane.drop()
                self._keep_what_is_in_flight()
            else:
                self._start_from(lanes)
                if not self._started:
                    for lane in lanes:
                        lane.drop()
            if leave_in_flight and not self.stop.is_set() and self._all_in_flight(lanes):
                return
            if self.stop.is_set() and not stopping:
                continue  # asked for just now: a task that is not in flight must not continue
            self._continue_what_is_due(stopping=stopping)

    def drain(self, tasks: Iterator[PartTask]) -> None:
        """Bring tasks that are in flight to their end after a stop was asked for; all of them at once."""
        for task in tasks:
            self._start_task(task, None)
        self.run(())

    def _start_from(self, lanes: Sequence[Lane[Any]]) -> None:
        """Start what may be started, in turn through the lanes."""
        waiting = list(lanes)
        while waiting:
            for lane in list(waiting):
                task = None if self.stop.is_set() else lane.take()
                if task is None:
                    waiting.remove(lane)
                else:
                    self._start_task(task, lane)

    def _start_task(self, task: PartTask, lane: Lane[Any] | None) -> None:
        if lane is not None:
            lane.at_work += 1
        self._resume(_StartedTask(task, task.steps(), lane))

    def _resume(self, started: _StartedTask) -> None:
        self._started[id(started.task)] = started
        self._run_until_it_waits(started)

    def _run_until_it_waits(self, started: _StartedTask) -> None:
        self.current = started.task
        try:
            seconds = next(started.steps)
        except StopIteration:
            self._forget(started)
        except Exception as error:  # noqa: BLE001 - the edge of a task: noted, and the others continue
            self._forget(started)
            started.task.failed(error)
        else:
            if seconds == FOR_A_PERSON:
                self._forget(started)
                self.parked.append((started.task, started.steps))
                return
            started.wait_number = next(self._wait_numbers)
            heapq.heappush(self._waits, (self.clock.monotonic() + seconds, started.wait_number, started))

    def _resume_parked(self) -> bool:
        """Let parked tasks look again if others went on meanwhile; return whether one of them goes on."""
        if not self._others_went_on or self.stop.is_set():
            return False
        self._others_went_on, parked, self.parked = False, self.parked, []
        for task, steps in parked:
            self._resume(_StartedTask(task, steps, None))
        return bool(self._started)

    def _forget(self, started: _StartedTask) -> None:
        del self._started[id(started.task)]
        started.wait_number = -1
        if started.lane is not None:
            started.lane.at_work -= 1

    def _continue_what_is_due(self, *, stopping: bool) -> None:
        """Continue what was woken, and one task whose wait is over; without either, wait for the first."""
        woken = self.wakes.take()
        for task in woken:
            started = self._started.get(id(task))
            if started is not None:
                self._others_went_on = True
                self._run_until_it_waits(started)
        if woken and stopping:
            self._keep_what_is_in_flight()
        self._drop_ended_waits()
        if not self._waits:
            return
        moment = self._waits[0][0]
        if moment <= self.clock.monotonic() if woken else self._wait_until(moment, stopping=stopping):
            self._others_went_on = True
            self._run_until_it_waits(heapq.heappop(self._waits)[2])

    def _drop_ended_waits(self) -> None:
        while self._waits and self._waits[0][1] != self._waits[0][2].wait_number:
            heapq.heappop(self._waits)

    def _all_in_flight(self, lanes: Sequence[Lane[Any]]) -> bool:
        return not any(lane.has_next for lane in lanes) and all(each.task.in_flight for each in self._started.values())

    def _keep_what_is_in_flight(self) -> None:
        for started in [each for each in self._started.values() if not each.task.in_flight]:
            started.steps.close()
            started.task.left_off()
            self._forget(started)
        if self._started and not self._said_what_is_in_flight:
            self._said_what_is_in_flight = True
            self.on_stop([each.task for each in self._started.values()])

    def _wait_until(self, moment: float, *, stopping: bool) -> bool:
        """Wait; return whether the moment has come, and neither a stop nor a wake. Once asked for, no stop wakes us."""
        while (left := moment - self.clock.monotonic()) > 0:
            if not stopping and self.stop.is_set():
                return False
            if self.clock.wait(self.wakes.event, min(left, _LOOK_FOR_A_STOP_S)):
                return False
        return stopping or not self.stop.is_set()
