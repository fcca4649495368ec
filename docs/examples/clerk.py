"""A clerk who looks answers up on a card, and guesses unless told to decline. A provider, as an example."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Final, Self

import msgspec

from promptrial.model import Completion, ModelSpec
from promptrial.model.instances import Instance
from promptrial.providers.base import JobRef, PartPayload
from promptrial.providers.chat_rows import parse_chat_row
from promptrial.providers.live import AnswersDirectly
from promptrial.providers.request_rows import RequestRow

__all__ = ["ClerkProvider"]

_CARD: Final = {"gold": "Au", "iron": "Fe", "tin": "Sn"}


class ClerkProvider(AnswersDirectly):
    """Answers in this process, row by row: ``results`` does the work, and every job is ready at once."""

    name: ClassVar[str] = "clerk"
    local: ClassVar[bool] = True
    understands: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def open(cls, env: Mapping[str, str], instance: Instance | None = None) -> Self:  # noqa: ARG003 - the Protocol's
        """Return the clerk; nothing of the environment is needed."""
        return cls()

    def check(self, model: ModelSpec) -> None:
        """Do nothing: there is neither a key nor an account."""

    def fingerprint(self, model: ModelSpec) -> dict[str, str | int | float | bool]:
        """Return what answers depend on: the model's name and the card."""
        return {"model": model.shown_id, "card": " ".join(sorted(_CARD))}

    def count_tokens(self, model: ModelSpec, text: str) -> int | None:  # noqa: ARG002 - the Protocol's
        """Return the words, which is what a clerk reads."""
        return len(text.split())

    def results(self, job: JobRef, payload: PartPayload) -> Iterator[bytes]:  # noqa: ARG002 - the Protocol's
        """Yield a row for each request that is still wanted, in order."""
        for row in payload.requests():
            yield _answer_row(row)

    @staticmethod
    def emulated(
        instance: Instance,
        url: str,  # noqa: ARG004 - the Protocol's
        key: str,  # noqa: ARG004 - the Protocol's
        account: str,  # noqa: ARG004 - the Protocol's
    ) -> tuple[Instance, Mapping[str, str]]:
        """Return the instance and an empty environment: nothing is asked outside this process."""
        return instance, {}

    @staticmethod
    def parse_row(line: bytes) -> Completion:
        """Read a row back: it has the shape of a chat completion."""
        return parse_chat_row(line)

    def close(self) -> None:
        """Do nothing: nothing is held."""


def _answer_row(row: RequestRow) -> bytes:
    asked = row.body.messages[-1].content.rsplit("Q:", 1)[-1]
    found = [symbol for metal, symbol in _CARD.items() if metal in asked.lower()]
    may_decline = any("I don't know" in message.content for message in row.body.messages[:-1])
    text = found[0] if found else "I don't know." if may_decline else "Hg"
    read, written = sum(len(message.content.split()) for message in row.body.messages), len(text.split())
    usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    choice = {"message": {"content": text}, "finish_reason": "stop"}
    return msgspec.json.encode({"custom_id": row.custom_id, "response": {"choices": [choice], "usage": usage}})
