"""The embedded model behind the emulated API: real answers, whatever name the model has for the client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from promptrial.model import Completion, ModelSpec
from promptrial.providers.base import JobRef, PartPayload
from promptrial.providers.embedded import EmbeddedProvider
from promptrial.providers.embedded_weights import BUILT_IN_MODEL
from promptrial.providers.request_rows import RequestRow
from promptrial_emulator.responders.base import Answer, ChatRow, Choice, Refusal, in_step
from promptrial_emulator.settings import EmulatorSettings

__all__ = ["EmbeddedResponder"]

_MODEL: Final = ModelSpec("emulated", BUILT_IN_MODEL, "embedded")
_DEFAULTS: Final[dict[str, Any]] = {
    "temperature": 1.0, "top_p": 1.0, "top_k": 0, "max_tokens": 256, "stop": (), "seed": 0,
}  # fmt: skip


class EmbeddedResponder:
    """Answers with the model that comes with the program. Of a request's parameters it knows those of a run."""

    def __init__(self, settings: EmulatorSettings) -> None:
        self._seed = settings.seed
        self._provider = EmbeddedProvider()

    def replies(self, model: str, rows: Iterable[ChatRow]) -> Iterator[Answer | Refusal]:  # noqa: ARG002 - any name
        """Yield the answers.

        Raises
        ------
        ConfigError, MissingDependencyError
            If the model is not available.
        """
        return (reply for _, reply in in_step(rows, self._request, self._answers))

    def close(self) -> None:
        """Free the model."""
        self._provider.close()

    def _request(self, row: ChatRow) -> RequestRow | Refusal:
        if "prompt_token_ids" in row.body or int(row.body.get("n") or 1) != 1:
            return Refusal(400, "the embedded model takes messages and gives one answer")
        body = {key: row.body.get(key, default) for key, default in {**_DEFAULTS, "seed": self._seed}.items()}
        if isinstance(body["stop"], str):
            body["stop"] = (body["stop"],)
        try:
            return msgspec.convert({"custom_id": row.custom_id, "body": {**body, "messages": row.messages}}, RequestRow)
        except ValueError as error:
            return Refusal(400, str(error))

    def _answers(self, requests: Iterator[RequestRow]) -> Iterator[Answer | Refusal]:
        payload = PartPayload("emulated", "emulated", _MODEL, Path(), 0, 0, "", lambda: requests)
        for line in self._provider.results(JobRef("emulated"), payload):
            yield _answer(self._provider.parse_row(line))


def _answer(row: Completion) -> Answer | Refusal:
    if row.error is not None:
        return Refusal(400, row.error)
    choice = Choice(row.text, row.finish_reason or "stop")
    return Answer((choice,), row.prompt_tokens or 0, row.completion_tokens or 0, row.cached_tokens or 0)
