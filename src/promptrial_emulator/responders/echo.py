"""Echo: the first words of the last message, and a mark of everything else that the answer depends on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from promptrial_emulator.responders.base import Answer, ChatRow, Refusal, answer_in_words, content
from promptrial_emulator.settings import EmulatorSettings

__all__ = ["EchoResponder"]

_WORDS: Final = 6


class EchoResponder:
    """Answers with what it was asked, so that a test can tell whose answer it sees."""

    def __init__(self, settings: EmulatorSettings) -> None:
        self._seed = settings.seed

    def replies(self, model: str, rows: Iterable[ChatRow]) -> Iterator[Answer | Refusal]:
        """Yield the answers."""
        for row in rows:
            said = " ".join(content(row.messages[-1]).split()[:_WORDS]) if row.messages else "tokens"
            mark = hashlib.sha256(msgspec.json.encode((self._seed, model, row.body), order="deterministic")).hexdigest()
            texts = (f"{said} [{mark[8 * n : 8 * n + 8]}]" for n in range(int(row.body.get("n") or 1)))
            yield answer_in_words(row, texts)

    def close(self) -> None:
        """Do nothing."""
