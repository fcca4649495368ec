"""Where a claim is in a passage: verbatim, or by its words. In every script, whatever is inside words.

These are not the words of an official evaluation: those make ``anglonorman`` of *Anglo-Norman* and one word of a whole
Chinese sentence, and then find neither *Norman* nor a name in it.
"""

# ruff: noqa: RUF001 - apostrophes and dashes of every kind

from __future__ import annotations

import re
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Final, NamedTuple

from promptrial.scoring.characters import NUL, split_unspaced

__all__ = ["Claim", "Passage", "Passages", "claim_of", "claim_words", "claims_of", "has_share"]

_SAME: Final = str.maketrans(dict.fromkeys("’‘ʼ′`´＇", "'") | dict.fromkeys("‐‑‒–—−", "-") | dict.fromkeys("“”„", '"'))


class _Table(dict[int, str]):
    """A table for ``str.translate`` that works out each character once."""

    def __init__(self, of: Callable[[str], str], known: Mapping[int, str]) -> None:
        super().__init__(known)
        self._of = of

    def __missing__(self, code: int) -> str:
        found = self[code] = self._of(chr(code))
        return found


# Quotes and dashes of every kind as one, and nothing that cannot be seen.
_SEEN: Final = _Table(lambda character: "" if unicodedata.category(character) == "Cf" else character, _SAME)
# Letters, marks and digits, and a space for anything else.
_PARTED: Final = _Table(lambda character: character if unicodedata.category(character)[0] in "LMN" else " ", {})
_ASCII_PARTED: Final = bytes(code if chr(code).isalnum() or chr(code) == NUL else 0x20 for code in range(128)) + bytes(
    range(128, 256)
)
_POSSESSIVE: Final = re.compile(r"'s\b")
_IN_NUMBER: Final = re.compile(r"[.,](?<=\d[.,])(?=\d)")  # begins with what is rare, and so skips quickly
_ARTICLES: Final = frozenset({"a", "an", "the"})
_ALPHABETS: Final = (
    (0x41, 0x58F),
    (0x10A0, 0x10FF),
    (0x1C80, 0x1CBF),
    (0x1E00, 0x1FFF),
    (0x2C60, 0x2D2F),
    (0xA640, 0xA7FF),
)
"""Latin, Greek, Cyrillic, Armenian, Georgian: scripts in which a word ends where its letters end. Elsewhere there are
no spaces (Chinese), or particles and articles are written as one with the word (Korean, Arabic)."""


class Passage:
    """A passage to look for claims in."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._made: dict[Callable[[str], str], str] = {}

    @cached_property
    def form(self) -> str:
        """The passage as spans are looked for in it."""
        return _form(self._text)

    @cached_property
    def words(self) -> str:
        """The words of the passage, a space on either side of each: one text, which takes a tenth of a set's memory."""
        return f" {' '.join(_words_of(self.form))} "

    @cached_property
    def parted(self) -> str:
        """The same with articles left in it, and more than one space between: a word is found in both or in neither."""
        return f" {_ascii_parted(self.form)} ".replace(NUL, " ") if self.form.isascii() else self.words

    def made(self, make: Callable[[str], str]) -> str:
        """Return what a function makes of the text, which is made once."""
        found = self._made.get(make)
        if found is None:
            found = self._made[make] = make(self._text)
        return found

    def holds(self, span: str) -> bool:
        """Tell whether a span is in the passage as it is, except for casing, white space and quotes around it.

        It must not begin or end within a number, and a single word of an alphabet not within a word.

        Examples
        --------
        >>> passage = Passage("Queen Victoria's Anglo-Norman heirs, 1,500 in all.")
        >>> [passage.holds(span) for span in ("Victoria", "Norman", "500", "Norm", "1,500 in all")]
        [True, True, False, False, True]
        """
        return self.holds_form(_form(span))

    def holds_form(self, form: str) -> bool:
        """Tell the same of the form of a span."""
        form = _trimmed(form)
        return bool(form) and any(_stands_apart(self.form, start, form) for start in _places(form, self.form))

    def has_share(self, words: list[str], least: float) -> bool:
        """Tell whether at least a share of the words is in the passage; see ``has_share``."""
        return has_share(words, self.parted, least)

    def in_order(self, words: list[str]) -> bool:
        """Tell whether the words are in the passage one after another (true of no words)."""
        return not words or f" {' '.join(words)} " in self.words


class Passages:
    """Passages by their texts, each prepared once for all questions about it, in whatever order these come.

    Parameters
    ----------
    most_characters : int
        How long the texts of those that are kept may be together; those that were asked for longest ago go first. Each
        takes about four times the memory of its text.
    """

    def __init__(self, most_characters: int) -> None:
        self._most = most_characters
        self._characters = 0
        self._kept: OrderedDict[str, Passage] = OrderedDict()

    def of(self, text: str) -> Passage:
        """Return the passage of a text."""
        found = self._kept.get(text)
        if found is not None:
            self._kept.move_to_end(text)
            return found
        self._characters += len(text)
        while self._kept and self._characters > self._most:
            self._characters -= len(self._kept.popitem(last=False)[0])
        found = self._kept[text] = Passage(text)
        return found

    def forget(self) -> None:
        """Keep none from now on."""
        self._kept.clear()
        self._characters = 0


def has_share(words: list[str], text: str, least: float) -> bool:
    """Tell whether at least a share of some words is in a text, a space on either side of each; true of no words.

    It looks for no more words than it takes to tell.

    Examples
    --------
    >>> has_share(["duke", "rollo", "norway"], " rollo became duke ", 0.6), has_share(["duke", "king"], " duke ", 0.6)
    (True, False)
    """
    may_be_missing = _most_missing(len(words), least)
    for word in words:
        if f" {word} " not in text:
            if not may_be_missing:
                return False
            may_be_missing -= 1
    return True


@lru_cache(maxsize=1024)
def _most_missing(n: int, least: float) -> int:
    """Return how many of ``n`` words may be missing where a share of them has to be there."""
    return next((missing for missing in range(n, 0, -1) if (n - missing) / n >= least), 0)


def claim_words(text: str) -> list[str]:
    """Return the words of a text: parted by spaces and by all punctuation, characters where the script has no spaces.

    A possessive and an article are no words; a number keeps together.

    Examples
    --------
    >>> claim_words("The Anglo-Norman king's 1,500 men")
    ['anglo', 'norman', 'king', '1500', 'men']
    """
    return _words_of(_form(text))


class Claim(NamedTuple):
    """A text as it is looked for in a passage: its form, and its words."""

    form: str
    words: list[str]


def claim_of(text: str) -> Claim:
    """Return a text as it is looked for in a passage."""
    form = _form(text)
    return Claim(form, _words_of(form))


def claims_of(texts: Sequence[str]) -> list[Claim]:
    """Return texts as they are looked for in passages; those of ASCII are parted as one, by NUL, which is faster."""
    joined = NUL.join(texts)
    if not joined.isascii() or joined.count(NUL) >= max(len(texts), 1):
        return [claim_of(text) for text in texts]
    forms = [" ".join(form.split()) for form in _lowered(joined).split(NUL)] if texts else []
    parted = _ascii_parted(NUL.join(forms)).split(NUL)
    return [Claim(form, _without_articles(words.split())) for form, words in zip(forms, parted, strict=False)]


def _words_of(form: str) -> list[str]:
    return _ascii_words(form) if form.isascii() else _words(form)


def _words(form: str) -> list[str]:
    form = _IN_NUMBER.sub("", _POSSESSIVE.sub("", form))
    return [word for word in split_unspaced(form.translate(_PARTED).split()) if word not in _ARTICLES]


def _ascii_words(form: str) -> list[str]:
    """Return what ``_words`` does of a form of ASCII alone, several times as fast."""
    return _without_articles(_ascii_parted(form).replace(NUL, " ").split())


def _ascii_parted(form: str) -> str:
    """Return a form, or several parted by NUL, with a space for all that is no part of a word."""
    if "'s" in form:
        form = _POSSESSIVE.sub("", form)
    return _IN_NUMBER.sub("", form).encode().translate(_ASCII_PARTED).decode()


def _without_articles(words: list[str]) -> list[str]:
    return words if _ARTICLES.isdisjoint(words) else [word for word in words if word not in _ARTICLES]


def _form(text: str) -> str:
    return " ".join(_lowered(text).split()) if text.isascii() else _form_of_any(text)


def _lowered(text: str) -> str:
    return text.lower().replace("`", "'")


def _form_of_any(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().translate(_SEEN).split())


def _trimmed(form: str) -> str:
    """Return the text without quotes, brackets and other punctuation around it."""
    start, end = 0, len(form)
    while start < end and unicodedata.category(form[start])[0] in "PZ":
        start += 1
    while start < end and unicodedata.category(form[end - 1])[0] in "PZ":
        end -= 1
    return form[start:end]


def _places(span: str, text: str) -> Iterator[int]:
    start = text.find(span)
    while start >= 0:
        yield start
        start = text.find(span, start + 1)


def _stands_apart(text: str, start: int, span: str) -> bool:
    end = start + len(span)
    one_word = " " not in span
    return not (
        _joined(text[max(0, start - 2) : start], span[:2], one_word=one_word)
        or _joined(span[-2:], text[end : end + 2], one_word=one_word)
    )


def _joined(before: str, after: str, *, one_word: bool) -> bool:
    """Tell whether the two characters before and after a border belong to one number or, if asked, to one word."""
    if not before or not after:
        return False
    left, right = before[-1], after[0]
    if left.isdigit() and right.isdigit():
        return True
    if left in ".," and before[:-1].isdigit() and right.isdigit():
        return True
    if right in ".," and left.isdigit() and after[1:].isdigit():
        return True
    return one_word and _is_alphabetic(left) and _is_alphabetic(right)


def _is_alphabetic(character: str) -> bool:
    code = ord(character)
    return character.isalpha() and any(low <= code <= high for low, high in _ALPHABETS)
