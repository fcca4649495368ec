"""The live calls of the Anthropic API: one message, and the models."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp

from promptrial.errors import PromptrialError
from promptrial_emulator.anthropic import lists
from promptrial_emulator.anthropic.caching import use_cache
from promptrial_emulator.anthropic.messages import json_response, refused
from promptrial_emulator.anthropic.model import Anthropic
from promptrial_emulator.anthropic.params import BadParamsError, MessageParams, read_params
from promptrial_emulator.anthropic.replies import as_asked, message
from promptrial_emulator.clock import timestamp
from promptrial_emulator.database import Collection
from promptrial_emulator.faults.answers import odd_answer
from promptrial_emulator.operation import Call
from promptrial_emulator.responders.base import Refusal
from promptrial_emulator.wire import Delayed

__all__ = ["Live"]

_LISTED: Final = ("claude-opus-4-8", "claude-sonnet-4-6", "claude-haiku-4-5")
"""What is listed where the settings name no models; every other name is a model too."""
_NAME: Final = "x-client-request-id"
"""The header in which a client may say which of its requests this is; the oracle finds the question by it."""
_WINDOW: Final = 200_000
_LONGEST: Final = 64_000


class Live:
    """The handlers; each returns the answer of a call or raises ``ApiError``."""

    def __init__(self, anthropic: Anthropic) -> None:
        self._anthropic = anthropic
        self._core = anthropic.core
        self._prefixes = Collection(anthropic.core.database, "anthropic_prefix", _Prefix)

    def message(self, call: Call) -> ASGIApp:
        """Answer one request."""
        params = self._params(call)
        try:
            reply = self._core.answering.reply(params.model, params.chat)
        except PromptrialError as error:
            raise refused(500, error.message) from error
        if isinstance(reply, Refusal):
            raise refused(reply.code, reply.message)
        use = use_cache(_LivePrefixes(self._prefixes, call), params.breakpoints)
        fault, answer = call.faults.get("F11"), as_asked(params, reply)
        told = answer if fault is None else odd_answer(answer, fault)
        shown = message(self._core.settings.seed, params, told, use, "standard")
        digest = hashlib.sha256(call.body.data).hexdigest()
        self._core.ledger.record(
            call.now, "message", shown["id"], model=params.model, sha256=digest,
            client_request_id=params.chat.custom_id or None,
            input_tokens=answer.prompt_tokens, output_tokens=answer.completion_tokens,
        )  # fmt: skip
        delay_s = self._core.settings.anthropic.latency_s
        return Delayed(json_response(shown), delay_s) if delay_s else json_response(shown)

    def list_models(self, call: Call) -> Response:
        """Show a page of models."""
        names = sorted(self._core.settings.models or _LISTED)
        return json_response(lists.page([_model(name) for name in names], call.query, call.faults))

    def get_model(self, call: Call) -> Response:
        """Show a model."""
        name = call.path["id"]
        if not self._anthropic.supports(name):
            raise refused(404, f"model: {name}")
        return json_response(_model(name))

    def _params(self, call: Call) -> MessageParams:
        try:
            body = _BODY.decode(call.body.data)
        except (ValueError, RecursionError) as error:
            raise refused(400, f"The request body is not a JSON object: {error}") from error
        name, version = call.headers.get(_NAME, ""), call.headers["anthropic-version"]
        try:
            params = read_params(name, body, version, batch=False)
        except BadParamsError as error:
            raise refused(400, str(error)) from error
        if refusal := self._anthropic.refusal(params):
            raise refused(refusal.code, refusal.message)
        return params


class _Prefix(msgspec.Struct):
    """A cached prefix, by its digest."""

    id: str
    serial: int
    until: float

    @property
    def open(self) -> bool:
        """Nothing but its next use changes it."""
        return False


class _LivePrefixes:
    """The prefixes of live messages, each until its time is up."""

    def __init__(self, kept: Collection[_Prefix], call: Call) -> None:
        self._kept = kept
        self._call = call

    def has(self, digest: str) -> bool:
        found = self._kept.find(digest)
        return found is not None and found.until > self._call.now

    def add(self, digest: str, ttl_s: float) -> None:
        self._kept.put(_Prefix(digest, self._call.number, self._call.now + ttl_s))


def _model(name: str) -> dict[str, Any]:
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": timestamp(0),
        "lifecycle": "active",
        "max_input_tokens": _WINDOW,
        "max_tokens": _LONGEST,
    }


_BODY: Final = msgspec.json.Decoder(dict[str, Any])
