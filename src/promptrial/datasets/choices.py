"""The right choices of multiple-choice questions: by text, by letter, or by number. One way for a whole file.

Which way a file takes is decided from all of its rows, so that a row alone cannot be misread:

1. texts, if every answer is a text of its choices (a number beside choices that are texts does not count as one);
2. else letters, if every answer is a letter: ``B``, ``b``, ``(B)``, ``B.``;
3. else numbers. A number of JSON or Parquet is an index and counts from 0. One in text, as in every cell of CSV, and
   one in a cell of Excel count from 0 if some answer is 0, and from 1 if some answer is the number of its choices; a
   file with neither could be meant either way and is refused. What the configuration says decides instead.

A file in which no way fits every answer is refused at the first row that does not fit the way of most rows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from promptrial.datasets.place import Place, shown
from promptrial.errors import DataError
from promptrial.model.templates import LETTERS

__all__ = ["ChoiceKey", "Marked", "choice_key", "lettered"]

Way = Literal["texts", "letters", "numbers"]
_LETTER: Final = re.compile(r"\(?([A-Za-z])[).:]?")
_SEE: Final = "see docs/questions.md#choices"
_WORDS: Final[Mapping[Way, str]] = {
    "texts": "the text of the right choice",
    "letters": "the letter of the right choice",
    "numbers": "the number of the right choice, counted from",
}


@dataclass(frozen=True, slots=True)
class Marked:
    """The choices of a question and the answers as they are in the file.

    ``is_number`` says about each answer whether the file holds a number, and ``text_choices`` whether its choices are
    texts; both are unknown, and so False and True, where the file holds text alone.
    """

    choices: tuple[str, ...]
    answers: tuple[str, ...]
    is_number: tuple[bool, ...]
    text_choices: bool


class ChoiceKey(NamedTuple):
    """How the answers of a file name their choices. ``first`` is the number of the first choice."""

    way: Way = "texts"
    first: int = 0

    @property
    def sentence(self) -> str:
        """What people should know of it."""
        counted = f" {self.first}" if self.way == "numbers" else ""
        return f"the answers hold {_WORDS[self.way]}{counted}"

    def resolve(self, place: Place, marked: Marked) -> tuple[str, ...]:
        """Return the texts of the right choices.

        Raises
        ------
        DataError
            For an answer that names none of them in the way of the file.
        """
        found = [
            self.choice(marked, answer, is_number)
            for answer, is_number in zip(marked.answers, marked.is_number, strict=True)
        ]
        for answer, choice in zip(marked.answers, found, strict=True):
            if choice is None:
                raise self._refused(place, answer, marked.choices)
        return tuple(choice for choice in found if choice is not None)

    def choice(self, marked: Marked, answer: str, is_number: bool) -> str | None:  # noqa: FBT001 - a fact of ``answer``
        """Return the choice that an answer names; None if it names none."""
        if self.way == "texts":
            return answer if answer in marked.choices and not (is_number and marked.text_choices) else None
        if self.way == "letters":
            return lettered(marked.choices, answer)
        number = _number(answer)
        return None if number is None else _at(marked.choices, number - self.first)

    def _refused(self, place: Place, answer: str, choices: Sequence[str]) -> DataError:
        other = 1 - self.first
        counted = f"if they count from {other}, write `first_choice: {other}` in the section of the data set; "
        return place.error(
            f"the answer {shown(answer)} is not one of the {len(choices)} choices; in this file {self.sentence}",
            hint=f"{counted if self.way == 'numbers' else ''}give every answer as the text, or every answer as the "
            f"letter of its choice; {_SEE}",
        )


def choice_key(
    rows: Iterable[tuple[Place, Marked]], *, is_sheet: bool = False, first_choice: int | None = None
) -> ChoiceKey:
    """Return how the answers of a file name their choices, from all of its rows that have both. Memory is O(1).

    Parameters
    ----------
    rows : iterable of (Place, Marked)
    is_sheet : bool
        Whether a number is how a sheet writes any digits, and need not be an index.
    first_choice : {0, 1}, optional
        What the configuration says to be the number of the first choice; the answers are then numbers.

    Raises
    ------
    DataError
        If the answers are numbers, and may count from 0 or from 1.
    """
    if first_choice is not None:
        return ChoiceKey("numbers", first_choice)
    seen = _Seen()
    for place, marked in rows:
        for answer, is_number in zip(marked.answers, marked.is_number, strict=True):
            seen.add(place, marked, answer, is_number=is_number, is_index=is_number and not is_sheet)
    way = seen.way
    return ChoiceKey(way, seen.first() if way == "numbers" else 0)


@dataclass(slots=True)
class _Seen:
    """What the answers of a file have shown so far. ``place`` is that of the first."""

    place: Place | None = None
    total: int = 0
    fits: Counter[Way] = field(default_factory=Counter)
    indices: int = 0
    zeros: int = 0
    lasts: int = 0

    def add(self, place: Place, marked: Marked, answer: str, *, is_number: bool, is_index: bool) -> None:
        """Take in an answer."""
        self.place = self.place or place
        self.total += 1
        self.indices += is_index
        at, last = _number(answer), len(marked.choices)
        self.zeros += at == 0
        self.lasts += at == last
        self.fits["texts"] += ChoiceKey("texts").choice(marked, answer, is_number) is not None
        self.fits["letters"] += ChoiceKey("letters").choice(marked, answer, is_number) is not None
        self.fits["numbers"] += at is not None and 0 <= at <= last

    @property
    def way(self) -> Way:
        """The way that fits every answer, or else most."""
        return max(_WORDS, key=lambda way: (self.fits[way] == self.total, self.fits[way]))

    def first(self) -> int:
        """Return the number of the first choice, where the answers are numbers.

        Raises
        ------
        DataError
            If it may be 0 or 1.
        """
        if self.indices == self.total or self.zeros or self.place is None:
            return 0
        if self.lasts:
            return 1
        raise self.place.error(
            "the answers are numbers of choices, which may count from 0 or from 1: no answer in the file is 0 or "
            "the number of its choices",
            hint=f"write `first_choice: 0` or `first_choice: 1` in the section of the data set; {_SEE}",
        )


def lettered(choices: Sequence[str], answer: str) -> str | None:
    """Return the choice whose letter an answer is, as in ``B``, ``b``, ``(B)``, ``B.``; None if it is not one."""
    found = _LETTER.fullmatch(answer.strip())
    return None if found is None else _at(choices, LETTERS.index(found[1].upper()))


def _at(choices: Sequence[str], index: int) -> str | None:
    return choices[index] if 0 <= index < len(choices) else None


def _number(answer: str) -> int | None:
    text = answer.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else None
