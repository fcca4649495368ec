"""From a neutral request to the parameters of one message of Anthropic's, and what it takes of a model's options. Pure.

What the vendor is known to refuse is refused here, before anything is sent. ``seed`` does not exist there.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import IO, Any, Final, Protocol

import msgspec

from promptrial.errors import ConfigError, PermanentError
from promptrial.model import Message, ModelSpec, Request, RequestId, Sampling
from promptrial.providers.anthropic_ids import Nonce
from promptrial.providers.request_rows import RequestRow, decode_request_row, encode_request_row
from promptrial.providers.request_rules import MESSAGES_KEYS, check_extra_body, require_untouched, with_extra

__all__ = [
    "API_VERSION",
    "EMPTY_BODY",
    "check_budget",
    "check_options",
    "check_sampling",
    "message_params",
    "row_overhead",
    "write_requests",
]

API_VERSION: Final = "2023-06-01"
"""The version of the API that is asked for, unless told otherwise: later ones refuse sampling parameters."""
_WITHOUT_SAMPLERS: Final = "2026-10-21"
"""The first version that refuses temperature, top_p and top_k."""
_LEAST_BUDGET: Final = 1024
_TAKE_BOTH: Final = (
    *("claude-2", "claude-3", "claude-instant"),
    *("claude-opus-4-0", "claude-opus-4-2", "claude-sonnet-4-0", "claude-sonnet-4-2"),
)
"""What the names of models begin with that take temperature and top_p together; later ones refuse that."""
_DEFAULT: Final = 1.0
"""The vendor's own temperature and top_p: one that has this value is not sent beside the other."""
_LEAVE_OUT: Final = "or use the vendor's defaults: `sampling: provider_default` of the model"


EMPTY_BODY: Final = b'{"requests":[]}'
"""The body of the call that creates a batch, except for its requests."""


class _Decoding(Protocol):
    """Decoding parameters, of a trial or of one request."""

    @property
    def temperature(self) -> float: ...
    @property
    def top_p(self) -> float: ...
    @property
    def top_k(self) -> int: ...


def check_sampling(model: ModelSpec, sampling: Sampling, version: str) -> str:
    """Refuse options and decoding parameters that a version of the API does not take.

    Returns
    -------
    str
        What is not sent, in one sentence.

    Raises
    ------
    ConfigError
        With what to write instead.
    """
    check_options(model, version)
    check_extra_body(model, MESSAGES_KEYS)
    if model.options.sampling == "provider_default":
        require_untouched(sampling)
    try:
        _stop_sequences(sampling.stop)
        if model.options.sampling == "explicit":
            _samplers(sampling, model, thinks=bool(model.options.thinking_budget))
    except PermanentError as error:
        raise ConfigError(error.message, hint=error.hint) from None
    if model.options.sampling == "explicit":
        return "Anthropic does not support seed, so it is not sent"
    return "Anthropic: temperature, top_p, top_k and seed are not sent; the vendor's defaults apply"


_LEAST: Final = Sampling(temperature=0.0, top_p=1.0, top_k=1, max_tokens=1, stop=("x",), seed=1)


def row_overhead(model: ModelSpec) -> int:
    """Return by how many bytes a request is longer, at most, than its neutral row.

    All that both have is of one length in both, so that the request in which the most is added decides; a comma takes
    the place of the end of a line.
    """
    user, system = Message("user", ""), Message("system", "s")
    return max(0, *(_lengthened(messages, _unrefused(model)) for messages in ((user,), (system, user))))


def _lengthened(messages: tuple[Message, ...], model: ModelSpec) -> int:
    """Return by how many bytes one request is longer than its neutral row."""
    asked = Request(RequestId("d", "i", "arm", "0.0", 0, "closed"), messages, _LEAST)
    neutral, file = encode_request_row(asked), io.BytesIO()
    write_requests(file, [decode_request_row(neutral)], model, Nonce("k", lambda: ()))
    return len(file.getvalue()) - len(EMPTY_BODY) - len(neutral)


def _unrefused(model: ModelSpec) -> ModelSpec:
    """Return the model without what makes some decoding parameters impossible, but as long."""
    budget = model.options.thinking_budget
    return model if budget is None else replace(model, options=replace(model.options, sampling="provider_default"))


def check_budget(model: ModelSpec) -> None:
    """Refuse a thinking budget that is too small.

    Raises
    ------
    ConfigError
    """
    budget = model.options.thinking_budget
    if budget is not None and budget < _LEAST_BUDGET:
        raise ConfigError(
            f"`thinking_budget: {budget}` is below {_LEAST_BUDGET} tokens, the minimum of Anthropic",
            hint=f"set it to {_LEAST_BUDGET} or more, or omit it",
        )


def check_options(model: ModelSpec, version: str) -> None:
    """Refuse options of a model that a version of the API does not take.

    Raises
    ------
    ConfigError
        Naming the model.
    """
    check_budget(model)
    if version >= _WITHOUT_SAMPLERS and model.options.sampling == "explicit":
        raise ConfigError(
            f"models.{model.alias}: version {version} of Anthropic's API accepts no temperature, top_p or top_k",
            hint=f"ask for `api_version: {API_VERSION}` in `providers`, {_LEAVE_OUT}",
        )


def message_params(row: RequestRow, model: ModelSpec) -> dict[str, Any]:
    """Return the parameters of a request.

    Raises
    ------
    PermanentError
        If it asks for what the vendor, or this model of it, is known to refuse.
    """
    options, body = model.options, row.body
    system, turns = _split(row)
    budget = options.thinking_budget or 0
    params: dict[str, Any] = {"model": model.id, "max_tokens": body.max_tokens + budget}
    if system:
        params["system"] = system if options.cache_prompt == "off" else [_cached(system, options.cache_prompt)]
    params["messages"] = turns
    if options.sampling == "explicit":
        params |= _samplers(body, model, thinks=budget > 0)
    if body.stop:
        params["stop_sequences"] = _stop_sequences(body.stop)
    if budget:
        params["thinking"] = {"type": "enabled", "budget_tokens": budget}
    if output := _output(row, model):
        params["output_config"] = output
    return with_extra(params, model)


def _output(row: RequestRow, model: ModelSpec) -> dict[str, Any]:
    """Return what is said about the answer: its effort, and the schema that it has to fit."""
    effort, schema = model.options.reasoning_effort, row.schema
    return ({} if effort is None else {"effort": effort}) | (
        {} if schema is None else {"format": {"type": "json_schema", "schema": schema}}
    )


def write_requests(file: IO[bytes], rows: Iterable[RequestRow], model: ModelSpec, nonce: Nonce) -> None:
    """Write the body of the call that creates a batch, a request after the other.

    Raises
    ------
    PermanentError
        As ``message_params`` does.
    """
    encode, separator = msgspec.json.Encoder().encode, b'{"requests":['
    for row in rows:
        file.write(separator)
        file.write(encode({"custom_id": nonce.sent(row.custom_id), "params": message_params(row, model)}))
        separator = b","
    file.write(b"]}")


def _split(row: RequestRow) -> tuple[str, list[Message]]:
    """Return the system prompt, which is separate from the messages, and these."""
    messages = row.body.messages
    first = next((at for at, each in enumerate(messages) if each.role != "system"), len(messages))
    if any(each.role == "system" for each in messages[first:]):
        raise PermanentError(
            f"request {row.custom_id}: a system message follows another message, and Anthropic accepts one only at "
            "the start",
            hint="write the conversation of that question without system messages",
        )
    return "\n\n".join(each.content for each in messages[:first] if each.content.strip()), list(messages[first:])


def _stop_sequences(stop: Sequence[str]) -> Sequence[str]:
    blank = next((each for each in stop if not each.strip()), None)
    if blank is not None:
        raise PermanentError(
            f"Anthropic: the stop sequence {blank!r} is only white space, which the vendor rejects in every request",
            hint="remove it from `stop`",
        )
    return stop


def _cached(system: str, ttl: str) -> dict[str, Any]:
    return {"type": "text", "text": system, "cache_control": {"type": "ephemeral", "ttl": ttl}}


def _samplers(body: _Decoding, model: ModelSpec, *, thinks: bool) -> dict[str, Any]:
    if not 0 <= body.temperature <= 1:
        raise _refused(
            f"temperature {body.temperature:g} is above 1, the highest that Anthropic takes", "lower `temps`"
        )
    if thinks:
        if body.temperature != _DEFAULT or body.top_p != _DEFAULT:
            raise _refused(
                f"{model.id} with a thinking budget accepts only temperature 1 and no top_p, but they are "
                f"{body.temperature:g} and {body.top_p:g}",
                "set `temps: [1.0]` and `top_p: 1.0`",
            )
        return {}
    return dict(_pair(body, model)) | {"top_k": body.top_k}


def _pair(body: _Decoding, model: ModelSpec) -> Iterator[tuple[str, float]]:
    """Yield temperature and, where it does anything, top_p."""
    if body.top_p == _DEFAULT:
        yield "temperature", body.temperature
        return
    if model.id.startswith(_TAKE_BOTH):
        yield "temperature", body.temperature
    elif body.temperature != _DEFAULT:
        raise _refused(
            f"{model.id} accepts either temperature or top_p, but both are set: {body.temperature:g} and "
            f"{body.top_p:g}",
            "set `top_p: 1.0`, or `temps: [1.0]`",
        )
    yield "top_p", body.top_p


def _refused(what: str, instead: str) -> PermanentError:
    return PermanentError(f"Anthropic: {what}", hint=f"{instead}, {_LEAVE_OUT}")
