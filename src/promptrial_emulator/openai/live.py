"""The live calls of the OpenAI API, which local servers have too: answers at once, the models, whether it is ready."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from starlette.responses import Response
from starlette.types import ASGIApp

from promptrial.errors import PromptrialError
from promptrial_emulator.core import Core
from promptrial_emulator.faults.answers import odd_answer
from promptrial_emulator.openai.answers import answer_body, as_served
from promptrial_emulator.openai.messages import EPOCH_S, json_object, json_response, refused
from promptrial_emulator.openai.requests import CHAT, chat_row
from promptrial_emulator.operation import Call
from promptrial_emulator.responders.base import Refusal
from promptrial_emulator.wire import Delayed

__all__ = ["Live"]

_OWN_ID: Final = "x-client-request-id"
"""The header in which a client may name its request; the oracle finds a question by it."""


class Live:
    """The handlers; each returns the answer of a call or raises ``ApiError``."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._settings = core.settings

    def answer(self, endpoint: str, call: Call) -> ASGIApp:
        """Answer one request of a model."""
        body, name = json_object(call.body.data), call.headers.get(_OWN_ID, "")
        if body.get("stream"):
            raise refused(400, "This emulator does not stream.", "unsupported_value", "stream")
        row = chat_row(endpoint, name, body, self._settings, strict=self._settings.openai.strict)
        if isinstance(row, Refusal):
            raise refused(row.code, row.message, row.reason, row.param)
        try:
            reply = self._core.answering.reply(body["model"], row)
        except PromptrialError as error:
            raise refused(500, error.message) from error
        if isinstance(reply, Refusal):
            raise refused(reply.code, reply.message, reply.reason, reply.param)
        answer, fault = as_served(reply, row, self._settings.openai), call.faults.get("F11")
        given = answer_body(endpoint, row, odd_answer(answer, fault) if fault else answer, call.number,
                            EPOCH_S + int(call.now))  # fmt: skip
        operation = "chat_completion" if endpoint == CHAT else "create_response"
        self._core.ledger.record(
            call.now, operation, given["id"], model=body["model"], sha256=hashlib.sha256(call.body.data).hexdigest(),
            client_request_id=name or None, input_tokens=answer.prompt_tokens, output_tokens=answer.completion_tokens,
        )  # fmt: skip
        delay_s = self._settings.openai.latency_s
        return Delayed(json_response(given), delay_s) if delay_s else json_response(given)

    def models(self, call: Call) -> Response:  # noqa: ARG002 - a Handler
        """Show every model; none where any name is one."""
        names = sorted(self._settings.models or ())
        return json_response({"object": "list", "data": [self._model(name) for name in names]})

    def model(self, call: Call) -> Response:
        """Show a model; any name is one, unless some were named."""
        name = call.path["id"]
        if self._settings.models is not None and name not in self._settings.models:
            raise refused(404, f"The model '{name}' does not exist", "model_not_found", "model")
        return json_response(self._model(name))

    def health(self, call: Call) -> Response:  # noqa: ARG002 - a Handler
        """Say that it is ready."""
        return json_response({"status": "ok"})

    def _model(self, name: str) -> dict[str, Any]:
        length = self._settings.openai.context_tokens
        told = {} if length is None else {"max_model_len": length}
        return {"id": name, "object": "model", "created": EPOCH_S, "owned_by": "emulator", **told}
