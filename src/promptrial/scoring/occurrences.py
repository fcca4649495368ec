"""Whether an accepted answer is in an answer, or at its start: what ``includes`` and ``starts_with`` share."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from promptrial.scoring.base import AcceptedAnswers, Gold, PreparedAnswer, accepted_answers
from promptrial.scoring.characters import has_unspaced, split_unspaced
from promptrial.scoring.contract import Scorer
from promptrial.scoring.normalize import EvaluationRules
from promptrial.scoring.support import claim_words
from promptrial.scoring.whole_numbers import SIGNS, apart, is_sign, other_reading, with_whole_numbers

__all__ = ["GoldInAnswer"]


@dataclass(frozen=True)
class GoldInAnswer(Scorer):
    """A scorer that looks for accepted answers in an answer.

    Attributes
    ----------
    words : bool
        Whether an accepted answer counts only as whole words ("Berlin", but not in "Berliner").
    normalize : bool
        Whether both are compared as the rules of the data set normalise them. Otherwise they are compared as they are,
        white space aside.
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
        """1 if an accepted answer is found; an abstention scores as for exact match.

        Accepted answers that are normalised to nothing ("+", the grade "A") are looked for as they are written. Numbers
        are found only if they are equal, also where the rules make one of "1.5" and "15"; those that can be read in two
        ways are found in both.
        """
        if answer.abstained:
            return float(gold.item.is_unanswerable)
        if self.normalize and gold.wordless and any(self._is_written(each, answer) for each in gold.wordless):
            return 1.0
        finds = self._finds if self.normalize else self._finds_written
        found = any(finds(gold, *reading) for reading in _readings(gold, answer))
        return float(found or (self.normalize and _are_the_same(gold, answer)))

    def _finds(self, gold: Gold, answers: tuple[str, ...], answer: PreparedAnswer) -> bool:
        texts, accepted, answer = _with_whole_numbers(gold, answers, answer)
        if answer.normalized in accepted.normalized and (answer.normalized or gold.item.is_unanswerable):
            return True
        return self._has_words(texts, accepted, answer) if self.words else self._has_text(accepted, answer)

    def _finds_written(self, _gold: Gold, answers: tuple[str, ...], answer: PreparedAnswer) -> bool:
        text = apart(answer.text) if self.words else answer.text
        wanted = map(apart, answers) if self.words else answers
        return any(self._stands(_folded(each, case=self.case), text, case=self.case) for each in wanted)

    def _has_words(self, texts: tuple[str, ...], accepted: AcceptedAnswers, answer: PreparedAnswer) -> bool:
        """Look for the words of the rules, then for those that are parted at all punctuation."""
        if _any_in(accepted.tokens, split_unspaced(answer.tokens), at_start=self.at_start):
            return True
        return _any_in(map(_words, texts), claim_words(answer.text), at_start=self.at_start)

    def _has_text(self, accepted: AcceptedAnswers, answer: PreparedAnswer) -> bool:
        texts = [text for text in accepted.normalized if text]
        return any(answer.normalized.startswith(text) if self.at_start else text in answer.normalized for text in texts)

    def _is_written(self, wanted: str, answer: PreparedAnswer) -> bool:
        """Whether an accepted answer that is normalised to nothing is the answer, or is in it in the same case."""
        same = _folded(wanted, case=False) == _folded(answer.text, case=False)
        return same or self._stands(_folded(wanted, case=True), answer.text, case=True)

    def _stands(self, wanted: str, text: str, *, case: bool) -> bool:
        text = _folded(text, case=case)
        starts = [0] if self.at_start and text.startswith(wanted) else [] if self.at_start else _places(wanted, text)
        return bool(wanted) and any(not self.words or _stands_apart(text, start, wanted) for start in starts)


def _readings(gold: Gold, answer: PreparedAnswer) -> Iterator[tuple[tuple[str, ...], PreparedAnswer]]:
    """Yield the accepted answers and the answer as they are, then with numbers read in the other way, if they have one.

    Answers are only read in the other way if they can be wrong about a number: if one of the accepted ones has a digit.
    """
    answers = gold.item.answers
    yield answers, answer
    others = _other_readings(answers)
    if others is not None:
        text = other_reading(answer.text)
        if text != answer.text or others != answers:
            yield others, _prepared(text, gold.rules, answer)


def _are_the_same(gold: Gold, answer: PreparedAnswer) -> bool:
    """Tell whether exact match accepts an answer that has the same numbers if all commas separate: "1,2" for "1, 2"."""
    if not answer.normalized or answer.normalized not in gold.accepted.normalized:
        return False
    wanted = {_listed(each, gold.rules) for each in gold.item.answers}
    return _listed(answer.text, gold.rules) in wanted


def _listed(text: str, rules: EvaluationRules) -> str:
    return rules.normalize(with_whole_numbers(text.replace(",", ", ")))


@lru_cache(maxsize=4096)
def _other_readings(answers: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return accepted answers with numbers read in the other way; None if none of them has a digit."""
    has_digit = any(character.isdigit() for each in answers for character in each)
    return tuple(map(other_reading, answers)) if has_digit else None


def _with_whole_numbers(
    gold: Gold, answers: tuple[str, ...], answer: PreparedAnswer
) -> tuple[tuple[str, ...], AcceptedAnswers, PreparedAnswer]:
    """Return the accepted answers and the answer with each number as one word: mostly as they are."""
    texts, rules = _texts(answers), gold.rules
    accepted = gold.accepted if texts == gold.item.answers else _accepted(texts, rules)
    return texts, accepted, _prepared(with_whole_numbers(answer.text), rules, answer)


def _prepared(text: str, rules: EvaluationRules, answer: PreparedAnswer) -> PreparedAnswer:
    if text is answer.text:
        return answer
    words = rules.words(text)
    return PreparedAnswer(False, " ".join(words), rules.split(words), text, answer.response)


@lru_cache(maxsize=4096)
def _texts(answers: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(with_whole_numbers, answers))


@lru_cache(maxsize=4096)
def _accepted(texts: tuple[str, ...], rules: EvaluationRules) -> AcceptedAnswers:
    return accepted_answers(texts, rules)


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
    if _joined(text[start - 1 : start], wanted[:1]) or _joined(wanted[-1:], text[end : end + 1]):
        return False
    return not (_begins_in_number(text, start) or _ends_in_number(text, end))


def _joined(before: str, after: str) -> bool:
    """Tell whether two neighbouring characters are of one word; characters of scripts without spaces never are."""
    return bool(before and after) and all(
        unicodedata.category(each)[0] in "LMN" and not has_unspaced(each) for each in (before, after)
    )


def _begins_in_number(text: str, start: int) -> bool:
    """Tell whether a place of a text is within a number: after its sign, or after a mark between its digits."""
    if not start or not text[start : start + 1].isdigit():
        return False
    before = text[start - 1]
    return (before in ".," and text[start - 2 : start - 1].isdigit()) or (before in SIGNS and is_sign(text, start - 1))


def _ends_in_number(text: str, end: int) -> bool:
    """Tell whether a place of a text is in front of a mark between the digits of a number."""
    return text[end - 1 : end].isdigit() and text[end : end + 1] in {".", ","} and text[end + 1 : end + 2].isdigit()
