"""Where a claim stands in a passage: verbatim, or by its words. In every script, whatever stands inside words.

These are not the words of an official evaluation: those make ``anglonorman`` of *Anglo-Norman* and one word of a whole
Chinese sentence, and then find neither *Norman* nor a name in it.
"""

# ruff: noqa: RUF001 - apostrophes and dashes of every kind

from __future__ import annotations

import re
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Final

from promptrial.scoring.characters import split_unspaced

__all__ = ["Passage", "Passages", "claim_words"]

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
_ASCII_PARTED: Final = bytes(code if chr(code).isalnum() else 0x20 for code in range(128)) + bytes(range(128, 256))
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

    @cached_property
    def form(self) -> str:
        """The passage as spans are looked for in it."""
        return _form(self._text)

    @cached_property
    def words(self) -> str:
        """The words of the passage, a space on either side of each: one text, which takes a tenth of a set's memory."""
        return f" {' '.join(_words_of(self.form))} "

    def holds(self, span: str) -> bool:
        """Tell whether a span stands in the passage as it is, but for casing, white space and quotes around it.

        It must not begin or end within a number, and a single word of an alphabet not within a word.

        Examples
        --------
        >>> passage = Passage("Queen Victoria's Anglo-Norman heirs, 1,500 in all.")
        >>> [passage.holds(span) for span in ("Victoria", "Norman", "500", "Norm", "1,500 in all")]
        [True, True, False, False, True]
        """
        form = _trimmed(_form(span))
        return bool(form) and any(_stands_apart(self.form, start, form) for start in _places(form, self.form))

    def share(self, words: list[str]) -> float:
        """Return the share of the words that are in the passage, from 0.0 to 1.0; 1.0 for no words."""
        return sum(f" {word} " in self.words for word in words) / len(words) if words else 1.0

    def in_order(self, words: list[str]) -> bool:
        """Tell whether the words stand in the passage one after another (true of no words)."""
        return not words or f" {' '.join(words)} " in self.words


class Passages:
    """Passages by their texts, each prepared once for all questions about it, in whatever order these come.

    Parameters
    ----------
    most_characters : int
        How long the texts of those that are kept may be together; those that were asked for longest ago go first. Each
        takes about three times the memory of its text.
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


def claim_words(text: str) -> list[str]:
    """Return the words of a text: parted by spaces and by all punctuation, characters where the script has no spaces.

    A possessive and an article are no words; a number keeps together.

    Examples
    --------
    >>> claim_words("The Anglo-Norman king's 1,500 men")
    ['anglo', 'norman', 'king', '1500', 'men']
    """
    return _words_of(_form(text))


def _words_of(form: str) -> list[str]:
    return _ascii_words(form) if form.isascii() else _words(form)


def _words(form: str) -> list[str]:
    form = _IN_NUMBER.sub("", _POSSESSIVE.sub("", form))
    return [word for word in split_unspaced(form.translate(_PARTED).split()) if word not in _ARTICLES]


def _ascii_words(form: str) -> list[str]:
    """Return what ``_words`` does of a form of ASCII alone, several times as fast."""
    if "'s" in form:
        form = _POSSESSIVE.sub("", form)
    parted = _IN_NUMBER.sub("", form).encode().translate(_ASCII_PARTED).decode()
    return [word for word in parted.split() if word not in _ARTICLES]


def _form(text: str) -> str:
    return " ".join(text.lower().replace("`", "'").split()) if text.isascii() else _form_of_any(text)


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
