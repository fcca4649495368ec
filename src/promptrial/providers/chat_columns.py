"""Reading many rows of a chat batch into columns: what ``chat_rows.parse_chat_row`` makes of each.

The usual row holds an answer as text, token counts, and nothing odd. It is decoded into structs with the fields of
``chat_rows`` and narrower types, so that what they take has one meaning; any other row is read by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Any, Final

import msgspec

from promptrial.model import Completion
from promptrial.model.completions import CompletionColumns
from promptrial.providers.chat_rows import Usage, parse_chat_row, visible_words
from promptrial.providers.reply_failures import FAILED

__all__ = ["parse_chat_rows"]


class _Message(msgspec.Struct, gc=False):
    content: str
    refusal: None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class _Choice(msgspec.Struct, gc=False):
    message: _Message
    finish_reason: str | None = None
    error: None = None


class _Chat(msgspec.Struct, gc=False):
    choices: Annotated[list[_Choice], msgspec.Meta(min_length=1)]
    usage: Usage
    id: str | None = None
    model: str | None = None
    error: None = None
    output: None = None
    status: None = None
    incomplete_details: Any = None


_Success = Annotated[int, msgspec.Meta(ge=200, le=299)] | None


class _Whole(_Chat, gc=False, kw_only=True):
    """A response that is the completion itself."""

    status_code: _Success = None
    request_id: str | None = None
    body: None = None


class _Exchange(msgspec.Struct, gc=False):
    """A response of HTTP whose body is the completion."""

    body: _Chat
    status_code: _Success = None
    request_id: str | None = None
    id: str | None = None
    model: Any = None
    choices: None = None
    usage: msgspec.Raw = msgspec.Raw()
    error: None = None
    output: msgspec.Raw = msgspec.Raw()
    status: Any = None
    incomplete_details: Any = None


class _WholeRow(msgspec.Struct, gc=False):
    custom_id: str
    response: _Whole
    error: None = None
    usage: msgspec.Raw = msgspec.Raw()

    @property
    def chat(self) -> _Chat:
        """The completion."""
        return self.response


class _ExchangeRow(msgspec.Struct, gc=False):
    custom_id: str
    response: _Exchange
    error: None = None
    usage: msgspec.Raw = msgspec.Raw()

    @property
    def chat(self) -> _Chat:
        """The completion."""
        return self.response.body


_Row = _WholeRow | _ExchangeRow
_WHOLE: Final = msgspec.json.Decoder(_WholeRow)
_EXCHANGE: Final = msgspec.json.Decoder(_ExchangeRow)
_NO_ROW: Final = _WholeRow("", _Whole(choices=[_Choice(_Message(""))], usage=Usage()))


def parse_chat_rows(lines: Sequence[bytes]) -> CompletionColumns:
    """Read rows; one that ``parse_chat_row`` refuses has no ``wire_id``."""
    odd: list[tuple[int, Completion | None]] = []
    rows = [_NO_ROW if row is None else row for row in _usual(lines, odd)]
    columns = _columns(rows)
    if FAILED in columns.finish_reason:
        odd += [(place, _read(lines[place])) for place, why in enumerate(columns.finish_reason) if why == FAILED]
    for place, completion in odd:
        columns.put(place, completion)
    return columns


def _usual(lines: Iterable[bytes], odd: list[tuple[int, Completion | None]]) -> Iterator[_Row | None]:
    """Yield each row that is as usual, None for another, which is added to the odd ones."""
    first: Callable[[bytes], _Row] = _WHOLE.decode
    second: Callable[[bytes], _Row] = _EXCHANGE.decode
    for place, line in enumerate(lines):
        try:
            yield first(line)
            continue
        except (ValueError, RecursionError):
            pass
        try:
            row: _Row | None = second(line)
            first, second = second, first  # the rows of a file have one shape
        except (ValueError, RecursionError):
            row = None
            odd.append((place, _read(line)))
        yield row


def _read(line: bytes) -> Completion | None:
    try:
        return parse_chat_row(line)
    except ValueError:
        return None


def _columns(rows: Sequence[_Row]) -> CompletionColumns:
    chats = [row.chat for row in rows]
    usages = [chat.usage for chat in chats]
    choices = [chat.choices[0] for chat in chats]
    messages = [choice.message for choice in choices]
    ids = [chat.id or row.response.request_id for chat, row in zip(chats, rows, strict=True)]
    return CompletionColumns(
        [row.custom_id for row in rows],
        [message.content for message in messages],
        _visible([choice.finish_reason for choice in choices]),
        ids,
        [usage.input_tokens if usage.prompt_tokens is None else usage.prompt_tokens for usage in usages],
        [usage.output_tokens if usage.completion_tokens is None else usage.completion_tokens for usage in usages],
        [usage.total_tokens for usage in usages],
        [usage.cached_tokens for usage in usages],
        [None] * len(rows),
        [
            visible_words(message.reasoning_content) or visible_words(message.reasoning)
            if message.reasoning_content or message.reasoning
            else None
            for message in messages
        ],
        [usage.reasoning_tokens for usage in usages],
        [None] * len(rows),
        _visible([chat.model for chat in chats]),
        [usage.total_time for usage in usages],
    )


def _visible(names: list[str | None]) -> list[str | None]:
    """Return names without those that have no visible character; there are few different ones."""
    known = {name: visible_words(name) for name in set(names)}
    return [known[name] for name in names]
