"""The id of a question whose source gives none. It depends only on what is asked, and so is the same in every file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec

from promptrial.model import Item, Message

__all__ = ["asked_text", "content_id", "has_content_id"]

_ENCODER: Final = msgspec.json.Encoder()


def content_id(
    question: str, context: str | None = None, choices: Sequence[str] = (), messages: Sequence[Message] = ()
) -> str:
    """Return the id of a question that has none: ``q`` and 16 hex digits of a SHA-256.

    It covers what is asked: question, passage, choices and turns, as a JSON list. It does not cover accepted answers,
    so that a corrected gold keeps the id, and with it the answers of models.
    """
    return "q" + hashlib.sha256(asked_text(question, context, choices, messages)).hexdigest()[:16]


def asked_text(
    question: str, context: str | None = None, choices: Sequence[str] = (), messages: Sequence[Message] = ()
) -> bytes:
    """Return what the id of a question covers: a JSON list, without spaces, of question, passage, choices and turns."""
    return _ENCODER.encode((question, context, choices, messages))


def has_content_id(item: Item) -> bool:
    """Whether the id of an item is the one that its content gives."""
    return item.id == content_id(item.question, item.context, item.choices, item.messages)
