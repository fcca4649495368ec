"""Calls for one task that do not delay the others: made in threads, one after the other for each provider.

They look, or compute: what creates something is not called here, and nothing is written by a thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from promptrial.errors import PromptrialError
from promptrial.jobs.schedule import UNTIL_WOKEN_S, PartTask, Schedule, Steps
from promptrial.jobs.workers import Workers

__all__ = ["CallsBeside"]

_T = TypeVar("_T")


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
    _threads: dict[str, Workers] = field(default_factory=dict, init=False)
    _out: set[Future[Any]] = field(default_factory=set, init=False)
    _told: threading.Lock = field(default_factory=threading.Lock, init=False)
    """Held while an outcome is given and its task woken, so that no wake comes later than what it is for."""

    def made(self, call: Callable[[], _T], provider: str) -> Steps[_T]:
        """Make a call to a provider, after those that other tasks have asked for; return, or raise, what it does.

        A task that is left off meanwhile does not get its outcome; a call that was not started by then is not made.
        """
        if not self.delays_others():
            return call()
        outcome: Future[_T] = Future()
        try:
            self._thread(provider).begin(partial(self._make, call, outcome, self.schedule.current))
        except PromptrialError:  # no thread can be started
            return call()
        self._out.add(outcome)
        try:
            while not self._is_there(outcome):
                yield UNTIL_WOKEN_S
        finally:
            outcome.cancel()
            if not outcome.running():
                self._out.remove(outcome)
        return outcome.result()

    def finish(self) -> None:
        """Wait for calls of tasks that were left off."""
        wait([outcome for outcome in self._out if outcome.running()])

    def close(self) -> None:
        """End the threads; waits for no call."""
        for thread in self._threads.values():
            thread.close()

    def _is_there(self, outcome: Future[Any]) -> bool:
        with self._told:
            if outcome.done():
                self.schedule.wakes.take_back(self.schedule.current)
            return outcome.done()

    def _thread(self, provider: str) -> Workers:
        if provider not in self._threads:
            self._threads[provider] = Workers(f"{provider} beside", most=1)
        return self._threads[provider]

    def _make(self, call: Callable[[], _T], outcome: Future[_T], task: PartTask) -> None:
        """Make the call; run by another thread."""
        if not outcome.set_running_or_notify_cancel():
            return
        try:
            give = partial(outcome.set_result, call())
        except BaseException as error:  # noqa: BLE001 - the edge of a thread: it is raised where the task waits
            give = partial(outcome.set_exception, error)
        with self._told:
            give()
            self.schedule.wakes.wake(task)
