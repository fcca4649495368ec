"""StopToken: one place that says whether this process was asked to stop, by a signal or by a sentinel file."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from promptrial.errors import Detached, StopRequested
from promptrial.runtime.clock import Clock, SystemClock

__all__ = ["StopToken", "stop_on_signals"]

_NOTICE_S = 0.5


class StopToken:
    """Set once, never unset.

    Parameters
    ----------
    sentinel : Path, optional
        A file whose appearance asks for a soft stop; looked at by ``is_set``.
    clock : Clock, optional
    """

    def __init__(self, sentinel: Path | None = None, clock: Clock | None = None) -> None:
        self._asked = False
        self._event = threading.Event()
        self._sentinel = sentinel
        self._clock = clock or SystemClock()
        self.reason = ""

    def set(self, reason: str, *, wake: bool = True) -> None:
        """Ask for a stop; the first reason is kept.

        A signal handler passes ``wake=False``: it may have interrupted ``Event.wait`` while that held the lock which
        waking takes, and would hang. Whoever waits then notices within half a second.
        """
        if not self._asked:
            self.reason = reason
            self._asked = True
        if wake:
            self._event.set()

    def is_set(self) -> bool:
        """Return whether a stop was asked for."""
        if not self._asked and self._sentinel is not None and self._sentinel.exists():
            self.set(f"{self._sentinel.name} is there", wake=False)
        return self._asked

    def check(self) -> None:
        """Raise ``StopRequested`` if a stop was asked for; call it where work can be left off safely."""
        if self.is_set():
            raise StopRequested(self.reason)

    def wait(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds; a stop ends the wait within half a second. Return whether it is set."""
        end = self._clock.monotonic() + timeout
        while not self.is_set():
            left = end - self._clock.monotonic()
            if left <= 0:
                return False
            self._clock.wait(self._event, min(left, _NOTICE_S))
        return True


@contextmanager
def stop_on_signals(token: StopToken, say: Callable[[str], None]) -> Iterator[None]:
    """Within the block the first SIGINT or SIGTERM sets the token, and the second raises ``Detached`` at once.

    The process then ends with 130 (SIGINT) or 143 (SIGTERM); what was finished is on disk already.
    Signal handlers can be set only in the main thread; elsewhere the block changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    received: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        received.append(number)
        if len(received) > 1:
            raise Detached(number)
        token.set(name, wake=False)
        with suppress(RuntimeError):  # Python refuses to write to a stream that the signal found being written to
            say(f"{name}: stopping after the request in flight; the same signal again stops at once")

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
