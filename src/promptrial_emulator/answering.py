"""Answering the rows of jobs beside the calls: one thread, one job after the other. What answers is a responder's."""

from __future__ import annotations

import importlib
import threading
import traceback
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Unfinished
from typing import Generic, TypeVar

from promptrial.errors import PromptrialError, StopRequested
from promptrial.runtime.terminal import say_to_stderr
from promptrial_emulator.responders.base import Answer, ChatRow, Refusal, Responder
from promptrial_emulator.responders.judge import JudgingResponder
from promptrial_emulator.settings import RESPONDERS, EmulatorSettings

__all__ = ["Answering", "report_failure"]

_T = TypeVar("_T")


class Answering(Generic[_T]):
    """The work on the rows of jobs, each known by its job's number or another key. A killed emulator starts it again.

    Parameters
    ----------
    settings : EmulatorSettings
    """

    def __init__(self, settings: EmulatorSettings) -> None:
        self._settings = settings
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="emulator-rows")
        self._begun: dict[Hashable, Future[_T]] = {}
        self._waited: set[Hashable] = set()
        self._stopping = threading.Event()
        self._responder: Responder | None = None
        self._live: Responder | None = None

    def begin(self, key: Hashable, work: Callable[[Responder, Callable[[], None]], _T]) -> None:
        """Have a job's rows answered, unless that was started.

        ``work`` gets the responder and a function to call between rows, which raises when the emulator stops.
        """
        if key not in self._begun:
            self._begun[key] = self._thread.submit(lambda: work(self._loaded(), self._check))

    def result(self, key: Hashable) -> _T | None:
        """Return what the work gave, or None while it is not done; the first time waits for it, with patience.

        Raises
        ------
        Exception
            What the work raised.
        """
        patience = 0.0 if key in self._waited else self._settings.patience_s
        self._waited.add(key)
        try:
            return self._begun[key].result(patience)
        except Unfinished:
            if self._begun[key].done():  # the work's own error, of the same kind
                raise
            return None

    def reply(self, model: str, row: ChatRow) -> Answer | Refusal:
        """Return the reply to one live request, in the thread that asks, which is always the same one.

        Raises
        ------
        PromptrialError
            If nothing can be answered at all.
        """
        if self._live is None:  # one of its own, as the other may be at work in its thread
            self._live = self._made()
        return next(iter(self._live.replies(model, [row])))

    def close(self) -> None:
        """Leave off at the next row."""
        self._stopping.set()
        self._thread.shutdown(wait=True, cancel_futures=True)
        for responder in (self._responder, self._live):
            if responder is not None:
                responder.close()

    def _check(self) -> None:
        if self._stopping.is_set():
            raise StopRequested("the emulator stops")

    def _loaded(self) -> Responder:
        if self._responder is None:
            self._responder = self._made()
        return self._responder

    def _made(self) -> Responder:
        module, _, attribute = RESPONDERS[self._settings.responder].partition(":")
        made: Responder = getattr(importlib.import_module(module), attribute)(self._settings)
        made = JudgingResponder(self._settings, made)
        if self._settings.tokenizer == "words":
            return made
        from promptrial_emulator.responders.tokenized import TokenizedResponder

        return TokenizedResponder(made)


def report_failure(job: str, error: Exception) -> None:
    """Say on stderr why a job's rows cannot be answered; an error that nobody foresaw, with its traceback."""
    foreseen = isinstance(error, PromptrialError)
    say_to_stderr(f"{job}: {error if foreseen else ''.join(traceback.format_exception(error))}")
