"""What a responder gets and gives: rows of chat requests in, answers or errors out; and how words are counted.

An answer depends on the seed, the model and the request alone, never on time, order or the job it came in.
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

import msgspec

__all__ = [
    "Answer",
    "ChatRow",
    "Choice",
    "Refusal",
    "Responder",
    "answer_in_words",
    "content",
    "fraction",
    "in_step",
    "limit_of",
    "without_attempt",
]

# Where a vendor's jobs have no name of ours, eight base32 characters of the attempt are at the end of an id.
_ATTEMPT: Final = re.compile("-[A-Za-z2-7]{8}$")
_DEFAULT_LIMIT: Final = 2048
_Row = TypeVar("_Row")
_Request = TypeVar("_Request")
_Reply = TypeVar("_Reply")


@dataclass(frozen=True, slots=True)
class ChatRow:
    """One request: its id, its messages, and its whole body with the job's parameters filled in."""

    custom_id: str
    messages: list[Mapping[str, Any]]
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Choice:
    """One text of an answer (or None), why it ended, and what a model may say beside it.

    ``finish_reason`` is in the words of chat completions: ``stop``, ``length``, ``content_filter``, ``tool_calls``.
    """

    text: str | None
    finish_reason: str
    refusal: str | None = None
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    reasoning: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered, and the tokens that it took; ``reasoning_tokens`` are among those of the completion.

    ``odd_total`` is what a fault tells as the total, in place of details that add up; ``model`` the name that it
    tells in place of the one that was asked; ``counted`` is false where no tokens are told.
    """

    choices: tuple[Choice, ...]
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    reasoning_tokens: int = 0
    odd_total: str | None = None
    model: str | None = None
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a row has no answer: an HTTP status and a sentence; for APIs that tell, a word for it and the field."""

    code: int
    message: str
    reason: str | None = None
    param: str | None = None


class Responder(Protocol):
    """One source of answers, made from ``EmulatorSettings``."""

    def replies(self, model: str, rows: Iterable[ChatRow]) -> Iterator[Answer | Refusal]:
        """Yield one reply for each row, in order.

        Raises
        ------
        PromptrialError
            If it cannot answer at all; the job fails with that.
        """

    def close(self) -> None:
        """Free what it holds."""


def in_step(
    rows: Iterable[_Row],
    ask: Callable[[_Row], _Request | Refusal],
    answer: Callable[[Iterator[_Request]], Iterator[_Reply]],
) -> Iterator[tuple[_Row, _Reply | Refusal]]:
    """Yield each row with its reply, in order, where some are refused and ``answer`` never sees those.

    ``answer`` may read requests ahead, as it must to answer several at once.
    """
    waiting: deque[tuple[_Row, Refusal | None]] = deque()

    def asked() -> Iterator[_Request]:
        for row in rows:
            request = ask(row)
            if isinstance(request, Refusal):
                waiting.append((row, request))
            else:
                waiting.append((row, None))
                yield request

    def refused_first() -> Iterator[tuple[_Row, Refusal]]:
        while waiting and (refusal := waiting[0][1]) is not None:
            yield waiting.popleft()[0], refusal

    for reply in answer(asked()):
        yield from refused_first()
        yield waiting.popleft()[0], reply
    yield from refused_first()


def answer_in_words(row: ChatRow, texts: Iterable[str]) -> Answer:
    """Return an answer whose tokens are words, cut where the request's ``max_tokens`` says.

    The first system message counts as cached.
    """
    limit = limit_of(row)
    choices = tuple(_cut(text, limit) for text in texts)
    counts = [len(content(message).split()) for message in row.messages]
    leading = bool(row.messages) and row.messages[0].get("role") == "system"
    return Answer(
        choices,
        prompt_tokens=sum(counts),
        completion_tokens=sum(len((choice.text or "").split()) for choice in choices),
        cached_tokens=counts[0] if leading else 0,
    )


def limit_of(row: ChatRow) -> int:
    """Return the most tokens that an answer may have."""
    return int(row.body.get("max_tokens") or _DEFAULT_LIMIT)


def without_attempt(custom_id: str) -> str:
    """Return the id of a request without the attempt at its end, if there is one: what is answered is the request."""
    return _ATTEMPT.sub("", custom_id)


def content(message: Mapping[str, Any]) -> str:
    """Return the text of a message, also of one in parts."""
    found = message.get("content")
    if isinstance(found, list):
        return " ".join(str(part.get("text", "")) for part in found if isinstance(part, dict))
    return found if isinstance(found, str) else ""


def fraction(*what: object) -> float:
    """Return a number in [0, 1) that depends on the values alone, evenly spread."""
    digest = hashlib.sha256(msgspec.json.encode(what, order="deterministic")).digest()
    return int.from_bytes(digest[:7], "big") / (1 << 56)


def _cut(text: str, limit: int) -> Choice:
    words = text.split()
    return Choice(text, "stop") if len(words) <= limit else Choice(" ".join(words[:limit]), "length")
