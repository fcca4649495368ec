"""Answering the rows of jobs beside the calls: one thread, one job after the other. What answers is a responder's."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Unfinished
from typing import Generic, TypeVar

from promptrial.errors import StopRequested
from promptrial_emulator.responders.base import Answer, ChatRow, Refusal, Responder
from promptrial_emulator.settings import RESPONDERS, EmulatorSettings

__all__ = ["Answering"]

_T = TypeVar("_T")


class Answering(Generic[_T]):
    """The work on the rows of jobs, each known by its job's number. A killed emulator begins it anew.

    Parameters
    ----------
    settings : EmulatorSettings
    """

    def __init__(self, settings: EmulatorSettings) -> None:
        self._settings = settings
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="emulator-rows")
        self._begun: dict[int, Future[_T]] = {}
        self._waited: set[int] = set()
        self._stopping = threading.Event()
        self._responder: Responder | None = None

    def begin(self, serial: int, work: Callable[[Responder, Callable[[], None]], _T]) -> None:
        """Have a job's rows answered, unless that was begun.

        ``work`` gets the responder and a function to call between rows, which raises when the emulator stops.
        """
        if serial not in self._begun:
            self._begun[serial] = self._thread.submit(lambda: work(self._loaded(), self._check))

    def result(self, serial: int) -> _T | None:
        """Return what the work gave, or None while it is not done; the first time waits for it, with patience.

        Raises
        ------
        Exception
            What the work raised.
        """
        patience = 0.0 if serial in self._waited else self._settings.patience_s
        self._waited.add(serial)
        try:
            return self._begun[serial].result(patience)
        except Unfinished:
            if self._begun[serial].done():  # the work's own error, of the same kind
                raise
            return None

    def reply(self, model: str, row: ChatRow) -> Answer | Refusal:
        """Return the reply to one live request, once the rows that are being answered are done."""
        return self._thread.submit(lambda: next(iter(self._loaded().replies(model, [row])))).result()

    def close(self) -> None:
        """Leave off at the next row."""
        self._stopping.set()
        self._thread.shutdown(wait=True, cancel_futures=True)
        if self._responder is not None:
            self._responder.close()

    def _check(self) -> None:
        if self._stopping.is_set():
            raise StopRequested("the emulator stops")

    def _loaded(self) -> Responder:
        if self._responder is None:
            module, _, attribute = RESPONDERS[self._settings.responder].partition(":")
            made: Responder = getattr(importlib.import_module(module), attribute)(self._settings)
            self._responder = made
        return self._responder
