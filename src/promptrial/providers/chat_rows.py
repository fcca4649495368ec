"""Reading one row of a chat batch, in any of the shapes that providers write, into a ``Completion``.

::

    {"custom_id", "response": {CHAT}}                                    Fireworks, the embedded engine
    {"custom_id", "response": {"status_code", "request_id", "body": {CHAT}}, "error": null}          OpenAI, vLLM
    {"custom_id", "response": {"body": {"choices"}, "usage"}}            rows of earlier tools
    {"custom_id", "error": {"code", "message"}}                          a failed request, also beside a response

Keys that are not named here are ignored.
"""

from __future__ import annotations

from typing import Final

import msgspec

from promptrial.model import Completion

__all__ = ["parse_chat_row"]


class _Message(msgspec.Struct, gc=False):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct, gc=False):
    message: _Message
    finish_reason: str | None = None


class _Details(msgspec.Struct, gc=False):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: _Details | None = None


class _Error(msgspec.Struct, gc=False):
    message: str | None = None
    code: str | int | None = None
    type: str | None = None


class _Chat(msgspec.Struct, gc=False):
    id: str | None = None
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: _Error | None = None


class _Response(_Chat, gc=False):
    status_code: int | None = None
    request_id: str | None = None
    body: _Chat | None = None


class _Row(msgspec.Struct, gc=False):
    custom_id: str
    response: _Response | None = None
    error: _Error | None = None


_DECODER: Final = msgspec.json.Decoder(_Row)


def parse_chat_row(line: bytes) -> Completion:
    """Read one row.

    ``request_id`` is the completion's own id or, failing that, the one of the HTTP exchange. An error's name is its
    code (or type, or HTTP status) and its message.

    Raises
    ------
    ValueError
        If the row holds neither an answer nor an error, or is not JSON of these shapes.
    """
    row = _DECODER.decode(line)
    response = row.response
    chat = response if response is None or response.body is None else response.body
    error = _error(row, response, chat)
    if error is not None:
        return _failed(row.custom_id, response, error)
    if response is None or chat is None or not chat.choices:
        raise ValueError(f"row of {row.custom_id!r} holds neither an answer nor an error")
    choice, usage = chat.choices[0], chat.usage or response.usage
    text = choice.message.content
    if text is None:
        text = choice.message.refusal or ""
    request_id = chat.id or response.request_id
    if usage is None:
        return Completion(row.custom_id, text, choice.finish_reason, request_id, None, None, None)
    details = usage.prompt_tokens_details
    return Completion(
        row.custom_id,
        text,
        choice.finish_reason,
        request_id,
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.total_tokens,
        None if details is None else details.cached_tokens,
    )


def _error(row: _Row, response: _Response | None, chat: _Chat | None) -> str | None:
    """Return the name of a row's error, wherever it stands, or None."""
    error = row.error or (chat and chat.error)
    status = None if response is None else response.status_code
    if error:
        name = next((str(part) for part in (error.code, error.type, status) if part is not None), "error")
        return f"{name}: {error.message}" if error.message else name
    if status is not None and not 200 <= status < 300:
        return f"http_{status}"
    return None


def _failed(wire_id: str, response: _Response | None, error: str) -> Completion:
    request_id = None if response is None else response.request_id or response.id
    return Completion(wire_id, "", None, request_id, None, None, None, error=error)
