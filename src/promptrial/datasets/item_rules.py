"""What every question must hold, whatever file it comes from: what is wrong with one that does not, and the fix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from promptrial.datasets.place import Place, shown
from promptrial.model import Item, Message
from promptrial.model.templates import LETTERS

__all__ = ["check_item"]

_FILL: Final = "fill it, or remove the row; see docs/questions.md#columns"
_NO_PASSAGE: Final = "fill it, or remove it if a question has no passage; see docs/questions.md#columns"
_DROP_ANSWER: Final = "fill it, or remove it; see docs/questions.md#several-answers"
_MARKED: Final = "empty its answers, or remove the mark; see docs/questions.md#columns"
_NO_GOLD: Final = "give it an answer, or mark it unanswerable; see docs/questions.md#questions-without-a-gold-answer"
_CHOICES: Final = "correct the choices and the answer of the row; see docs/questions.md#choices"
_TURNS: Final = "remove this turn; see docs/questions.md#turns"
_ID: Final = (
    "give every row an id, or remove the ids, which are then derived from the content; see docs/questions.md#ids"
)
_CLUSTER: Final = "correct it, or remove it; see docs/questions.md#columns"
_Found = tuple[str, str] | None
"""What is wrong and the hint, if something is."""


def check_item(place: Place, item: Item, *, needs_gold: bool) -> None:
    """Refuse a question that breaks a rule.

    Parameters
    ----------
    place : Place
        Where it comes from.
    item : Item
    needs_gold : bool
        Whether a question without answers must be marked unanswerable.

    Raises
    ------
    DataError
        For the first rule that it breaks.
    """
    _check_name(place, "id", item.id, _ID)
    if item.cluster is not None:
        _check_name(place, "cluster", item.cluster, _CLUSTER)
    found = _text_problem(item) or _gold_problem(item, needs_gold=needs_gold)
    if item.choices or item.messages:
        found = found or _choices_problem(item.choices, item.answers) or _turns_problem(item.messages)
    if found is not None:
        raise place.error(f"id {shown(item.id)}: {found[0]}", hint=found[1])


def _text_problem(item: Item) -> _Found:
    if not item.question.strip():
        return "the question is empty", _FILL
    if item.context is not None and not item.context.strip():
        return "the context is empty", _NO_PASSAGE
    if "" in map(str.strip, item.answers):
        return "an answer is empty", _DROP_ANSWER
    return None


def _gold_problem(item: Item, *, needs_gold: bool) -> _Found:
    if item.is_unanswerable and item.answers:
        return f"marked unanswerable, but has answers: {shown(item.answers[0])}", _MARKED
    if needs_gold and not item.is_unanswerable and not item.answers:
        return "no answers, and not marked unanswerable", _NO_GOLD
    return None


def _choices_problem(choices: Sequence[str], accepted: Sequence[str]) -> _Found:
    if not choices:
        return None
    if not 2 <= len(choices) <= len(LETTERS):
        return f"{len(choices)} choices; a multiple-choice question has 2 to {len(LETTERS)}", _CHOICES
    if not all(choice.strip() for choice in choices):
        return "a choice is empty", _CHOICES
    doubled = next((answer for answer in accepted if choices.count(answer) > 1), None)
    if doubled is not None:
        return f"the right choice {shown(doubled)} appears twice, so two letters would be right", _CHOICES
    none_of_them = next((answer for answer in accepted if answer not in choices), None)
    return None if none_of_them is None else (f"the answer {shown(none_of_them)} is not one of the choices", _CHOICES)


def _turns_problem(messages: Sequence[Message]) -> _Found:
    for number, message in enumerate(messages, 1):
        if message.role == "system":
            problem = f"turn {number} of `messages` is a system prompt, but system prompts are set by the arms"
            return problem, _TURNS
        if not message.content.strip():
            return f"turn {number} of `messages` is empty", _TURNS
    return None


def _check_name(place: Place, what: str, text: str, hint: str) -> None:
    if not text.isprintable():
        raise place.error(f"the {what} contains an invisible character: {shown(text)}", hint=hint)
    if not text or text != text.strip():
        raise place.error(f"the {what} is empty, or begins or ends with a space: {shown(text)}", hint=hint)
