"""A responder that waits to be let on, for tests of what an emulator does while rows are being answered."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

from promptrial.emulator.responders.base import Answer, ChatRow, Refusal
from promptrial.emulator.responders.echo import EchoResponder
from promptrial.emulator.settings import EmulatorSettings

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
