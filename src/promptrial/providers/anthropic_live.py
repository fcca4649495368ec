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
from promptrial.errors import PermanentError, UncertainError
from promptrial.model import ModelSpec
from promptrial.model.instances import Instance
from promptrial.providers.access import timeouts_of
from promptrial.providers.anthropic_messages import message_params
from promptrial.providers.anthropic_service import PRESET, anthropic_service
from promptrial.providers.anthropic_shared import AsksAnthropic
from promptrial.providers.base import JobRef, PartPayload
from promptrial.providers.capabilities import Shown
from promptrial.providers.http import HttpClient
from promptrial.providers.http_outcomes import Call, RejectedError
from promptrial.providers.live import (
    ANSWER,
    IN_FLIGHT,
    NAME_HEADER,
    PATIENT,
    REFUSED_ALONE,
    AnswersDirectly,
    LiveAnswer,
    answers_in_turn,
    on_one_line,
    told_of_model,
)
from promptrial.providers.request_rows import RequestRow
from promptrial.providers.wire import text

__all__ = ["AnthropicLiveProvider"]

_OF_ALL: Final = re.compile(r"\b(temperature|top_p|top_k)\b|credit balance", re.IGNORECASE)
"""What a refusal speaks of that every other request would meet, too."""


class _Message(msgspec.Struct):
    """What is kept of an answer."""

    id: Raw | UnsetType = UNSET
    model: Any = UNSET
    content: Raw | UnsetType = UNSET
    stop_reason: Raw | UnsetType = UNSET
    stop_sequence: Raw | UnsetType = UNSET
    stop_details: Raw | UnsetType = UNSET
    usage: Raw | UnsetType = UNSET


class AnthropicLiveProvider(AsksAnthropic, AnswersDirectly):
    """Anthropic's ``/v1/messages``, or a server that speaks it. May be used by several threads.

    Parameters
    ----------
    instance : Instance
    env : mapping
        Where its key is looked up.
    """

    name: ClassVar[str] = "anthropic_live"
    local: ClassVar[bool] = False

    def __init__(self, instance: Instance, env: Mapping[str, str]) -> None:
        super().__init__(HttpClient(anthropic_service(env, instance), timeouts_of(instance, PATIENT), many=True))
        self._instance = instance

    @classmethod
    def open(cls, env: Mapping[str, str], instance: Instance | None = None) -> Self:
        """Return an adapter for an instance, or for Anthropic itself. Makes no call."""
        return cls(instance or preset_instance(PRESET), env)

    def check(self, model: ModelSpec) -> None:
        """Refuse options that the version does not take; then look up the model, which a wrong key cannot."""
        self._check_options(model)
        self._look_up(model)

    def shown(self, model: ModelSpec) -> Shown:
        """Return whether the model was there when it was looked up, which a wrong key cannot."""
        return Shown(key=model.id in self._shown, model=model.id in self._shown or None)

    @property
    def in_flight(self) -> int:
        """The most requests at once."""
        return self._instance.limits.in_flight or IN_FLIGHT

    def answer(self, request: RequestRow, model: ModelSpec) -> LiveAnswer:
        """Answer one request, with one call; see ``live.LiveProvider``."""
        body, named = message_params(request, model), {NAME_HEADER: request.custom_id}
        try:
            message = self._http.call("POST", "/v1/messages", _Message, what=ANSWER, body=body, headers=named)
        except RejectedError as error:
            return LiveAnswer(self._refused(error, request, model))
        try:
            return LiveAnswer(_row_of(message, request), tuple(told_of_model(text(message.model), model)))
        except (ValueError, RecursionError) as error:  # it was answered, and so was billed
            raise UncertainError(Call(self._http.service, ANSWER).text(str(error))) from error

    def results(self, job: JobRef, payload: PartPayload) -> Iterator[bytes]:  # noqa: ARG002 - the Protocol's
        """Ask for the answers one after the other; may be closed between any two."""
        return answers_in_turn(self, payload)

    def _refused(self, error: RejectedError, request: RequestRow, model: ModelSpec) -> bytes:
        """Return the row of a request that was refused for what it holds.

        Raises
        ------
        PermanentError
            If every request would be refused.
        """
        if error.status not in REFUSED_ALONE:
            raise error
        if _OF_ALL.search(error.detail):
            raise PermanentError(
                error.message,
                hint=f"if the model rejects this parameter, set models.{model.alias}.sampling: provider_default; if "
                "the account has no credit, add some; then resume",
            ) from error
        inner = {"type": error.kind or "invalid_request_error", "message": error.detail}
        result = {"type": "errored", "error": {"type": "error", "error": inner}}
        return on_one_line({"custom_id": request.custom_id, "result": result})


def _row_of(message: _Message, request: RequestRow) -> bytes:
    """Return the row of an answer. One of an odd shape is kept: it was paid for, and would come again.

    Raises
    ------
    ValueError
        If it is not one.
    """
    if message.content is UNSET:
        raise ValueError("the answer has no content")
    row = on_one_line({"custom_id": request.custom_id, "result": {"type": "succeeded", "message": message}})
    msgspec.json.decode(row)
    return row
