"""What the template of each kind of item has to hold: each placeholder once, and no other one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Final

from promptrial.model.templates import ItemKind

__all__ = ["OWN", "missing_placeholders", "unknown_placeholders"]

OWN: Final[dict[ItemKind, tuple[str, ...]]] = {
    "open_book": ("context", "question"),
    "closed_book": ("question",),
    "open_book_choices": ("context", "question", "choices"),
    "closed_book_choices": ("question", "choices"),
}
"""The placeholders of each kind."""
_ALL: Final = OWN["open_book_choices"]
_OTHER_NAMES: Final = {
    "query": "question",
    "input": "question",
    "prompt": "question",
    "passage": "context",
    "document": "context",
    "options": "choices",
}
"""What other tools call these placeholders. Any other word in braces is text, as in examples of code."""
_NEAR: Final = 0.9  # "questions" and "choice" are slips; "question_id" is another word
_IN_BRACES: Final = re.compile(r"(?<![\\\w])\{(\w+)\}")
_DOUBLE: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def missing_placeholders(kind: ItemKind, text: str) -> list[str]:
    """Return what a template lacks or has too often: ``{question} exactly once``, ``{context} nowhere``."""
    counts = {name: int(name in OWN[kind]) for name in _ALL}
    return [
        f"{{{name}}} {'exactly once' if wanted else 'nowhere'}"
        for name, wanted in counts.items()
        if text.count(f"{{{name}}}") != wanted
    ]


def unknown_placeholders(kind: ItemKind, text: str) -> Iterator[str]:
    """Yield a sentence for each word in braces that must be meant for a placeholder and is none.

    Examples
    --------
    >>> list(unknown_placeholders("closed_book", "{question} {Choices} {name}"))
    ['{Choices} is not a placeholder; did you mean {choices}?']
    >>> list(unknown_placeholders("closed_book", "Q: {{question}}"))
    ['{{question}} would be sent with braces around the text; write {question}']
    """
    for word in dict.fromkeys(_DOUBLE.findall(text)):
        if word in OWN[kind]:
            yield f"{{{{{word}}}}} would be sent with braces around the text; write {{{word}}}"
    for word in dict.fromkeys(_IN_BRACES.findall(text)):
        if word not in _ALL and (meant := _meant(word)):
            yield f"{{{word}}} is not a placeholder; did you mean {{{meant}}}?"


def _meant(word: str) -> str | None:
    lower = word.lower()
    close = difflib.get_close_matches(lower, _ALL, n=1, cutoff=_NEAR)
    return _OTHER_NAMES.get(lower) or (close[0] if close else None)
