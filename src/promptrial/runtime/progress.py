"""Progress of one phase: what was done, at what rate, how long is left. How it looks is up to the command line."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self

from promptrial.model.units import RUN, Unit
from promptrial.runtime.clock import Clock

__all__ = ["LineProgress", "NoProgress", "Progress", "Task", "duration", "rate_text", "task_name"]

_LINE_EVERY_S = 10.0
_MINUTE: Final = 60.0
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


class Task(Protocol):
    """A running count; used as a context manager."""

    def advance(self, count: int = 1) -> None:
        """Count work that was done now."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Progress(Protocol):
    """Makes tasks."""

    def task(self, phase: str, unit: Unit, total: int | None, done: int = 0) -> Task:
        """Begin a count of what a phase does for a unit, towards ``total`` (None when unknown).

        ``done`` were finished by an earlier process.
        """


class _Quiet:
    def advance(self, count: int = 1) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class NoProgress:
    """Shows nothing."""

    def task(self, phase: str, unit: Unit, total: int | None, done: int = 0) -> Task:  # noqa: ARG002 - the Protocol's
        """Return a task that shows nothing."""
        return _Quiet()


class LineProgress:
    """Plain lines, one every ten seconds, for logs and pipes."""

    def __init__(self, clock: Clock, say: Callable[[str], None]) -> None:
        self._clock = clock
        self._say = say

    def task(self, phase: str, unit: Unit, total: int | None, done: int = 0) -> Task:
        """Return a task that says a line now and then."""
        return _LineTask(self._clock, self._say, task_name(phase, unit), total, done)


class _LineTask:
    def __init__(self, clock: Clock, say: Callable[[str], None], name: str, total: int | None, done: int) -> None:
        self._clock, self._say, self._name, self._total = clock, say, name, total
        self._before, self._done = done, done
        self._began = self._said = clock.monotonic()

    def advance(self, count: int = 1) -> None:
        self._done += count
        now = self._clock.monotonic()
        if now - self._said >= _LINE_EVERY_S:
            self._said = now
            of = f"/{self._total}" if self._total is not None else ""
            left = None if self._total is None else self._total - self._done
            self._say(
                f"  {self._name}: {self._done}{of}{rate_text(self._done - self._before, now - self._began, left)}"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def task_name(phase: str, unit: Unit) -> str:
    """Return what people call what a phase does for a unit.

    Examples
    --------
    >>> task_name("build", RUN), task_name("score", Unit("m1-main"))
    ('build', 'score m1-main')
    """
    return phase if unit == RUN else f"{phase} {unit}"


def rate_text(done: int, seconds: float, left: int | None) -> str:
    """Return ``, 4.2/s, 35 s left`` for what was done so far; empty before anything was."""
    if done <= 0 or seconds <= 0:
        return ""
    rate = done / seconds
    text = f", {rate:,.1f}/s" if rate >= 1 else f", {rate:.2g}/s"
    return text if left is None or left <= 0 else f"{text}, {duration(left / rate)} left"


def duration(seconds: float) -> str:
    """Return a time in one unit, with two figures below ten: seconds up to 90, minutes up to 90, hours up to 48.

    Examples
    --------
    >>> [duration(seconds) for seconds in (44.2, 150, 420, 12_600, 400_000)]
    ['45 s', '2.5 min', '7 min', '3.5 h', '4.6 d']
    """
    if seconds < 1.5 * _MINUTE:
        return f"{math.ceil(round(seconds, 6))} s"
    for unit, size, end in (("min", _MINUTE, 1.5 * _HOUR), ("h", _HOUR, 2 * _DAY), ("d", _DAY, math.inf)):
        if seconds < end:
            return f"{seconds / size:.2g} {unit}" if seconds < 10 * size else f"{seconds / size:,.0f} {unit}"
    raise AssertionError(seconds)
