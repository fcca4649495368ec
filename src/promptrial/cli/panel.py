"""The live panel at the bottom of a terminal; sentences scroll by above it. The files of the run say what it shows."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from types import FrameType, TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from promptrial.care.following import Follower, require_there
from promptrial.care.log_tail import LogTail
from promptrial.cli.panel_text import panel_lines
from promptrial.model.units import Unit
from promptrial.runtime.clock import Clock
from promptrial.runtime.progress import Progress, Task, rate_text, task_name
from promptrial.runtime.terminal import print_result
from promptrial.store.rundir import RunDir

__all__ = ["run_panel", "watch_panel"]


class Counts:
    """The counts that the process at work is at; each says its progress when it is asked."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: list[_Count] = []

    def task(self, phase: str, unit: Unit, total: int | None, done: int = 0) -> Task:
        """Return a task that the panel shows as long as it is the last that began."""
        count = _Count(self, self._clock, task_name(phase, unit), total, done)
        self._open.append(count)
        return count

    def end(self, count: _Count) -> None:
        """Show a count no more."""
        if count in self._open:
            self._open.remove(count)

    def __str__(self) -> str:
        """Return what the last count says; empty without one."""
        open_now = [*self._open]  # the main thread may change the list
        return str(open_now[-1]) if open_now else ""


class _Count:
    def __init__(self, counts: Counts, clock: Clock, name: str, total: int | None, done: int) -> None:
        self._counts, self._clock, self._name, self._total = counts, clock, name, total
        self._before, self._done = done, done
        self._began = clock.monotonic()

    def advance(self, count: int = 1) -> None:
        self._done += count

    def __str__(self) -> str:
        of = "" if self._total is None else f" of {self._total:,}"
        left = None if self._total is None else self._total - self._done
        rate = rate_text(self._done - self._before, self._clock.monotonic() - self._began, left)
        return f"{self._name}: {self._done:,}{of}{rate}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._counts.end(self)


class Panel:
    """A panel on a terminal, from ``start`` to ``stop``, redrawn by ``refresh``.

    The cursor stays visible, so that a process which is killed leaves the terminal as it was.

    Parameters
    ----------
    console : Console
    follower : Follower
    counts : Counts, optional
        Those of this process, if it is the one at work.
    """

    def __init__(self, console: Console, follower: Follower, counts: Counts | None = None) -> None:
        self._console, self._follower, self._counts = console, follower, counts
        self._lock = threading.RLock()
        self._live = Live(get_renderable=self._text, console=console, auto_refresh=False, transient=True)

    def start(self) -> None:
        """Show the panel."""
        with self._lock:
            self._live.start()
            self._console.show_cursor()

    def stop(self) -> None:
        """Take the panel away."""
        with self._lock:
            self._live.stop()

    def refresh(self) -> None:
        """Draw the panel as it is now, for the width that the terminal has now."""
        with self._lock:
            if self._live.is_started:
                self._live.refresh()

    @contextmanager
    def still(self) -> Iterator[None]:
        """Take the panel away for as long as the block lasts: what is shown meanwhile stays whole."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def _text(self) -> Text:
        """Return the lines; the process at work says by itself what is wrong with its files."""
        seen, width = self._follower, self._console.width
        task, problem = ("", seen.problem) if self._counts is None else (str(self._counts), "")
        lines = panel_lines(seen.run.run_id, seen.last, seen.speed, task, width, problem)
        return Text("\n".join(lines), no_wrap=True, overflow="crop")


@contextmanager
def run_panel(
    run: RunDir, clock: Clock, say: Callable[[str], None]
) -> Iterator[tuple[Progress, Callable[[], AbstractContextManager[None]]]]:
    """Show the panel of the run that this process works on; yield its progress, and what takes the panel away.

    Whatever is written to stderr or stdout meanwhile scrolls by above the panel. A panel that can no longer be drawn
    is said once, and the run goes on without it.
    """
    follower, counts, over = Follower(run, clock), Counts(clock), threading.Event()
    panel = Panel(Console(stderr=True), follower, counts)

    def keep_up() -> None:
        rest = 0.0
        while not over.wait(rest):
            try:
                follower.look()
                panel.refresh()
            except Exception as error:  # noqa: BLE001 - the edge of this thread: a display must not harm its run
                say(f"warning: the panel is no longer shown: {type(error).__name__}: {error}")
                return
            rest = follower.pause_s

    thread = threading.Thread(target=keep_up, name="panel", daemon=True)
    panel.start()
    thread.start()
    try:
        yield counts, panel.still
    finally:
        over.set()
        panel.stop()


class _Interrupts:
    """SIGINT as a request to end, which interrupts nothing but a wait: half a frame would stay on the terminal."""

    def __init__(self) -> None:
        self.asked = self._waits = False

    def handle(self, _number: int, _frame: FrameType | None) -> None:
        """Note the request; end a wait."""
        self.asked = True
        if self._waits:
            raise KeyboardInterrupt

    def wait(self, clock: Clock, seconds: float) -> None:
        """Wait, or return as soon as SIGINT comes."""
        with suppress(KeyboardInterrupt):
            self._waits = not self.asked
            clock.wait(threading.Event(), 0.0 if self.asked else seconds)
            self._waits = False
        self._waits = False


def watch_panel(run: RunDir, clock: Clock) -> None:
    """Show the panel of a run that other processes work on, on stdout, until the run is finished or SIGINT comes.

    What those processes say, as their log has it, scrolls by above the panel.

    Raises
    ------
    UsageError
        If the run is removed meanwhile.
    """
    follower, tail, interrupts = Follower(run, clock), LogTail(run.log_path), _Interrupts()
    panel = Panel(Console(), follower)
    follower.look()
    before = signal.signal(signal.SIGINT, interrupts.handle)
    panel.start()
    try:
        while not interrupts.asked:
            require_there(run)
            found = follower.look()
            for text in tail.new():
                print_result(f"{text}\n")
            panel.refresh()
            if found is not None and found.status.word == "finished":
                return
            interrupts.wait(clock, follower.pause_s)
    finally:
        panel.stop()
        signal.signal(signal.SIGINT, before)
