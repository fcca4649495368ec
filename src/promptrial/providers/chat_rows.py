"""Reading one row of a chat batch, in any of the shapes that providers write, into a ``Completion``.

::

    {"custom_id", "response": {CHAT}}                                    the completion itself
    {"custom_id", "response": {"status_code", "request_id", "body": {CHAT}}, "error": null}          OpenAI, vLLM
    {"custom_id", "response": {"status_code", "request_id", "body": {RESPONSE}}, "error": null}      /v1/responses
    {"custom_id", "response": {"body": {"choices"}, "usage"}}            rows of earlier tools
    {"custom_id", "error": {"code", "message"}, "usage"}                 a failed request, also beside a response;
                                                                         the error may be a text

A message may hold ``reasoning_content`` or ``reasoning`` beside its ``content``, or a ``refusal`` instead of it. The
content may be a list of parts, ``{"type": "text", "text"}`` and ``{"type": "thinking", "thinking"}``. A choice whose
finish reason is ``error``, or which holds an ``error``, is not an answer. An error in which nothing is said, beside an
answer, is none. Keys that are not named here are ignored. A token count that is not a whole number from 0 to 2^31 - 1
is unknown, and so is usage that cannot be read; the answer beside it counts. Where ``choices`` is empty or null, the
answer has no text. ``usage.total_time``, which Groq adds, are the seconds that the server took. What a RESPONSE holds
is in ``response_bodies``, and which responses are answers in ``promptrial.model.responses``.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from promptrial.model import Completion
from promptrial.model.responses import is_blank
from promptrial.providers.reply_failures import FAILED, error_text, is_of_success
from promptrial.providers.response_bodies import read_output
from promptrial.providers.wire import read_json

__all__ = ["Usage", "parse_chat_row", "visible_words"]


_MAX_TOKENS: Final = 2**31 - 1
_LONGEST_S: Final = 1e6


class _Message(msgspec.Struct, gc=False):
    content: str | list[Any] | None = None
    refusal: Any = None
    reasoning_content: Any = None
    reasoning: Any = None


class _Choice(msgspec.Struct, gc=False):
    message: _Message
    finish_reason: Any = None
    error: Any = None


_NO_CHOICE: Final = _Choice(_Message())
"""What an answer says that has no choices: nothing, but it was paid for."""


# A row's counts are summed over a run in 64 bits, so that none may be absurdly large.
_Count = Annotated[int, msgspec.Meta(ge=0, le=_MAX_TOKENS)] | None


_Seconds = Annotated[float, msgspec.Meta(ge=0, le=_LONGEST_S)] | None


class _PromptDetails(msgspec.Struct, gc=False):
    cached_tokens: _Count = None


class _CompletionDetails(msgspec.Struct, gc=False):
    reasoning_tokens: _Count = None


class Usage(msgspec.Struct, gc=False):
    """Token counts, None where they are not known. Those in the middle are what a RESPONSE calls them."""

    prompt_tokens: _Count = None
    completion_tokens: _Count = None
    total_tokens: _Count = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None
    input_tokens: _Count = None
    output_tokens: _Count = None
    input_tokens_details: _PromptDetails | None = None
    output_tokens_details: _CompletionDetails | None = None
    total_time: _Seconds = None

    @property
    def asked(self) -> int | None:
        """The tokens of the prompt."""
        return self.input_tokens if self.prompt_tokens is None else self.prompt_tokens

    @property
    def answered(self) -> int | None:
        """The tokens of the completion."""
        return self.output_tokens if self.completion_tokens is None else self.completion_tokens

    @property
    def cached_tokens(self) -> int | None:
        """The tokens of the prompt that were read from a cache."""
        details = self.prompt_tokens_details or self.input_tokens_details
        return None if details is None else details.cached_tokens

    @property
    def reasoning_tokens(self) -> int | None:
        """The tokens of the completion that are reasoning."""
        details = self.completion_tokens_details or self.output_tokens_details
        return None if details is None else details.reasoning_tokens


class _Error(msgspec.Struct, gc=False):
    message: str | None = None
    code: str | int | None = None
    type: str | None = None


class _Chat(msgspec.Struct, gc=False):
    id: str | None = None
    model: Any = None
    choices: list[_Choice] | UnsetType | None = UNSET
    usage: msgspec.Raw = msgspec.Raw()
    error: _Error | str | None = None
    output: msgspec.Raw = msgspec.Raw()
    status: Any = None
    incomplete_details: Any = None


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
_USAGE_DECODER: Final = msgspec.json.Decoder(Usage | None)


def parse_chat_row(line: bytes) -> Completion:
    """Read one row.

    ``request_id`` is the completion's own id or, failing that, the one of the HTTP exchange. An error's name is its
    code (or type, or HTTP status) and its message.

    Raises
    ------
    ValueError
        If the row has neither an answer nor an error, or is not JSON of these shapes.
    """
    row = read_json(_DECODER, line)
    response = row.response
    chat = response if response is None or response.body is None else response.body
    error = _error(row, response, chat)
    if error is not None:
        return _failed(row, response, chat, error)
    if response is not None and chat is not None and not chat.choices and chat.output:
        return _read_response(row, response, chat)
    if response is None or chat is None or chat.choices is UNSET:
        raise ValueError(f"row of {row.custom_id!r} has neither an answer nor an error")
    choice, usage = (chat.choices or [_NO_CHOICE])[0], _usage(chat.usage, response.usage, row.usage)
    message = choice.message
    return Completion(
        row.custom_id,
        _text(message),
        visible_words(choice.finish_reason),
        chat.id or response.request_id,
        usage.asked,
        usage.answered,
        usage.total_tokens,
        usage.cached_tokens,
        reasoning=visible_words(message.reasoning_content)
        or visible_words(message.reasoning)
        or _thoughts(message.content),
        reasoning_tokens=usage.reasoning_tokens,
        model=visible_words(chat.model),
        latency_s=usage.total_time,
    )


def _read_response(row: _Row, response: _Response, chat: _Chat) -> Completion:
    """Return the completion of a row of ``/v1/responses``."""
    found, usage = read_output(chat.output, chat.status, chat.incomplete_details), _usage(chat.usage)
    return Completion(
        row.custom_id,
        found.refusal or found.text if is_blank(found.text) else found.text,
        found.finish_reason,
        chat.id or response.request_id,
        usage.asked,
        usage.answered,
        usage.total_tokens,
        usage.cached_tokens,
        reasoning=visible_words(found.reasoning),
        reasoning_tokens=usage.reasoning_tokens,
        model=visible_words(chat.model),
    )


def _text(message: _Message) -> str:
    """Return the content or, where that says nothing, the refusal."""
    text = _joined(message.content, "text") if isinstance(message.content, list) else message.content or ""
    return visible_words(message.refusal) or text if is_blank(text) else text


def _joined(parts: list[Any], kind: str) -> str:
    """Return the texts of a kind of parts, one after the other; a part may hold a list of parts itself."""
    found = (part.get(kind) for part in parts if isinstance(part, dict) and part.get("type") == kind)
    return "".join(_joined(text, "text") if isinstance(text, list) else visible_words(text) or "" for text in found)


def _thoughts(content: str | list[Any] | None) -> str | None:
    return visible_words(_joined(content, "thinking")) if isinstance(content, list) else None


def visible_words(value: object) -> str | None:
    """Return a text that has a visible character; None for anything else."""
    return value if isinstance(value, str) and not is_blank(value) else None


_UNKNOWN: Final = Usage()


def _usage(*places: msgspec.Raw) -> Usage:
    """Return the first usage that is given."""
    for raw in places:
        if raw:
            try:
                usage: Usage | None = _USAGE_DECODER.decode(raw)
            except (ValueError, RecursionError):
                return _readable(raw)
            if usage is not None:
                return usage
    return _UNKNOWN


def _readable(raw: msgspec.Raw) -> Usage:
    """Return what can be read of odd usage."""
    try:
        values = msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return _UNKNOWN
    if not isinstance(values, dict):
        return _UNKNOWN
    known: dict[str, Any] = {}
    for name in Usage.__struct_fields__:
        with suppress(ValueError):
            known[name] = getattr(msgspec.convert({name: values.get(name)}, Usage), name)
    return Usage(**known)


def _error(row: _Row, response: _Response | None, chat: _Chat | None) -> str | None:
    """Return the name of a row's error, wherever it is, or None."""
    error = row.error or (chat and chat.error)
    status = None if response is None else response.status_code
    if isinstance(error, _Error) and _says_nothing(error) and _is_answer(chat, status):
        error = None
    if isinstance(error, str) and error:
        return f"error: {error}"
    if isinstance(error, _Error):
        name = next((str(part) for part in (error.code, error.type, status) if part not in {None, ""}), "error")
        return f"{name}: {error.message}" if error.message else name
    if status is not None and not 200 <= status < 300:
        return f"http_{status}"
    if chat is not None and chat.choices and (failed := _error_of_choice(chat.choices[0])) is not None:
        return failed
    return (
        "failed: the response gives no reason" if chat is not None and chat.output and chat.status == "failed" else None
    )


def _says_nothing(error: _Error) -> bool:
    return is_of_success(error.code) or not (error.code or error.message or error.type)


def _error_of_choice(choice: _Choice) -> str | None:
    """Return the name of the error with which an answer broke off, or None."""
    said, is_text = error_text(choice.error), isinstance(choice.error, str)
    if choice.finish_reason == FAILED and (is_text or not said):
        return "error: the answer is not whole"
    return (f"error: {said}" if is_text else said) if said else None


def _is_answer(chat: _Chat | None, status: int | None) -> bool:
    return chat is not None and bool(chat.choices or chat.output) and (status is None or 200 <= status < 300)


def _failed(row: _Row, response: _Response | None, chat: _Chat | None, error: str) -> Completion:
    """Return the completion of a failed request. It may have been billed, and keeps the tokens that it took."""
    usage = _usage(*(place.usage for place in (chat, response, row) if place is not None))
    return Completion(
        row.custom_id,
        "",
        None,
        None if response is None else response.request_id or response.id,
        usage.asked,
        usage.answered,
        usage.total_tokens,
        usage.cached_tokens,
        error=error,
        reasoning_tokens=usage.reasoning_tokens,
    )
