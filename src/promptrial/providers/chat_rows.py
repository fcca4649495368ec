"""Reading one row of a chat batch, in any of the shapes that providers write, into a ``Completion``.

::

    {"custom_id", "response": {CHAT}}                                    Fireworks, the embedded engine
    {"custom_id", "response": {"status_code", "request_id", "body": {CHAT}}, "error": null}          OpenAI, vLLM
    {"custom_id", "response": {"body": {"choices"}, "usage"}}            rows of earlier tools
    {"custom_id", "error": {"code", "message"}, "usage"}                 a failed request, also beside a response;
                                                                         the error may be a text

A message may hold ``reasoning_content`` or ``reasoning`` beside its ``content``, or a ``refusal`` instead of it. Keys
that are not named here are ignored. A token count that is no whole number from 0 to 2^31 - 1 is unknown, and so is
usage that cannot be read; the answer beside it counts. ``promptrial.responses`` says which responses are answers.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from promptrial.model import Completion
from promptrial.responses import is_blank

__all__ = ["parse_chat_row"]


_MAX_TOKENS: Final = 2**31 - 1


class _Message(msgspec.Struct, gc=False):
    content: str | None = None
    refusal: Any = None
    reasoning_content: Any = None
    reasoning: Any = None


class _Choice(msgspec.Struct, gc=False):
    message: _Message
    finish_reason: str | None = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: Any = None
    completion_tokens: Any = None
    total_tokens: Any = None
    prompt_tokens_details: Any = None
    completion_tokens_details: Any = None


class _Error(msgspec.Struct, gc=False):
    message: str | None = None
    code: str | int | None = None
    type: str | None = None


class _Chat(msgspec.Struct, gc=False):
    id: str | None = None
    choices: list[_Choice] | None = None
    usage: msgspec.Raw = msgspec.Raw()
    error: _Error | str | None = None


class _Response(_Chat, gc=False):
    status_code: int | None = None
    request_id: str | None = None
    body: _Chat | None = None


class _Row(msgspec.Struct, gc=False):
    custom_id: str
    response: _Response | None = None
    error: _Error | str | None = None
    usage: msgspec.Raw = msgspec.Raw()


_DECODER: Final = msgspec.json.Decoder(_Row)
_USAGE_DECODER: Final = msgspec.json.Decoder(_Usage | None)


def parse_chat_row(line: bytes) -> Completion:
    """Read one row.

    ``request_id`` is the completion's own id or, failing that, the one of the HTTP exchange. An error's name is its
    code (or type, or HTTP status) and its message.

    Raises
    ------
    ValueError
        If the row holds neither an answer nor an error, or is not JSON of these shapes.
    """
    row = _decode(line)
    response = row.response
    chat = response if response is None or response.body is None else response.body
    error = _error(row, response, chat)
    if error is not None:
        return _failed(row, response, chat, error)
    if response is None or chat is None or not chat.choices:
        raise ValueError(f"row of {row.custom_id!r} holds neither an answer nor an error")
    choice, tokens = chat.choices[0], _tokens(chat.usage, response.usage, row.usage)
    message = choice.message
    return Completion(
        row.custom_id,
        _text(message),
        choice.finish_reason,
        chat.id or response.request_id,
        tokens.prompt,
        tokens.completion,
        tokens.total,
        tokens.cached,
        reasoning=_words(message.reasoning_content) or _words(message.reasoning),
        reasoning_tokens=tokens.reasoning,
    )


def _decode(line: bytes) -> _Row:
    try:
        return _DECODER.decode(line)
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error


def _text(message: _Message) -> str:
    """Return the content or, where that says nothing, the refusal."""
    text = message.content or ""
    return _words(message.refusal) or text if is_blank(text) else text


def _words(value: object) -> str | None:
    return value if isinstance(value, str) and not is_blank(value) else None


class _Tokens(NamedTuple):
    """Token counts, None where they are not known."""

    prompt: int | None = None
    completion: int | None = None
    total: int | None = None
    cached: int | None = None
    reasoning: int | None = None


_UNKNOWN: Final = _Tokens()


def _tokens(*places: msgspec.Raw) -> _Tokens:
    """Return the counts of the first usage that is given."""
    for raw in places:
        try:
            usage = _USAGE_DECODER.decode(raw) if raw else None
        except (ValueError, RecursionError):
            return _UNKNOWN
        if usage is not None:
            return _Tokens(
                _count(usage.prompt_tokens),
                _count(usage.completion_tokens),
                _count(usage.total_tokens),
                _detail(usage.prompt_tokens_details, "cached_tokens"),
                _detail(usage.completion_tokens_details, "reasoning_tokens"),
            )
    return _UNKNOWN


def _detail(details: object, name: str) -> int | None:
    return _count(details.get(name)) if isinstance(details, dict) else None


def _count(value: object) -> int | None:
    # A row's counts are summed over a run in 64 bits, so that none may be absurdly large.
    return value if type(value) is int and 0 <= value <= _MAX_TOKENS else None


def _error(row: _Row, response: _Response | None, chat: _Chat | None) -> str | None:
    """Return the name of a row's error, wherever it stands, or None."""
    error = row.error or (chat and chat.error)
    status = None if response is None else response.status_code
    if isinstance(error, str):
        return f"error: {error}" if error else None
    if error:
        name = next((str(part) for part in (error.code, error.type, status) if part is not None), "error")
        return f"{name}: {error.message}" if error.message else name
    if status is not None and not 200 <= status < 300:
        return f"http_{status}"
    return None


def _failed(row: _Row, response: _Response | None, chat: _Chat | None, error: str) -> Completion:
    """Return the completion of a failed request. It may have been billed, and keeps the tokens that it took."""
    tokens = _tokens(*(place.usage for place in (chat, response, row) if place is not None))
    return Completion(
        row.custom_id,
        "",
        None,
        None if response is None else response.request_id or response.id,
        tokens.prompt,
        tokens.completion,
        tokens.total,
        tokens.cached,
        error=error,
        reasoning_tokens=tokens.reasoning,
    )
