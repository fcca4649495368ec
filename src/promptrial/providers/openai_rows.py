"""Rows of OpenAI's batch files: the neutral form turned into a request, and what an answer's row says about a request.

::

    {"custom_id", "method": "POST", "url": "/v1/chat/completions", "body": {"model", "messages", ...}}       a request
    {"id", "custom_id", "response": {"status_code", "request_id", "body"} | null, "error": {...} | null}     an answer

OpenAI, Azure and Groq take and give them, and so does ``vllm run-batch``. What an answer says is read by ``chat_rows``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, Self

import msgspec

from promptrial.model import Message, ModelSpec, Request, RequestId, Sampling
from promptrial.model.instances import Instance
from promptrial.providers.request_rows import RequestRow, decode_request_row, encode_request_row, row_id
from promptrial.providers.request_rules import with_extra

__all__ = ["RowShape", "is_unanswered", "openai_body", "openai_line", "row_overhead"]

MaxTokens = Literal["max_tokens", "max_completion_tokens"]

_CHAT: Final = "/chat/completions"
_RESPONSES: Final = "/responses"
_NOT_CARRIED_OUT: Final = frozenset({"batch_expired", "batch_cancelled"})
_ENCODER: Final = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class RowShape:
    """What differs between the vendors that take such rows.

    ``prefix`` is before the path in ``url``; ``max_tokens`` is what chat completions call the limit of an answer,
    and ``top_k`` whether there is such a parameter.
    """

    prefix: str = "/v1"
    max_tokens: MaxTokens = "max_tokens"
    top_k: bool = True

    @classmethod
    def of(cls, instance: Instance) -> Self:
        """Return the shape that the options of an instance say."""
        name: MaxTokens = (
            "max_completion_tokens" if instance.option("max_tokens") == "max_completion_tokens" else "max_tokens"
        )
        return cls(instance.option("endpoint_prefix", "/v1"), name, instance.option("top_k") != "refused")

    def url(self, model: ModelSpec) -> str:
        """Return the path that a model's requests are for."""
        return self.prefix + (_CHAT if model.options.endpoint == "chat" else _RESPONSES)


def openai_line(row: RequestRow, model: ModelSpec, shape: RowShape) -> bytes:
    """Return the line of a request, without its newline."""
    body = openai_body(row, model, shape)
    return _ENCODER.encode({"custom_id": row.custom_id, "method": "POST", "url": shape.url(model), "body": body})


def openai_body(row: RequestRow, model: ModelSpec, shape: RowShape) -> dict[str, Any]:
    """Return the body of a request, as a live call sends it too.

    A parameter that the API does not have is left out: whether that is allowed is for ``check`` to say, before anything
    is sent. The responses API has neither a seed nor stop sequences, and would keep each response if not told
    otherwise. Of extra keys that hold an object, what they do not name stays as it is.
    """
    options, given = model.options, row.body
    body: dict[str, Any] = {"model": model.id}
    if options.endpoint == "chat":
        body |= {"messages": given.messages, shape.max_tokens: given.max_tokens}
        if given.stop:
            body["stop"] = given.stop
        if options.reasoning_effort is not None:
            body["reasoning_effort"] = options.reasoning_effort
        if given.response_format is not None:
            body["response_format"] = given.response_format
    else:
        body |= {"input": given.messages, "max_output_tokens": given.max_tokens, "store": False}
        if options.reasoning_effort is not None:
            body["reasoning"] = {"effort": options.reasoning_effort}
        if given.response_format is not None:
            body["text"] = {"format": {"type": "json_schema", **given.response_format["json_schema"]}}
    if options.sampling == "explicit":
        body |= {"temperature": given.temperature, "top_p": given.top_p}
        if options.endpoint == "chat":
            body |= {"seed": given.seed} | ({"top_k": given.top_k} if shape.top_k else {})
    return with_extra(body, model)


_SHORTEST: Final = Sampling(temperature=0.0, top_p=1.0, top_k=1, max_tokens=1, stop=(), seed=1)


def row_overhead(model: ModelSpec, shape: RowShape) -> int:
    """Return by how many bytes a line is longer, at most, than the neutral row.

    All that both have is of one length in both, so that the row in which the least is left out decides.
    """
    request = Request(RequestId("d", "i", "arm", "0.0", 0, "closed"), (Message("user", ""),), _SHORTEST)
    neutral = encode_request_row(request)
    return max(0, len(openai_line(decode_request_row(neutral), model, shape)) - len(neutral))


class _Error(msgspec.Struct):
    code: Any = None


class _Response(msgspec.Struct):
    status_code: Any = None


class _Outcome(msgspec.Struct):
    response: _Response | None = None
    error: _Error | str | None = None


_OUTCOME: Final = msgspec.json.Decoder(_Outcome)


def is_unanswered(line: bytes) -> bool:
    """Whether a row says that its request was not carried out, or failed in a way that asking again may cure.

    Those are requests that an end of their batch cut off, such with the status 0, and 408, 429 or 5xx of a single row.
    A row that cannot be read, or that the vendor refused for what it is, is an answer.
    """
    try:
        row_id(line)
        found = _OUTCOME.decode(line)
    except (ValueError, RecursionError):
        return False
    if isinstance(found.error, _Error) and found.error.code in _NOT_CARRIED_OUT:
        return True
    status = None if found.response is None else found.response.status_code
    if not isinstance(status, int) or isinstance(status, bool):
        return False
    return status in {0, 408, 429} or status >= 500
