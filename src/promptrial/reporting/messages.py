"""The whole message of one question of each kind, as it was sent: blocks of ``report.md``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from promptrial.model.arms import ArmName
from promptrial.model.templates import ItemKind
from promptrial.reporting.cells import count
from promptrial.reporting.facts import MessageExample
from promptrial.reporting.markup import fenced, line
from promptrial.reporting.plain import printable
from promptrial.reporting.tables.words import listing

__all__ = ["message_blocks"]

_KINDS: Final[Mapping[ItemKind, str]] = {
    "open_book": "A question with a passage",
    "closed_book": "A question without a passage",
    "open_book_choices": "A multiple-choice question with a passage",
    "closed_book_choices": "A multiple-choice question without a passage",
}
_MOST_CHARACTERS: Final = 4000
_LAST_CHARACTERS: Final = 1000
"""Of a longer text the end is shown too, where the question mostly is."""
_MOST_TURNS: Final = 10


def message_blocks(examples: Sequence[MessageExample]) -> list[str]:
    """Return a block for each kind of question: the turns, then the user message, once if all arms have the same."""
    return [block for example in examples for block in _blocks(example)]


def _blocks(example: MessageExample) -> list[str]:
    said = (
        f"Example: question {example.item_id} of the data set {example.dataset}. After the system prompt, the model "
        "receives:"
    )
    blocks = [f"### {_KINDS[example.kind]}\n\n{line(said)}\n"]
    left_out = max(0, len(example.turns) - _MOST_TURNS)
    if left_out:
        blocks.append(f"The first {count(left_out)} turns are omitted.\n")
    for number, turn in enumerate(example.turns[left_out:], left_out + 1):
        blocks.append(_text(f"Turn {number}, {turn.role}", turn.content))
    arms: dict[str, list[ArmName]] = {}
    for name, text in example.by_arm.items():
        arms.setdefault(text, []).append(name)
    for text, names in arms.items():
        of = f" of the {listing(names)} {'arm' if len(names) == 1 else 'arms'}" if len(arms) > 1 else ""
        blocks.append(_text(f"User message{of}", text))
    return blocks


def _text(title: str, text: str) -> str:
    shown, notes = text, []
    if len(text) > _MOST_CHARACTERS:
        first = _MOST_CHARACTERS - _LAST_CHARACTERS
        shown = f"{text[:first]}\n[...]\n{text[-_LAST_CHARACTERS:]}"
        notes.append(f"{count(len(text) - _MOST_CHARACTERS)} characters in the middle are omitted")
    if printable(shown) != shown:
        notes.append("unprintable characters are escaped")
    return f"{line('; '.join([title, *notes]))}:\n\n{fenced(shown)}"
