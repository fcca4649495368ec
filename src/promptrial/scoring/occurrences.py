"""Whether an accepted answer stands in an answer, or at its start: what ``includes`` and ``starts_with`` share."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from promptrial.scoring.base import Gold, PreparedAnswer
from promptrial.scoring.characters import has_unspaced, split_unspaced
from promptrial.scoring.contract import Scorer
from promptrial.scoring.support import claim_words

__all__ = ["GoldInAnswer"]


@dataclass(frozen=True)
class GoldInAnswer(Scorer):
    """A scorer that looks for accepted answers in an answer.

    Attributes
    ----------
    words : bool
        Whether an accepted answer counts only as whole words ("Berlin", but not in "Berliner").
    normalize : bool
        Whether both are compared as the rules of the data set normalise them. Otherwise they are compared as they
        stand, white space aside.
    case : bool
        Whether upper and lower case differ. Needs ``normalize: false``, since the rules fold case.

    Raises
    ------
    ValueError
        If ``case`` and ``normalize`` are both true.
    """

    at_start: ClassVar[bool]
    """Whether it must be found at the start of the answer."""

    words: bool = True
    normalize: bool = True
    case: bool = False

    def __post_init__(self) -> None:
        if self.case and self.normalize:
            raise ValueError("`case: true` needs `normalize: false`, because the rules of a data set ignore case")

    def score(self, gold: Gold, answer: PreparedAnswer) -> float:
        """1 if an accepted answer is found; an abstention scores as for exact match, and so does an equal answer.

        Accepted answers that are normalised to nothing ("+", the grade "A") are looked for as they are written.
        """
        if answer.abstained:
            return float(gold.item.is_unanswerable)
        if not self.normalize:
            return float(
                any(self._stands(_folded(each, case=self.case), answer, case=self.case) for each in gold.item.answers)
            )
        if answer.normalized in gold.accepted.normalized and (answer.normalized or gold.item.is_unanswerable):
            return 1.0
        if gold.wordless and any(self._is_written(each, answer) for each in gold.wordless):
            return 1.0
        return float(self._has_words(gold, answer) if self.words else self._has_text(gold, answer))

    def _has_words(self, gold: Gold, answer: PreparedAnswer) -> bool:
        """Look for the words of the rules, then for those that are parted at all punctuation."""
        if _any_in(gold.accepted.tokens, split_unspaced(answer.tokens), at_start=self.at_start):
            return True
        return _any_in(map(_words, gold.item.answers), claim_words(answer.text), at_start=self.at_start)

    def _has_text(self, gold: Gold, answer: PreparedAnswer) -> bool:
        texts = [text for text in gold.accepted.normalized if text]
        return any(answer.normalized.startswith(text) if self.at_start else text in answer.normalized for text in texts)

    def _is_written(self, wanted: str, answer: PreparedAnswer) -> bool:
        """Whether an accepted answer that is normalised to nothing is the answer, or stands in it in the same case."""
        same = _folded(wanted, case=False) == _folded(answer.text, case=False)
        return same or self._stands(_folded(wanted, case=True), answer, case=True)

    def _stands(self, wanted: str, answer: PreparedAnswer, *, case: bool) -> bool:
        text = _folded(answer.text, case=case)
        starts = [0] if self.at_start and text.startswith(wanted) else [] if self.at_start else _places(wanted, text)
        return bool(wanted) and any(not self.words or _stands_apart(text, start, wanted) for start in starts)


def _any_in(wanted: Iterator[list[str]] | tuple[list[str], ...], words: list[str], *, at_start: bool) -> bool:
    text = f" {' '.join(words)} "
    sought = [f" {' '.join(split_unspaced(each))} " for each in wanted if each]
    return any(text.startswith(each) if at_start else each in text for each in sought if each.strip())


@lru_cache(maxsize=4096)
def _words(text: str) -> list[str]:
    return claim_words(text)


def _folded(text: str, *, case: bool) -> str:
    text = " ".join(text.split())
    return text if case else text.casefold()


def _places(wanted: str, text: str) -> Iterator[int]:
    start = text.find(wanted)
    while start >= 0:
        yield start
        start = text.find(wanted, start + 1)


def _stands_apart(text: str, start: int, wanted: str) -> bool:
    end = start + len(wanted)
    return not (_joined(text[start - 1 : start], wanted[:1]) or _joined(wanted[-1:], text[end : end + 1]))


def _joined(before: str, after: str) -> bool:
    """Tell whether two neighbouring characters are of one word; characters of scripts without spaces never are."""
    return bool(before and after) and all(
        unicodedata.category(each)[0] in "LMN" and not has_unspaced(each) for each in (before, after)
    )
