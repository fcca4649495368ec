"""Chat messages in question files: which message is the question, what came before it, and what is not sent.

A system message of a file is not sent: the arms of a trial decide the system prompt. It is kept as the extra column
``system``.

References
----------
The chat format of OpenAI's API, and of its Evals, whose examples are in system messages with the name
``example_user`` or ``example_assistant``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from promptrial.datasets.shapes import MisfitError, Notes
from promptrial.model import Message

__all__ = ["ChatMessage", "Conversation", "conversation"]

_SYSTEM_KEPT: Final = (
    "questions with their own system message, which is kept as the column `system` but not sent (the arms set the "
    "system prompt)"
)


class ChatMessage(msgspec.Struct):
    """A message as files hold it: the content is a text or a list of parts, of which only texts can be read."""

    role: str
    content: str | list[dict[str, Any]] | None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """A list of messages taken apart.

    Attributes
    ----------
    question : str
        The last message of the user.
    before : tuple of Message
        The messages before it, without those of the system.
    reply : str or None
        The assistant's message after it, if there is one.
    extra : dict
        ``system`` if there is a system message.
    """

    question: str
    before: tuple[Message, ...] = ()
    reply: str | None = None
    extra: dict[str, str] = field(default_factory=dict)


def conversation(messages: Sequence[ChatMessage], notes: Notes) -> Conversation:
    """Take messages apart.

    Raises
    ------
    MisfitError
        If neither the last message nor the one before it is the user's; for a role or a content that cannot be sent.
    """
    system: list[str] = []
    turns: list[Message] = []
    for message in messages:
        role, text = _role(message), _text(message)
        if role == "system":
            system.append(text)
        else:
            turns.append(Message(role, text))
    reply = turns.pop().content if turns and turns[-1].role == "assistant" else None
    if not turns or turns[-1].role != "user":
        raise MisfitError("the messages do not end with a question of the user")
    if system:
        notes.remark(_SYSTEM_KEPT)
    extra = {"system": "\n\n".join(system)} if system else {}
    return Conversation(turns[-1].content, tuple(turns[:-1]), reply, extra)


def _role(message: ChatMessage) -> Literal["system", "user", "assistant"]:
    role = message.role
    if role == "developer":
        return "system"
    if role == "system" and message.name in {"example_user", "example_assistant"}:
        return "user" if message.name == "example_user" else "assistant"
    if role not in {"system", "user", "assistant"}:
        raise MisfitError(f"a message of the role {role!r}; only system, user and assistant can be sent")
    return role  # type: ignore[return-value]  # one of the roles, as was looked up above


def _text(message: ChatMessage) -> str:
    if isinstance(message.content, str):
        return message.content
    parts = message.content or []
    texts = [part["text"] for part in parts if part.get("type") == "text" and isinstance(part.get("text"), str)]
    if not parts or len(texts) < len(parts):
        kinds = ", ".join(sorted({str(part.get("type")) for part in parts} - {"text"})) or "nothing"
        raise MisfitError(f"a message of the role {message.role!r} holds {kinds}; only texts can be sent")
    return "\n".join(texts)
