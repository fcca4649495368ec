"""Responders for tests: two that wait while rows are being answered, and one that repeats a key."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Iterator

from promptrial_emulator.responders.base import Answer, ChatRow, Refusal, answer_in_words
from promptrial_emulator.responders.echo import EchoResponder
from promptrial_emulator.settings import EmulatorSettings

SECRET = "fw_" + "hostedrunsecret"
GATE = threading.Event()
"""Set to let the rows through."""
BEGUN = threading.Event()
"""Set when the first row is asked for."""


class GatedResponder:
    """Echo behind a gate."""

    def __init__(self, settings: EmulatorSettings) -> None:
        self._echo = EchoResponder(settings)

    def replies(self, model: str, rows: Iterable[ChatRow]) -> Iterator[Answer | Refusal]:
        for reply in self._echo.replies(model, rows):
            BEGUN.set()
            GATE.wait(20)
            yield reply

    def close(self) -> None:
        """Do nothing."""


class HesitantResponder(GatedResponder):
    """Echo that answers its first row immediately, and the others when the gate is open."""

    def __init__(self, settings: EmulatorSettings) -> None:
        super().__init__(settings)
        self._rows = itertools.count()

    def replies(self, model: str, rows: Iterable[ChatRow]) -> Iterator[Answer | Refusal]:
        for reply in self._echo.replies(model, rows):
            if next(self._rows) > 0:
                GATE.wait(100)
            yield reply


class TellingResponder:
    """Every second row is refused, and every one names a text that should have stayed secret: ``SECRET``."""

    def __init__(self, _settings: EmulatorSettings) -> None:
        self._rows = 0

    def replies(self, model: str, rows: Iterable[ChatRow]) -> Iterator[Answer | Refusal]:
        for row in rows:
            self._rows += 1
            if self._rows % 2:
                yield answer_in_words(row, [f'the key is {SECRET}, as "{SECRET}"'])
            else:
                yield Refusal(401, f"no access with {SECRET}")

    def close(self) -> None:
        """Do nothing."""
