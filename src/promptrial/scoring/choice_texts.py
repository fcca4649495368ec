"""The choices of a question by their texts: which one a text is, and which ones are in it. Pure.

Texts are compared by their words, with each number as one. Where choices differ only in what is not a word (a sign, an
operator, a symbol, case), they are compared as they are written, white space aside, and case where that is enough.
"""

# ruff: noqa: RUF001 - dashes and quotes of every kind

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from promptrial.model.templates import LETTERS
from promptrial.scoring.support import claim_words
from promptrial.scoring.whole_numbers import SIGNS, with_equal_numbers

__all__ = ["MARKS", "Choices", "bare", "choices_of", "named", "plain"]

MARKS: Final = " \t\r\n*_`~\"'“”‘’«».:,;!。．：，"
"""What may be around the text of a choice. A dollar sign is a mark of TeX or a part of the text."""
_DENIALS: Final = ("not be", "cannot be", "not", "isn t", "wasn t", "neither", "nor", "rather than", "instead of")
"""What denies the text of a choice that is right after it; articles, and what separates words, are left out."""
_DENIED_BEFORE: Final = re.compile(
    r"(?:\b(?:not|cannot|neither|nor|rather than|instead of)|n['’]t)\s(?:(?:be|the|an?)\s)?\Z", re.IGNORECASE
)
_LONGEST_DENIAL: Final = 30
_MOST_AROUND: Final = 12
"""How many marks and spaces a text may have that is a choice as it is written."""
_ESCAPED: Final = re.compile(r"\\(?:([%$])|,)")
_TEX: Final = re.compile(r"(?<![\\$])(\$\$?)(?![\s$])((?:\\.|[^$\\\n]){0,500}(?:\\\S|[^$\\\s]))\1(?![\d$])")
_PIECE: Final = re.compile(r"\w+|[^\w\s]")
_DASHES: Final = str.maketrans(dict.fromkeys(SIGNS, "-"))
_STARTS: Final = r"(?<![\w^€£¥+-])(?<![0-9][.,])"
_ENDS: Final = r"(?![\w%^°])(?!\\(?!text|math|q?quad)[A-Za-z])(?![.,][0-9])(?!\s?[-+*/=<>^]\s?(?:[0-9(]|[a-z]\b))"


class Choices(NamedTuple):
    """The choices of a question: their number, the words of each, and what they are where words do not decide.

    ``written`` has the place of each text as it is written, ``folded`` of each without white space and case if no other
    is like it; ``longest`` is the length of the longest. ``alike`` holds the choices whose words another one has too;
    only if there are any, ``patterns`` finds each choice in a text, the longest first.
    """

    size: int
    words: tuple[tuple[str, ...], ...]
    written: Mapping[str, int]
    folded: Mapping[str, int]
    longest: int
    alike: frozenset[int]
    patterns: tuple[tuple[int, re.Pattern[str]], ...]

    def letter(self, letter: str) -> int | None:
        """Return which choice a letter stands for; None if there is none."""
        place = LETTERS.find(letter.upper())
        return place if 0 <= place < self.size else None

    def text(self, text: str) -> set[int] | None:
        """Return the choice that a text is, marks around it aside; empty if it may be several, None if it is none."""
        found = self.as_written(text)
        if found:
            return found
        words = tuple(words_of(bare(text, f"{MARKS}$", "#>")))
        place = self.words.index(words) if words and words in self.words else None
        return None if place is None else {place} - self.alike

    def as_written(self, text: str) -> set[int]:
        """Return the choice that is written as a text is, marks around it aside."""
        text = _written(text)
        if len(text) > self.longest + _MOST_AROUND:
            return set()
        for each in (text, text.rstrip(MARKS), bare(text, MARKS), bare(text, f"{MARKS}$")):
            place = self.written.get(each, self.folded.get(_folded(each)))
            if place is not None:
                return {place}
        return set()


@lru_cache(maxsize=8192)
def choices_of(texts: tuple[str, ...]) -> Choices:
    """Return the choices of a question."""
    texts = tuple(map(plain, texts))
    words = tuple(tuple(words_of(text)) for text in texts)
    written = {each: place for place, each in reversed([*enumerate(map(_written, texts))]) if each}
    folds = Counter(map(_folded, written))
    folded = {_folded(each): place for each, place in written.items() if folds[_folded(each)] == 1}
    forms: dict[tuple[str, ...], set[str]] = {}
    for each, text in zip(words, texts, strict=True):
        forms.setdefault(each, set()).add(_written(text))
    alike = frozenset(place for place, each in enumerate(words) if len(forms[each]) > 1)
    longest_first = sorted(written.items(), key=lambda pair: -len(pair[0])) if alike else []
    patterns = tuple((place, _pattern(each, has_case=folds[_folded(each)] > 1)) for each, place in longest_first)
    longest = max(map(len, written), default=0)
    return Choices(len(texts), words, written, folded, longest, alike, patterns)


def named(text: str, known: Choices) -> set[int]:
    """Return the choices whose texts are in a text as whole words, and are not denied; the longest first."""
    if known.alike and (found := _named_as_written(text, known)):
        return found
    words = f" {' '.join(words_of(text))} "
    found = set()
    for place in sorted(range(known.size), key=lambda place: -len(known.words[place])):
        sought = f" {' '.join(known.words[place])} "
        if not known.words[place] or place in known.alike:
            continue
        for denial in _DENIALS:
            words = words.replace(f" {denial}{sought}", " | ")
        if sought in words:
            found.add(place)
            words = words.replace(sought, " | ")
    return found


def _named_as_written(text: str, known: Choices) -> set[int]:
    text, found = text.translate(_DASHES), set()
    for place, pattern in known.patterns:
        places = [match.start() for match in pattern.finditer(text)]
        if any(not _DENIED_BEFORE.search(text[max(0, each - _LONGEST_DENIAL) : each]) for each in places):
            found.add(place)
        text = pattern.sub(" | ", text) if places else text
    return found


def bare(text: str, marks: str, first: str = "") -> str:
    """Return a text without marks around it, or others before it; a point right before a digit is a decimal point."""
    left = text.lstrip(marks + first)
    before = text[: len(text) - len(left)]
    if left[:1].isdigit() and before.endswith(".") and not before.endswith(".."):
        left = f".{left}"
    return left.rstrip(marks)


def plain(text: str) -> str:
    r"""Return a text without the marks of TeX: ``$10\%$`` is 10%, ``\$10`` is $10.

    As in Pandoc, no space is after the first dollar sign, or before the last, and no digit after the last: "$5 or
    $10" has two amounts.
    """
    text = _TEX.sub(lambda match: match[2], text) if "$" in text else text
    return _ESCAPED.sub(lambda match: match[1] or " ", text) if "\\" in text else text


def words_of(text: str) -> Sequence[str]:
    """Return the words of a text; of one that has articles alone, such as "A", or signs alone, that text."""
    return claim_words(with_equal_numbers(text)) or text.casefold().split()


def _written(text: str) -> str:
    return " ".join((text if text.isascii() else text.translate(_DASHES)).split())


def _folded(written: str) -> str:
    return written.replace(" ", "").casefold()


def _pattern(written: str, *, has_case: bool) -> re.Pattern[str]:
    """Return the pattern of a text as it is written, with or without spaces where that makes no other words."""
    pieces = _PIECE.findall(written)
    between = [r"\s+" if one[-1].isalnum() and other[0].isalnum() else r"\s*" for one, other in pairwise(pieces)]
    body = "".join(f"{re.escape(piece)}{space}" for piece, space in zip(pieces, [*between, ""], strict=True))
    return re.compile(rf"{_STARTS}(?<!\$){body}{_ENDS}", 0 if has_case else re.IGNORECASE)
