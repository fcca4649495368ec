"""StopToken: one place that says whether this process was asked to stop, by a signal or by a sentinel file.

Asked once, work in flight is finished. Asked to detach (a second signal, or a sentinel that says ``now``), nothing is
waited for: ``Detached`` is raised in the main thread, whatever it is doing.
"""

from __future__ import annotations

import _thread
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Final

from promptrial.documents.files import read_bytes
from promptrial.errors import Detached, StopRequested
from promptrial.runtime.clock import Clock, SystemClock
from promptrial.runtime.interrupts import handled

__all__ = ["DETACH", "SOFTLY", "StopToken", "beside_the_work", "stop_on_signals"]

SOFTLY: Final = b"stop\n"
DETACH: Final = b"now\n"
"""What a sentinel says."""
_NOTICE_S = 0.5
_NUDGE: Final = getattr(signal, "SIGURG", None)
"""What wakes the main thread: a signal that is not ignored on purpose, and does nothing without a handler."""


class StopToken:
    """Set once, never unset.

    Parameters
    ----------
    sentinel : Path, optional
        A file whose appearance asks for a soft stop; looked at by ``is_set``.
    clock : Clock, optional
    when : callable, optional
        Asks for a soft stop by returning true; called by ``is_set``.

    Attributes
    ----------
    on_notice : callable
        Called once with the reason, by the first ``is_set`` that finds a stop asked for; never by a signal handler.
    """

    def __init__(
        self, sentinel: Path | None = None, clock: Clock | None = None, when: Callable[[], bool] | None = None
    ) -> None:
        self.on_notice: Callable[[str], None] = lambda _reason: None
        self._when = when
        self._asked = False
        self._noticed = False
        self._event = threading.Event()
        self._sentinel = sentinel
        self._clock = clock or SystemClock()
        self.reason = ""

    def set(self, reason: str, *, wake: bool = True) -> None:
        """Ask for a stop; the first reason is kept.

        A signal handler passes ``wake=False``: it may have interrupted ``Event.wait`` while that held the lock which
        waking takes, and would hang. A thread that waits then notices within half a second.
        """
        if not self._asked:
            self.reason = reason
            self._asked = True
        if wake:
            self._event.set()

    def is_set(self) -> bool:
        """Return whether a stop was asked for."""
        if not self._asked and self._sentinel is not None and self._sentinel.exists():
            self.set(f"{self._sentinel.name} file found", wake=False)
        if not self._asked and self._when is not None and self._when():
            self.set("what it waited for has happened", wake=False)
        if self._asked and not self._noticed:
            self._noticed = True
            self.on_notice(self.reason)
        return self._asked

    def detach_asked(self) -> bool:
        """Return whether the sentinel asks to end immediately."""
        try:
            return self._sentinel is not None and read_bytes(self._sentinel, len(DETACH)) == DETACH
        except OSError:
            return False

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
def stop_on_signals(token: StopToken, say: Callable[[str], None], resume_command: str = "") -> Iterator[None]:
    """Within the block the first SIGINT or SIGTERM sets the token, and the second raises ``Detached`` at once.

    The process then ends with 130 (SIGINT) or 143 (SIGTERM); what was finished is on disk already. A signal that comes
    when the sentinel says ``now`` raises ``Detached`` too, for an exit code of 5: see ``beside_the_work``.
    A signal that is ignored stays so. Signal handlers can be set only in the main thread; elsewhere the block changes
    nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    received: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        if token.detach_asked():
            token.set("a sentinel file that says 'now'", wake=False)
            raise Detached(None)
        if number == _NUDGE:
            return
        name = signal.Signals(number).name
        received.append(number)
        if len(received) > 1:
            raise Detached(number)
        token.set(name, wake=False)
        later = f", then resume with: {resume_command}" if resume_command else ""
        with suppress(RuntimeError):  # Python refuses to write to a stream that the signal found being written to
            say(f"{name}: stopping after the current requests; the same signal again stops immediately{later}")

    nudges = () if _NUDGE is None else (_NUDGE,)
    previous = {number: signal.signal(number, handle) for number in (*handled(), *nudges)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def beside_the_work(token: StopToken, beat: Callable[[], None], every_s: float) -> Iterator[None]:
    """Within the block a thread calls ``beat`` every so many seconds, and looks out for a sentinel that says ``now``.

    The main thread may be deep in an engine or a socket then; a signal is what reaches it there.
    """
    over = threading.Event()

    def watch() -> None:
        looks = 0
        while not over.wait(_NOTICE_S):
            looks += 1
            if looks * _NOTICE_S >= every_s:
                looks = 0
                beat()
            if token.detach_asked():
                _signal_main_thread()
                return

    main = threading.current_thread() is threading.main_thread()
    thread = threading.Thread(target=watch, name="beside the work", daemon=True)
    beat()
    thread.start()
    try:
        yield
    finally:
        over.set()
        if main:
            thread.join()


def _signal_main_thread() -> None:
    if _NUDGE is not None:
        signal.pthread_kill(threading.main_thread().ident or 0, _NUDGE)
    else:  # pragma: no cover - Windows
        _thread.interrupt_main(signal.SIGTERM)
