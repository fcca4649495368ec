"""Anthropic's live endpoint, asked request by request: for small trials that should not wait for a batch.

A request has the parameters of one in a batch, and an answer the row of one (``anthropic_messages`` and
``anthropic_rows``). Nothing is repeated here, and nothing waits: ``promptrial.jobs.live`` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final, Self

import msgspec
from msgspec import UNSET, Raw, UnsetType

from promptrial.config.instances import preset_instance
from promptrial.errors import PermanentError, TransientError
from promptrial.model import Completion, ModelSpec, Sampling
from promptrial.model.instances import Instance
from promptrial.providers.access import timeouts_of
from promptrial.providers.anthropic_messages import check_budget, check_options, check_sampling, message_params
from promptrial.providers.anthropic_rows import parse_message_row
from promptrial.providers.anthropic_service import (
    PRESET,
    VERSION_HEADER,
    anthropic_service,
    check_model,
    context_of,
    emulated,
    fingerprint,
    version_of,
)
from promptrial.providers.base import JobRef, PartPayload, Shown
from promptrial.providers.http import HttpClient
from promptrial.providers.http_outcomes import Call, RejectedError, printable
from promptrial.providers.http_service import Timeouts
from promptrial.providers.live import IN_FLIGHT, AnswersDirectly, LiveAnswer, Note, answers_in_turn
from promptrial.providers.model_names import is_same_model
from promptrial.providers.request_rows import RequestRow
from promptrial.providers.request_rules import MESSAGES_KEYS, check_extra_body

__all__ = ["AnthropicLiveProvider"]

_PATIENT: Final = Timeouts(read_s=600.0, call_s=600.0)
"""An answer may be long, and comes in one piece."""
_REFUSED_ALONE: Final = frozenset({400, 413, 422})
_OF_ALL: Final = re.compile(r"\b(temperature|top_p|top_k)\b|credit balance", re.IGNORECASE)
"""What a refusal speaks of that every other request would meet, too."""
_NAME: Final = "x-client-request-id"
_ANSWER: Final = "answer a request"


class _Message(msgspec.Struct):
    """What is kept of an answer."""

    id: Raw | UnsetType = UNSET
    model: Any = UNSET
    content: Raw | UnsetType = UNSET
    stop_reason: Raw | UnsetType = UNSET
    stop_sequence: Raw | UnsetType = UNSET
    stop_details: Raw | UnsetType = UNSET
    usage: Raw | UnsetType = UNSET


class AnthropicLiveProvider(AnswersDirectly):
    """Anthropic's ``/v1/messages``, or a server that speaks it. May be used by several threads.

    Parameters
    ----------
    instance : Instance
    env : mapping
        Where its key is looked up.
    """

    name: ClassVar[str] = "anthropic_live"
    local: ClassVar[bool] = False
    understands: ClassVar[frozenset[str]] = frozenset(
        {"sampling", "reasoning_effort", "thinking_budget", "cache_prompt", "extra_body"}
    )

    def __init__(self, instance: Instance, env: Mapping[str, str]) -> None:
        self._instance = instance
        self._http = HttpClient(anthropic_service(env, instance), timeouts_of(instance, _PATIENT), many=True)
        self._shown: set[str] = set()

    @classmethod
    def open(cls, env: Mapping[str, str], instance: Instance | None = None) -> Self:
        """Return an adapter for an instance, or for Anthropic itself. Makes no call."""
        return cls(instance or preset_instance(PRESET), env)

    @staticmethod
    def check_name(model: ModelSpec) -> None:
        """Refuse a thinking budget below the least that the vendor takes."""
        check_budget(model)

    @staticmethod
    def check_sampling(model: ModelSpec, sampling: Sampling, instance: Instance) -> str:
        """Refuse what the model or the version of the API does not take; return a sentence about what is not sent."""
        return check_sampling(model, sampling, version_of(instance))

    def check(self, model: ModelSpec) -> None:
        """Refuse options that the version does not take; then look up the model, which a wrong key cannot."""
        check_extra_body(model, MESSAGES_KEYS)
        check_options(model, dict(self._http.service.plain_headers)[VERSION_HEADER])
        if check_model(self._http, model):
            self._shown.add(model.id)

    def shown(self, model: ModelSpec) -> Shown:
        """Return whether the model was there when it was looked up, which a wrong key cannot."""
        return Shown(key=model.id in self._shown, model=model.id in self._shown or None)

    def context_length(self, model: ModelSpec) -> int | None:
        """Return what the model's description says."""
        return context_of(self._http, model)

    def fingerprint(self, model: ModelSpec) -> dict[str, str | int | float | bool]:
        """Return the model's name, where it is served, the version of the API, and that no seed is sent."""
        return fingerprint(model, self._http.service, self.name)

    def count_tokens(self, model: ModelSpec, text: str) -> None:
        """Return None: there is no tokenizer to ask."""

    @property
    def in_flight(self) -> int:
        """The most requests at once."""
        return self._instance.limits.in_flight or IN_FLIGHT

    def answer(self, request: RequestRow, model: ModelSpec) -> LiveAnswer:
        """Answer one request, with one call; see ``live.LiveProvider``."""
        body, named = message_params(request, model), {_NAME: request.custom_id}
        try:
            message = self._http.call("POST", "/v1/messages", _Message, what=_ANSWER, body=body, headers=named)
        except RejectedError as error:
            return LiveAnswer(self._refused(error, request, model))
        try:
            return LiveAnswer(_row_of(message, request), tuple(_notes(message, model)))
        except (ValueError, RecursionError) as error:
            raise TransientError(Call(self._http.service, _ANSWER).text(str(error))) from error

    def results(self, job: JobRef, payload: PartPayload) -> Iterator[bytes]:  # noqa: ARG002 - the Protocol's
        """Ask for the answers one after the other; may be closed between any two."""
        return answers_in_turn(self, payload)

    @staticmethod
    def emulated(
        instance: Instance,
        url: str,
        key: str,
        account: str,  # noqa: ARG004 - the Protocol's
    ) -> tuple[Instance, Mapping[str, str]]:
        """Return an instance at the emulator's address, and its key."""
        return emulated(instance, url, key)

    @staticmethod
    def parse_row(line: bytes) -> Completion:
        """Read one row."""
        return parse_message_row(line)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _refused(self, error: RejectedError, request: RequestRow, model: ModelSpec) -> bytes:
        """Return the row of a request that was refused for what it holds.

        Raises
        ------
        PermanentError
            If every request would be refused.
        """
        if error.status not in _REFUSED_ALONE:
            raise error
        if _OF_ALL.search(error.detail):
            raise PermanentError(
                error.message,
                hint=f"if the model takes no such parameter, set models.{model.alias}.sampling: provider_default; if "
                "the account has no credit, add some; then resume",
            ) from error
        inner = {"type": error.kind or "invalid_request_error", "message": error.detail}
        result = {"type": "errored", "error": {"type": "error", "error": inner}}
        return _on_one_line({"custom_id": request.custom_id, "result": result})


def _row_of(message: _Message, request: RequestRow) -> bytes:
    """Return the row of an answer. One of an odd shape is kept: it was paid for, and would come again.

    Raises
    ------
    ValueError
        If it is none.
    """
    if message.content is UNSET:
        raise ValueError("the answer has no content")
    row = _on_one_line({"custom_id": request.custom_id, "result": {"type": "succeeded", "message": message}})
    msgspec.json.decode(row)
    return row


def _notes(message: _Message, model: ModelSpec) -> Iterator[Note]:
    named = message.model if isinstance(message.model, str) else ""
    if named and not is_same_model(named, model.id):
        shown = printable(named, 80)
        yield Note(f"model {shown}", f"model {model.shown_id} was asked for, and {shown} answers")


def _on_one_line(row: object) -> bytes:
    # Between the tokens of JSON a newline is a space; within them there is none.
    return msgspec.json.encode(row).replace(b"\n", b" ").replace(b"\r", b" ")
