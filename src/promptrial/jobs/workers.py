"""Threads that make calls for a schedule, so that many can wait for a server at once. They touch no file and no record.

They are daemons: a process that has to end at once waits for none of them.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

__all__ = ["Workers"]


class Workers:
    """As many threads as there were calls at the same time.

    Parameters
    ----------
    name : str
        What the threads are called.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._begun = 0
        self._threads = 0

    def begin(self, call: Callable[[], None]) -> None:
        """Make a call in a thread. It must raise nothing."""
        with self._lock:
            self._begun += 1
            is_lacking = self._begun > self._threads
            self._threads += is_lacking
        if is_lacking:
            threading.Thread(target=self._work, name=self._name, daemon=True).start()
        self._calls.put(call)

    def close(self) -> None:
        """Let each thread end after its call; waits for none."""
        for _ in range(self._threads):
            self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
            with self._lock:
                self._begun -= 1
