"""The user message of each kind of item: which kinds there are, the packaged texts, and how choices are written."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final, Literal, get_args

__all__ = [
    "ALWAYS_RECORDED",
    "DEFAULT_TEXTS",
    "KINDS",
    "LETTERS",
    "ItemKind",
    "TaskTemplates",
    "is_recorded",
    "written_choices",
]

ItemKind = Literal["open_book", "closed_book", "open_book_choices", "closed_book_choices"]
"""Whether an item has a passage, and whether it has choices."""
KINDS: Final[tuple[ItemKind, ...]] = get_args(ItemKind)
LETTERS: Final = string.ascii_uppercase
"""The letters of choices in order; a question may have as many choices."""
DEFAULT_TEXTS: Final[dict[ItemKind, str]] = {
    "open_book": "Passage:\n{context}\n\nQuestion: {question}",
    "closed_book": "{question}",
    "open_book_choices": (
        "Passage:\n{context}\n\nQuestion: {question}\n\n{choices}\n\nAnswer with the letter of the correct choice."
    ),
    "closed_book_choices": "{question}\n\n{choices}\n\nAnswer with the letter of the correct choice.",
}
"""The template of each kind where a configuration gives none. Frozen: another text would change requests."""
ALWAYS_RECORDED: Final[tuple[ItemKind, ...]] = ("open_book", "closed_book")
"""Templates that are in the record of every run, the packaged ones too."""


@dataclass(frozen=True, slots=True)
class TaskTemplates:
    """The user message of each kind of item, with its placeholders still to be filled in."""

    open_book: str
    closed_book: str
    open_book_choices: str = DEFAULT_TEXTS["open_book_choices"]
    closed_book_choices: str = DEFAULT_TEXTS["closed_book_choices"]

    def of(self, kind: ItemKind) -> str:
        """Return the template of a kind of item."""
        text: str = getattr(self, kind)
        return text

    def recorded(self) -> dict[str, str]:
        """Return the texts that digests cover: those of choices only where they are not the packaged ones.

        Runs from before there were choices keep their digests in this way.
        """
        texts: dict[str, str] = asdict(self)
        return {kind: texts[kind] for kind in KINDS if is_recorded(kind, texts[kind])}


def is_recorded(kind: ItemKind, text: str) -> bool:
    """Whether records and digests have a template: one of choices only if it is not the packaged one.

    There were none of those when older runs began.
    """
    return kind in ALWAYS_RECORDED or text != DEFAULT_TEXTS[kind]


def written_choices(choices: Sequence[str]) -> str:
    r"""Return choices as they are in a message: one on a line, each after its letter.

    Examples
    --------
    >>> written_choices(["six", "eight"])
    'A. six\nB. eight'

    Raises
    ------
    ValueError
        If there are more choices than letters.
    """
    if len(choices) > len(LETTERS):
        raise ValueError(f"{len(choices)} choices; a question may have at most {len(LETTERS)}")
    return "\n".join(f"{letter}. {text}" for letter, text in zip(LETTERS, choices, strict=False))
