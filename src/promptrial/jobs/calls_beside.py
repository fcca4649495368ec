"""Calls for one task that do not delay the others: made in threads, one at a time for each provider.

Calls to one provider are made in the order in which tasks ask for them, and never two at once: what a call that creates
something relies on. Nothing is put on record by a thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

from promptrial.jobs.schedule import PartTask, Schedule, Steps
from promptrial.jobs.workers import Workers

__all__ = ["CallsBeside"]

_T = TypeVar("_T")
_LOOK_S: Final = 60.0
"""How long a task waits for nothing but its call, which wakes it."""


@dataclass(slots=True)
class _Line:
    """The calls to one provider: the thread that makes them, and what is held while one is made."""

    thread: Workers
    held: threading.Lock = field(default_factory=threading.Lock)


@dataclass(slots=True)
class CallsBeside:
    """Makes calls for the tasks of a schedule.

    Parameters
    ----------
    schedule : Schedule
        It says which task asks, and is told when that one may continue.
    delays_others : callable
        Returns whether a call would keep other tasks waiting now; if not, it is made at once, without a thread.
    """

    schedule: Schedule
    delays_others: Callable[[], bool]
    _lines: dict[str, _Line] = field(default_factory=dict, init=False)

    def made(self, call: Callable[[], _T], provider: str) -> Steps[_T]:
        """Make a call to a provider; return, or raise, what it does.

        A task that is left off meanwhile does not get its outcome; a call that was not begun by then is not made.
        """
        line = self._line(provider)
        if not self.delays_others():
            with line.held:
                return call()
        outcome: Future[_T] = Future()
        line.thread.begin(partial(self._make, call, outcome, line, self.schedule.current))
        try:
            while not outcome.done():
                yield _LOOK_S
        finally:
            outcome.cancel()
        return outcome.result()

    @contextmanager
    def alone(self, provider: str) -> Iterator[None]:
        """Within the block no other call to a provider is made."""
        with self._line(provider).held:
            yield

    def close(self) -> None:
        """End the threads; waits for no call."""
        for line in self._lines.values():
            line.thread.close()

    def _line(self, provider: str) -> _Line:
        if provider not in self._lines:
            self._lines[provider] = _Line(Workers(f"{provider} jobs", most=1))
        return self._lines[provider]

    def _make(self, call: Callable[[], _T], outcome: Future[_T], line: _Line, task: PartTask) -> None:
        """Make the call; run by another thread."""
        if not outcome.set_running_or_notify_cancel():
            return
        try:
            with line.held:
                result = call()
        except BaseException as error:  # noqa: BLE001 - the edge of a thread: it is raised where the task waits
            outcome.set_exception(error)
        else:
            outcome.set_result(result)
        self.schedule.wakes.wake(task)
