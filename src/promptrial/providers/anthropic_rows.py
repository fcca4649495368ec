"""Reading one result of Anthropic's into a ``Completion``, and telling which results are answers.

::

    {"custom_id", "result": {"type": "succeeded", "message": {MESSAGE}}}
    {"custom_id", "result": {"type": "errored", "error": {"type": "error", "error": {"type", "message"}, "request_id"}}}
    {"custom_id", "result": {"type": "expired"}}, and "canceled"            a request that was never carried out

A message is a list of blocks: its texts are the answer, what it thought is reasoning, and a block that was redacted is
neither. Stop reasons get the names that other vendors use. Of the input, what was read from the cache and what was
written to it are counted apart by the vendor, and are part of the prompt tokens here.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from promptrial.model import Completion
from promptrial.providers.http_outcomes import printable
from promptrial.providers.wire import mapping, read_json

__all__ = ["is_unanswered", "parse_message_row"]

_STOP_REASONS: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
}
_NOT_CARRIED_OUT: Final = frozenset({"expired", "canceled"})
_WORKS_LATER: Final = frozenset({"api_error", "overloaded_error", "rate_limit_error", "timeout_error", "billing_error"})
"""Errors of the vendor and not of the request: it counts as unanswered, and is asked again."""
_MAX_TOKENS: Final = 2**31 - 1


class _Block(msgspec.Struct, gc=False):
    type: str = ""
    text: str | None = None
    thinking: str | None = None


class _Message(msgspec.Struct, gc=False):
    content: list[_Block] | None = None
    id: str | None = None
    model: Any = None
    stop_reason: str | None = None
    usage: msgspec.Raw = msgspec.Raw()


class _Result(msgspec.Struct, gc=False):
    type: str
    message: _Message | None = None
    error: Any = None


class _Row(msgspec.Struct, gc=False):
    custom_id: str
    result: _Result


class _Kind(msgspec.Struct, gc=False):
    type: Any = None
    error: Any = None


class _Output(msgspec.Struct, gc=False):
    thinking_tokens: Any = None


class _Usage(msgspec.Struct, gc=False):
    input_tokens: Any = None
    output_tokens: Any = None
    cache_creation_input_tokens: Any = None
    cache_read_input_tokens: Any = None
    output_tokens_details: Any = None


_ROWS: Final = msgspec.json.Decoder(_Row)
_KINDS: Final = msgspec.json.Decoder(_Kind)
_USAGE: Final = msgspec.json.Decoder(_Usage)


def is_unanswered(result: bytes | msgspec.Raw) -> bool:
    """Tell whether a result says that its request was never carried out, or failed by the vendor's fault."""
    try:
        found = _KINDS.decode(result)
    except (ValueError, RecursionError):
        return False
    if found.type == "errored":
        return _error_of(found.error)[0] in _WORKS_LATER
    return found.type in _NOT_CARRIED_OUT


def parse_message_row(line: bytes) -> Completion:
    """Read one row.

    Raises
    ------
    ValueError
        If the row holds neither a message nor an error, or is not JSON of these shapes.
    """
    row = read_json(_ROWS, line)
    result = row.result
    if result.message is not None and result.type == "succeeded":
        return _answer(row.custom_id, result.message)
    if result.type == "succeeded":
        raise ValueError(f"row of {row.custom_id!r} has no message")
    if result.type == "errored":
        kind, text, request = _error_of(result.error)
        return _failed(row.custom_id, f"{kind}: {text}" if text else kind, request)
    return _failed(row.custom_id, f"{printable(result.type)}: a result without a message", None)


def _answer(wire_id: str, message: _Message) -> Completion:
    blocks, usage = message.content or [], _usage(message.usage)
    prompt, completion = _prompt_tokens(usage), _count(usage.output_tokens)
    return Completion(
        wire_id,
        "".join(block.text for block in blocks if block.type == "text" and block.text),
        _STOP_REASONS.get(message.stop_reason or "", message.stop_reason),
        message.id,
        prompt,
        completion,
        None if prompt is None or completion is None else prompt + completion,
        _count(usage.cache_read_input_tokens),
        reasoning="\n".join(block.thinking for block in blocks if block.type == "thinking" and block.thinking) or None,
        reasoning_tokens=_count(mapping(usage.output_tokens_details).get("thinking_tokens")),
        cache_write_tokens=_count(usage.cache_creation_input_tokens),
        model=message.model if isinstance(message.model, str) else None,
    )


def _failed(wire_id: str, error: str, request: str | None) -> Completion:
    return Completion(wire_id, "", None, request, None, None, None, error=error)


def _error_of(error: object) -> tuple[str, str, str | None]:
    """Return type, message and the id of the exchange, of an error that may be nested, or a text."""
    if not isinstance(error, dict):
        return "error", printable(str(error or "")), None
    inner, request = error.get("error"), error.get("request_id")
    inner = inner if isinstance(inner, dict) else error
    kind, text = inner.get("type"), inner.get("message")
    known = request if isinstance(request, str) else None
    return printable(str(kind or "error")), printable(str(text or "")), known


def _usage(raw: msgspec.Raw) -> _Usage:
    try:
        return _USAGE.decode(raw) if raw else _Usage()
    except (ValueError, RecursionError):
        return _Usage()


def _prompt_tokens(usage: _Usage) -> int | None:
    """Return how many tokens the prompt had; None if a count of its parts is there and is none."""
    cache = usage.cache_creation_input_tokens, usage.cache_read_input_tokens
    counts = [_count(part) for part in (usage.input_tokens, *(0 if part is None else part for part in cache))]
    known = [count for count in counts if count is not None]
    return _count(sum(known)) if len(known) == len(counts) else None


def _count(value: object) -> int | None:
    """Return a count of tokens; None if it is not a whole number from 0 to 2^31 - 1."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_TOKENS:
        return value
    return None
