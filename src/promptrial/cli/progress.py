"""How a run looks while it works, on stderr: a live panel, plain lines, events as JSON, or nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType
from typing import Final, NamedTuple, Self

from promptrial.model.units import RUN, Unit
from promptrial.runtime.clock import Clock
from promptrial.runtime.progress import LineProgress, NoProgress, Progress, Task
from promptrial.runtime.terminal import say_to_stderr, takes_controls
from promptrial.store.rundir import RunDir

__all__ = ["Display", "display_for", "message_event", "say_event"]

_EVENT_EVERY_S: Final = 1.0

Say = Callable[[str], None]
Quiet = Callable[[], AbstractContextManager[None]]
"""Keeps the display still for as long as its block lasts."""


class Display(NamedTuple):
    """How progress is shown, how a sentence is said beside it, and what keeps it still meanwhile.

    ``listen`` takes events in place of sentences; None where sentences are said. A display that does not ``ask``
    leaves no room for a question.
    """

    progress: Progress
    say: Say
    quiet: Quiet = nullcontext
    listen: Callable[[Mapping[str, object]], None] | None = None
    asks: bool = True


@contextmanager
def display_for(wanted: str | None, clock: Clock, say: Say, run: RunDir) -> Iterator[Display]:
    """Yield the display of a run.

    Parameters
    ----------
    wanted : str or None
        ``rich``, ``plain``, ``json`` or ``none``; None stands for the panel on a terminal that takes it, and for
        plain lines elsewhere.
    clock : Clock
    say : callable
        Says a sentence on stderr.
    run : RunDir
        Whose files the panel reads; it need not be there yet.
    """
    able = takes_controls(sys.stderr)
    if wanted == "json":
        yield Display(EventProgress(clock, say_event), lambda text: _say_as_event(clock, text), nullcontext, say_event,
                      asks=False)  # fmt: skip
    elif wanted == "none":
        yield Display(NoProgress(), lambda _text: None, asks=False)
    elif able and wanted != "plain":
        from promptrial.cli.panel import run_panel

        with run_panel(run, clock, say) as (progress, quiet):
            yield Display(progress, say, quiet)
    else:
        if wanted == "rich":
            say("--display rich: this terminal cannot show a panel, so plain lines are shown")
        yield Display(LineProgress(clock, say), say)


def message_event(at: str, text: str, level: str) -> dict[str, object]:
    """Return a sentence as an event."""
    return {"at": at, "event": level, "level": level, "text": text}


def say_event(event: Mapping[str, object]) -> None:
    """Write an event to stderr, as a line of JSON in ASCII."""
    say_to_stderr(json.dumps(event))


def _say_as_event(clock: Clock, text: str) -> None:
    say_event(message_event(clock.now(), text, "warning" if text.startswith("warning: ") else "info"))


class EventProgress:
    """Progress as events: at the end of each count, and once a second before.

    Parameters
    ----------
    clock : Clock
    emit : callable
        Takes each event: ``phase``, ``unit`` (empty for the whole run), ``done`` and ``total`` (null where not known).
    """

    def __init__(self, clock: Clock, emit: Callable[[Mapping[str, object]], None]) -> None:
        self._clock, self._emit = clock, emit

    def task(self, phase: str, unit: Unit, total: int | None, done: int = 0) -> Task:
        """Return a task that emits an event now and then."""
        fixed = {"event": "progress", "level": "info", "phase": phase, "unit": "" if unit == RUN else str(unit)}
        return _EventTask(self._clock, lambda count: self._send({**fixed, "done": count, "total": total}), done)

    def _send(self, event: Mapping[str, object]) -> None:
        self._emit({"at": self._clock.now(), **event})


class _EventTask:
    def __init__(self, clock: Clock, emit: Callable[[int], None], done: int) -> None:
        self._clock, self._emit, self._done = clock, emit, done
        self._sent = clock.monotonic()

    def advance(self, count: int = 1) -> None:
        self._done += count
        if self._clock.monotonic() - self._sent >= _EVENT_EVERY_S:
            self._sent = self._clock.monotonic()
            self._emit(self._done)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._emit(self._done)
