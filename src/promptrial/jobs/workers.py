"""Threads that make calls for a schedule, so that it can go on while they wait for a server. They write nothing.

They are daemons: a process that has to end immediately waits for none of them.
"""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable
from typing import Final

from promptrial.errors import PromptrialError

__all__ = ["Workers"]

_NO_ROOM: Final = "the system has no room for another thread (ulimit -u, or the limit of a container); then resume"


class Workers:
    """As many threads as there were calls at the same time, up to a limit.

    Calls are taken in the order in which they were given.

    Parameters
    ----------
    name : str
        What the threads are called.
    most : int, optional
        The limit; without one, as many as are needed.
    """

    def __init__(self, name: str, most: int | None = None) -> None:
        self._name = name
        self._most = math.inf if most is None else most
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._unfinished = 0
        self._threads = 0

    def begin(self, call: Callable[[], None]) -> None:
        """Make a call in a thread, as soon as one is free. It must raise nothing.

        Where the system has no room for another thread, those that there are make the call.

        Raises
        ------
        PromptrialError
            If there is no thread and none can be started; the call is not made.
        """
        with self._lock:
            if self._threads < min(self._unfinished + 1, self._most):
                self._start_thread()
            self._unfinished += 1
        self._calls.put(call)

    def _start_thread(self) -> None:
        try:
            threading.Thread(target=self._work, name=self._name, daemon=True).start()
        except RuntimeError as error:
            if not self._threads:
                raise PromptrialError(f"{self._name}: {error}", hint=_NO_ROOM) from error
        else:
            self._threads += 1

    def close(self) -> None:
        """Let each thread end after its call; waits for none."""
        for _ in range(self._threads):
            self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
            with self._lock:
                self._unfinished -= 1
