"""From the answer of a live ``/chat/completions`` to the raw row that is kept, and what people should know of it.

The row is ``{"custom_id", "response": {...}}``. Of the answer these keys are kept, as they came: ``id``, ``model``,
``system_fingerprint``, ``choices``, ``usage``, ``error`` and, of a server that routes to others, ``provider``. What
else servers add, such as times, changes with each run and says nothing of the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from promptrial.model import Completion, ModelSpec
from promptrial.providers.chat_rows import parse_chat_row
from promptrial.providers.live import LiveAnswer, Note, on_one_line, told_of_model
from promptrial.providers.reply_failures import require_no_failure
from promptrial.providers.request_rows import RequestRow
from promptrial.providers.wire import read_json

__all__ = ["ChatReply", "answer_of"]

_ANY: Final = msgspec.json.Decoder()


class ChatReply(msgspec.Struct):
    """What is kept of an answer."""

    id: Raw | UnsetType = UNSET
    model: Raw | UnsetType = UNSET
    provider: Raw | UnsetType = UNSET
    system_fingerprint: Raw | UnsetType = UNSET
    choices: Raw | UnsetType = UNSET
    usage: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET


class _Row(msgspec.Struct):
    custom_id: str
    response: ChatReply


def answer_of(reply: ChatReply, request: RequestRow, model: ModelSpec, window: int | None, larger: str) -> LiveAnswer:
    """Return the row of an answer, and what is to be said about it.

    Parameters
    ----------
    reply : ChatReply
    request : RequestRow
    model : ModelSpec
    window : int or None
        The tokens of the model's context, if known.
    larger : str
        How it is made larger.

    Raises
    ------
    FailedReplyError
        If the answer holds an error of the server, which may be gone later.
    ValueError
        If it holds neither an answer nor an error, or is not JSON. An answer of a shape that is not read is kept.
    """
    require_no_failure(reply.error, reply.choices, reply.usage)
    row = on_one_line(_Row(request.custom_id, reply))
    try:
        completion = parse_chat_row(row)
    except ValueError:
        _require_choices(reply, row)
        return LiveAnswer(row, tuple(told_of_model(_text(reply.model), model)))
    return LiveAnswer(row, tuple(_notes(reply, completion, request, model, window, larger)))


def fewest_tokens(request: RequestRow) -> int:
    """Return how many tokens a prompt has at least: one for each word, since no usual tokenizer joins two words."""
    return sum(len(message.content.split()) for message in request.body.messages)


def _require_choices(reply: ChatReply, row: bytes) -> None:
    """Let an answer of an odd shape be one: it was paid for, and would come again. What is no JSON may come right.

    Raises
    ------
    ValueError
        If it has no ``choices`` at all, or is not JSON.
    """
    if reply.choices is UNSET:
        raise ValueError("the answer has no choices")
    read_json(_ANY, row)


def _notes(
    reply: ChatReply, answer: Completion, request: RequestRow, model: ModelSpec, window: int | None, larger: str
) -> Iterator[Note]:
    yield from told_of_model(_text(reply.model), model)
    if answer.error is not None or not answer.prompt_tokens:
        return
    fewest, limit, read = fewest_tokens(request), request.body.max_tokens, answer.prompt_tokens
    if read < fewest:
        yield Note(
            "cut",
            f"the server read {read} tokens of a prompt that has at least {fewest}: it has silently truncated the "
            f"prompt; {larger}",
        )
    elif window is not None and read in {window, window - limit}:
        yield Note(
            "full",
            f"the server read {read} tokens of a prompt, exactly what its context of {window} leaves: it may have "
            f"silently truncated the prompt; {larger}",
        )


def _text(raw: Raw | UnsetType) -> str:
    """Return a text, or nothing where there is something else."""
    try:
        return "" if isinstance(raw, UnsetType) else msgspec.json.decode(raw, type=str)
    except (ValueError, RecursionError):
        return ""
