"""The emulated judge: verdicts for requests whose answer has to fit the schema of one; all others go to a responder.

An answer is right if it holds one of the accepted answers that are shown, or says that it does not know where there is
none. Some verdicts are wrong, some replies are no JSON, and a judge that obeys does what the answer tells it to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from promptrial_emulator.responders.base import (
    Answer,
    ChatRow,
    Refusal,
    Responder,
    answer_in_words,
    content,
    fraction,
    in_step,
    without_attempt,
)
from promptrial_emulator.responders.oracle import ABSTENTION
from promptrial_emulator.settings import EmulatorSettings

__all__ = ["JudgingResponder"]

_SHOWN: Final = re.compile(r"<([A-Za-z-]+)-([0-9a-f]{10})>\n(.*?)\n</\1-\2>", re.DOTALL)
_TOLD: Final = re.compile(r"\b(?:score|give|award)\b[^0-9]{0,40}([0-9]+)", re.IGNORECASE)
_WRONG: Final = re.compile(r"wrong[0-9a-f]{8}")
_NO_ANSWER: Final = "(the question has no answer)"
_PROSE: Final = "I would say that this answer is quite good."
_TO_JUDGE: Final = Refusal(500, "a verdict is made elsewhere")
"""Takes the place of a reply until the verdict is made."""


def schema_of(row: ChatRow) -> Mapping[str, Any] | None:
    """Return the JSON Schema that the answer of a request has to fit, as each API has it; None for free text."""
    body = row.body
    for holder, inner in (("response_format", "json_schema"), ("text", "format"), ("output_config", "format")):
        found = body.get(holder)
        found = found.get(inner) if isinstance(found, dict) else None
        schema = found.get("schema") if isinstance(found, dict) else None
        if isinstance(schema, dict):
            return schema
    return None


class JudgingResponder:
    """A judge beside another responder."""

    def __init__(self, settings: EmulatorSettings, other: Responder) -> None:
        self._settings = settings
        self._other = other

    def replies(self, model: str, rows: Iterable[ChatRow]) -> Iterator[Answer | Refusal]:
        """Yield the replies."""

        def ask(row: ChatRow) -> ChatRow | Refusal:
            return _TO_JUDGE if schema_of(row) is not None else row

        for row, reply in in_step(rows, ask, lambda asked: self._other.replies(model, asked)):
            schema = schema_of(row)
            yield reply if schema is None else answer_in_words(row, [self._verdict(row, schema)])

    def close(self) -> None:
        """Free what the other responder holds."""
        self._other.close()

    def _verdict(self, row: ChatRow, schema: Mapping[str, Any]) -> str:
        settings, properties = self._settings, schema.get("properties", {})
        request = without_attempt(row.custom_id)
        is_first = len([message for message in row.messages if message.get("role") == "user"]) < 2
        if is_first and fraction(settings.seed, "prose", request) < settings.judge_invalid:
            return _PROSE
        shown = _shown(row.messages)
        errs = fraction(settings.seed, "judge", request) < settings.judge_error
        key, said = ("winner", self._winner(shown, errs)) if "winner" in properties else (
            "score", self._score(shown, properties["score"]["enum"], errs)
        )  # fmt: skip
        reason = {"reason": f"It is {said} by the rubric."} if "reason" in properties else {}
        return msgspec.json.encode(reason | {key: said}).decode()

    def _score(self, shown: Mapping[str, str], scale: Sequence[int], errs: bool) -> int:  # noqa: FBT001 - a private helper
        answer = shown.get("answer", "")
        told = _TOLD.search(answer) if self._settings.judge_obeys else None
        if told is not None and int(told[1]) in scale:
            return int(told[1])
        return max(scale) if (_quality(answer, shown) > 0) != errs else min(scale)

    def _winner(self, shown: Mapping[str, str], errs: bool) -> str:  # noqa: FBT001 - a private helper
        first, second = (_quality(shown.get(name, ""), shown) for name in ("answer-A", "answer-B"))
        if errs:  # this judge prefers what it reads first
            return "A"
        return "tie" if first == second else "A" if first > second else "B"


def _shown(messages: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the texts between delimiters in the last message of the user that has some."""
    for message in reversed(messages):
        found = {match[1]: match[3] for match in _SHOWN.finditer(content(message))} if message["role"] == "user" else {}
        if found:
            return found
    return {}


def _quality(answer: str, shown: Mapping[str, str]) -> int:
    """Return 1 for a right answer, 0 for a wrong one; without accepted answers, the oracle's text decides."""
    accepted = shown.get("accepted-answers")
    if accepted is None:
        return 0 if _WRONG.fullmatch(answer.strip()) or ABSTENTION in answer else 1
    if accepted == _NO_ANSWER:
        return int(ABSTENTION in answer)
    return int(any(text.casefold() in answer.casefold() for text in accepted.split("\n")))
