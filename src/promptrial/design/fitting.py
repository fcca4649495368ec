"""What kind golds and items are of (short, long, numbers), and which scorers, endpoint and length fit them. Pure.

Used where the configuration says nothing of scorers and states no format of a question file (``engine.resolving``).
The rules are ``scoring.fitting_rules``.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from promptrial.config.datasets import RulesName
from promptrial.model import Item
from promptrial.registry import DEFAULT_PACK
from promptrial.scoring.fitting_rules import (
    GOLD_RULES,
    IN_ANY_TEXT,
    ITEM_RULES,
    LEAST_SHARE,
    TRUTH_WORDS,
    FittingRule,
)
from promptrial.scoring.numbers import DecimalMark, whole_number

__all__ = ["Fitted", "Survey", "fitted", "survey"]

_MOST_WORDS: Final = 8
_MOST_CHARACTERS: Final = 80
"""A gold of at most so many words and characters is short; scripts without spaces are counted in characters alone."""
_COLUMNS: Final = {kind: column for column, kind in DEFAULT_PACK.items()}
"""What the columns of the default pack's types are called."""
_DECIMAL_MARKS: Final[tuple[DecimalMark, DecimalMark]] = (".", ",")
_SHOWN: Final = 100
"""How many characters of a gold may be a number, and of a worked one are looked at for it."""
_STATED: Final = re.compile(
    r"(?:####|=|:|\bis\b|\bare\b)[\s*_(\\]{0,9}(?P<number>[-+\u2212$€£¥]{0,3}[0-9.][0-9.,'_/\u00a0\u202f]*)"
    r"\W{0,3}(?:%|percent|[^\W\d]\w{0,11})?\W{0,3}$"
)
"""The number at the end of a worked answer, after what states it, with a unit or without."""
_MARKED: Final = re.compile(r"####\s*\S")
"""What precedes the number of a worked answer, however short that is, and never in a short answer."""
_ALSO_SHORT: Final = ("number", "yes_no")
"""Kinds of short answers that have a better measure than those of any short answer."""
_AROUND: Final = " \t\r\n.!\"'\u201c\u201d\u201e\u3002\uff01"
_AROUND_LETTERS: Final = f"{_AROUND}()[]*:"
_ABOUT_LETTERS: Final = (
    "the rules `letters` compare the answer A as it is written; others take it for an article",
    "if the letters are those of choices, give the questions `choices`: `choice` reads any form of answer",
)
_Mark = Literal[".", ",", "either", "unclear"]
"""Which decimal mark a number has: one of both, either where that makes no difference or thousands are parted in the
usual way ("1,234"), or unclear ("1.234")."""


@dataclass(frozen=True, slots=True)
class Survey:
    """How many questions there are, and how many of each kind of ``GOLD_RULES`` and ``ITEM_RULES``.

    ``marks`` counts the accepted numbers by their decimal marks: ``.``, ``,``, ``either`` and ``unclear``.
    """

    items: int = 0
    kinds: Mapping[str, int] = field(default_factory=dict)
    marks: Mapping[str, int] = field(default_factory=dict)

    @property
    def decimal(self) -> DecimalMark | None:
        """The decimal mark of the accepted numbers; None if they have both, or it is not clear."""
        known = [mark for mark in _DECIMAL_MARKS if self.marks.get(mark)]
        if len(known) == 1:
            return known[0]
        return None if known or self.marks.get("unclear") else "."


@dataclass(frozen=True, slots=True)
class Fitted:
    """What fits: columns of scorers in order, the primary endpoint, and sentences that say why.

    ``max_new_tokens`` is None where the default fits. ``skips`` tells whether a scorer has to skip questions that lack
    what it needs, because a large share of them does. ``decimal`` is the decimal mark of the accepted numbers.
    ``rules`` are those that data sets without an official evaluation need, None for the usual ones.
    """

    scorers: tuple[str, ...]
    primary: str
    max_new_tokens: int | None
    sentences: tuple[str, ...]
    skips: bool = False
    decimal: DecimalMark = "."
    rules: RulesName | None = None


def survey(items: Iterable[Item]) -> Survey:
    """Count the questions of each kind.

    Parameters
    ----------
    items : iterable of Item

    Returns
    -------
    Survey
        An unanswerable question counts as such alone: it has no gold that a scorer could look for.
    """
    kinds, marks = Counter[str](), Counter[str]()
    total = 0
    for item in items:
        total += 1
        if item.is_unanswerable:
            kinds["unanswerable"] += 1
        else:
            kind, found = _gold_kind(item)
            kinds[kind] += 1
            marks.update(found)
        if item.context is not None:
            kinds["passage"] += 1
    return Survey(total, dict(kinds), dict(marks))


def _gold_kind(item: Item) -> tuple[str, list[_Mark]]:
    """Return the kind of the accepted answers, and the decimal marks of those that are, or state, a number."""
    if not item.answers:
        return "no_gold", []
    if item.choices:
        return "choices", []
    marks = [mark for answer in item.answers if len(answer) <= _SHOWN and (mark := _mark(answer))]
    if len(marks) == len(item.answers):
        return "number", marks
    for kind, is_of_kind in (("yes_no", _is_truth_value), ("letter", _is_letter)):
        if all(map(is_of_kind, item.answers)):
            return kind, []
    if any(map(_is_short, item.answers)) and not all(_MARKED.search(_last_line(each)) for each in item.answers):
        return "short", []
    stated = [mark for answer in item.answers if (mark := _stated_mark(answer))]
    return ("worked", stated) if len(stated) == len(item.answers) else ("long", [])


def _is_short(answer: str) -> bool:
    return len(answer.split()) <= _MOST_WORDS and len(answer) <= _MOST_CHARACTERS


def _is_truth_value(answer: str) -> bool:
    return unicodedata.normalize("NFC", answer.strip(_AROUND)).casefold() in TRUTH_WORDS


def _is_letter(answer: str) -> bool:
    letter = answer.strip(_AROUND_LETTERS)
    return len(letter) == 1 and letter.isalpha()


def _last_line(answer: str) -> str:
    return answer.strip().rpartition("\n")[2][-_SHOWN:]


def _mark(text: str) -> _Mark | None:
    """Return the decimal mark of a text that is a number, as the scorer ``numeric`` reads it; None if it is not one."""
    point, comma = (whole_number(text, mark) for mark in _DECIMAL_MARKS)
    if point is None or comma is None:
        return None if point is comma else "," if point is None else "."
    return "either" if point == comma or "." not in text else "unclear"


def _stated_mark(answer: str) -> _Mark | None:
    """Return the decimal mark of the number that the last line of a worked answer states; None if it states none."""
    found = _STATED.search(_last_line(answer))
    return None if found is None else _mark(found["number"].rstrip(".,'_/"))


def fitted(found: Survey, first: Sequence[str] = ()) -> Fitted:
    """Return the scorers that fit the questions.

    Parameters
    ----------
    found : Survey
    first : sequence of str
        Types of scorers that the format of the questions asks for; they come before those that fit.

    Returns
    -------
    Fitted
        Its primary endpoint is the first scorer of the most common kind of gold; among equally common kinds the one
        that is first in ``GOLD_RULES`` counts. Questions that are all unanswerable have `abstain_rate`.
    """
    golds = _golds(found, first)
    total = sum(golds.values())
    brief = sum(golds[kind] for kind in ("short", *_ALSO_SHORT))
    for kind in _ALSO_SHORT:
        if brief - golds[kind] >= LEAST_SHARE * brief > 0:
            golds["short"] += golds[kind]  # a measure of short answers fits all of them
    least = min(max(golds.values()), LEAST_SHARE * total)
    held = [rule for rule in GOLD_RULES if golds[rule.kind] and golds[rule.kind] >= least]
    held.sort(key=lambda rule: -golds[rule.kind])
    has_letters = any(rule.kind == "letter" for rule in held)
    if has_letters:
        held = [replace(rule, scorers=tuple(name for name in rule.scorers if name != IN_ANY_TEXT)) for rule in held]
    rules = [*held, *(rule for rule in ITEM_RULES if found.kinds.get(rule.kind))]
    asked_for = [_COLUMNS.get(name, name) for name in first]
    scorers = tuple(dict.fromkeys([*asked_for, *(name for rule in rules for name in rule.scorers)]))
    lacking = {"choices", "no_gold"} & {rule.kind for rule in held}
    others = len(held) > 1 or ("choices" in lacking and found.kinds.get("unanswerable", 0) > 0)
    limits = [rule.max_new_tokens for rule in held if rule.max_new_tokens is not None]
    return Fitted(
        scorers,
        scorers[0],
        max(limits, default=None),
        (
            *_formats(asked_for),
            *(_sentence(rule, {**found.kinds, **golds}[rule.kind], found.items) for rule in rules),
            *(_ABOUT_LETTERS if has_letters else ()),
            *_about_marks(found),
        ),
        bool(lacking) and others,
        found.decimal or ".",
        "letters" if has_letters else None,
    )


def _golds(found: Survey, first: Sequence[str]) -> dict[str, int]:
    """Return how many golds there are of each kind.

    Numbers that can be read in two ways are texts, except where the format asks for a measure of numbers.
    """
    golds = {rule.kind: found.kinds.get(rule.kind, 0) for rule in GOLD_RULES}
    if found.decimal is None and "numeric" not in first:
        for numbers, texts in (("number", "short"), ("worked", "long")):
            golds[texts] += golds.pop(numbers)
            golds[numbers] = 0
    return golds


def _about_marks(found: Survey) -> Iterator[str]:
    if found.decimal is None:
        yield "accepted numbers can be read in two ways (1.5 or 1,5); for `numeric`, set its `decimal`"
    elif found.decimal == ",":
        yield "the decimal mark of the accepted numbers is a comma"


def _formats(names: Sequence[str]) -> list[str]:
    return [f"the format asks for {', '.join(dict.fromkeys(names))}"] if names else []


def _sentence(rule: FittingRule, n: int, total: int) -> str:
    return f"{', '.join(rule.scorers)} ({n:,} of {total:,} questions {'has' if n == 1 else 'have'} {rule.held})"
