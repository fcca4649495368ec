"""How progress looks: bars on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from promptrial.model.units import Unit
from promptrial.runtime.clock import Clock
from promptrial.runtime.progress import LineProgress, Progress, Task, rate_text, task_name
from promptrial.runtime.terminal import encodable

if TYPE_CHECKING:
    import rich.console
    import rich.progress

__all__ = ["terminal_progress"]

Say = Callable[[str], None]


@contextmanager
def terminal_progress(clock: Clock, say: Say) -> Iterator[tuple[Progress, Say]]:
    """Yield how to show progress, and how to say a line without tearing it.

    On a terminal: bars on stderr that go away when their phase ends (``NO_COLOR`` takes the colours away; a
    terminal of ``TERM=dumb`` gets lines). Elsewhere: lines.
    """
    if sys.stderr is None or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield LineProgress(clock, say), say
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as RichProgress

    console = Console(stderr=True)
    bars = RichProgress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        console=console,
        transient=True,
    )
    with bars:
        yield _BarProgress(clock, bars), _say_above(console)


def _say_above(console: rich.console.Console) -> Say:
    """Return what says a line above the bars; its text is shown as it is."""
    return lambda text: console.print(encodable(text, sys.stderr), markup=False, highlight=False, emoji=False)


class _BarProgress:
    def __init__(self, clock: Clock, bars: rich.progress.Progress) -> None:
        self._clock, self._bars = clock, bars

    def task(self, phase: str, unit: Unit, total: int | None, done: int = 0) -> Task:
        return _Bar(self._clock, self._bars, task_name(phase, unit), total, done)


class _Bar:
    def __init__(self, clock: Clock, bars: rich.progress.Progress, name: str, total: int | None, done: int) -> None:
        self._clock, self._bars, self._total = clock, bars, total
        self._before, self._done = done, done
        self._began = clock.monotonic()
        self._task: Any = bars.add_task(name, total=total, completed=done, rate="")

    def advance(self, count: int = 1) -> None:
        self._done += count
        left = None if self._total is None else self._total - self._done
        rate = rate_text(self._done - self._before, self._clock.monotonic() - self._began, left)
        self._bars.update(self._task, advance=count, rate=rate.lstrip(", "))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.remove_task(self._task)
