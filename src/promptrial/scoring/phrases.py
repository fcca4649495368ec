"""The notation in which refusals are written down, and matching texts against it.

A phrase is a line of words. ``[x]`` is optional, ``(x|y)`` and ``[x|y]`` offer a choice, ``{name}`` stands for a piece
that is defined once, and ``…`` for one or more words that do not begin to answer. Nothing here knows a language.

A text is a list of words, and the places that a match may have reached in it are a set of positions, kept as the bits
of an integer. Each part of a phrase moves all positions at once, so nothing is ever tried twice: matching takes time in
proportion to the size of the phrases, whatever the text is, and phrases need no compiling beyond being read.

References
----------
Thompson (1968), "Regular expression search algorithm": simulation of all states at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final, Protocol

__all__ = ["Phrases", "Speech", "Vocabulary"]

_SIGN: Final = re.compile(r"[\[\]()|…]|\{\w+\}|[^\s\[\]()|{}…]+")


class Speech:
    """A text as a list of words (or characters), ready to be matched.

    Parameters
    ----------
    words : sequence of str
    committing : sequence of sequences of str
        Runs of words that no free stretch may enter.
    """

    def __init__(self, words: Sequence[str], committing: Sequence[Sequence[str]] = ()) -> None:
        self.words = words
        self._committing = committing
        self._places: dict[str, int] = {}
        for index, word in enumerate(words):
            self._places[word] = self._places.get(word, 0) | 1 << index
        self.matched: dict[tuple[int, int], int] = {}
        """What pieces have matched: (piece, positions) -> positions."""

    @property
    def end(self) -> int:
        """The position after the last word."""
        return 1 << len(self.words)

    def places(self, words: Iterable[str]) -> int:
        """Return the positions at which one of the words occurs."""
        found = 0
        for word in words:
            found |= self._places.get(word, 0)
        return found

    def any_of(self, words: frozenset[str]) -> int:
        """As ``places``, for many words."""
        return self.places(words & self._places.keys())

    @cached_property
    def free(self) -> int:
        """The positions whose word may be part of a free stretch."""
        blocked = 0
        for run in self._committing:
            starts = self.places(run[:1])
            for offset, word in enumerate(run[1:], 1):
                starts &= self.places((word,)) >> offset
            blocked |= starts
        return (self.end - 1) & ~blocked


class _Node(Protocol):
    """A part of a phrase. ``first`` holds the words that it may begin with; None stands for any word."""

    @property
    def first(self) -> frozenset[str] | None: ...

    @property
    def optional(self) -> bool:
        """Whether it matches no words at all."""

    def match(self, speech: Speech, at: int) -> int:
        """Return the positions after all matches that begin at one of the positions ``at``."""


class _Words:
    """Any one of some words."""

    optional = False

    def __init__(self, words: Iterable[str]) -> None:
        self.first: frozenset[str] | None = frozenset(words)
        self._words = self.first

    def match(self, speech: Speech, at: int) -> int:
        return (at & speech.any_of(self._words)) << 1

    def __or__(self, other: _Words) -> _Words:
        return _Words(self._words | other._words)


class _Free:
    """One to ``most`` words of which none begins to answer."""

    optional = False
    first: frozenset[str] | None = None

    def __init__(self, most: int) -> None:
        self._most = most

    def match(self, speech: Speech, at: int) -> int:
        found, free = 0, speech.free
        for _ in range(self._most):
            at = (at & free) << 1
            if not at:
                break
            found |= at
        return found


class _Sequence:
    """One part after another."""

    def __init__(self, parts: Sequence[_Node]) -> None:
        self._parts = parts
        self.optional = all(part.optional for part in parts)
        self.first = self._first()

    def _first(self) -> frozenset[str] | None:
        found: frozenset[str] = frozenset()
        for part in self._parts:
            if part.first is None:
                return None
            found |= part.first
            if not part.optional:
                break
        return found

    def match(self, speech: Speech, at: int) -> int:
        for part in self._parts:
            at = part.match(speech, at)
            if not at:
                break
        return at


class _Choice:
    """One of several parts, or none of them."""

    def __init__(self, parts: Iterable[_Node], *, optional: bool = False) -> None:
        self._parts = tuple(_merged(parts))
        self._may_be_left_out = optional
        self.optional = optional or any(part.optional for part in self._parts)
        firsts = [part.first for part in self._parts]
        self.first = None if None in firsts else frozenset().union(*(first for first in firsts if first is not None))

    def match(self, speech: Speech, at: int) -> int:
        found = at if self._may_be_left_out else 0
        for part in self._parts:
            found |= part.match(speech, at)
        return found


def _merged(parts: Iterable[_Node]) -> Iterator[_Node]:
    """Yield the parts, those that are single words as one."""
    words: list[_Words] = []
    for part in parts:
        if isinstance(part, _Words):
            words.append(part)
        else:
            yield part
    if words:
        yield _Words(frozenset().union(*(each.first for each in words if each.first is not None)))


class _Piece:
    """A named part, matched once for a text and a set of positions wherever phrases refer to it."""

    def __init__(self, part: _Node) -> None:
        self._part = part
        self.first, self.optional = part.first, part.optional

    def match(self, speech: Speech, at: int) -> int:
        key = (id(self), at)
        found = speech.matched.get(key)
        if found is None:
            if not self.optional and self.first is not None and not at & speech.any_of(self.first):
                found = 0
            else:
                found = self._part.match(speech, at)
            speech.matched[key] = found
        return found


class Phrases:
    """Phrases of which one has to match, found by the word that they begin with."""

    def __init__(self, phrases: Iterable[_Node]) -> None:
        self._by_word: dict[str, list[_Node]] = {}
        self._by_any: list[_Node] = []
        for phrase in phrases:
            if phrase.first is None or phrase.optional:
                self._by_any.append(phrase)
                continue
            for word in phrase.first:
                self._by_word.setdefault(word, []).append(phrase)

    def match(self, speech: Speech, at: int) -> int:
        """Return the positions after all matches that begin at one of the positions ``at``."""
        found = 0
        for phrase in self._candidates(speech, at):
            found |= phrase.match(speech, at)
        return found

    def _candidates(self, speech: Speech, at: int) -> list[_Node]:
        begins = [word for index, word in enumerate(speech.words) if at >> index & 1]
        found = {id(phrase): phrase for word in begins for phrase in self._by_word.get(word, ())}
        return [*found.values(), *self._by_any]


class Vocabulary:
    """Reads phrases of one language.

    Parameters
    ----------
    pieces : mapping of str to str
        Name -> phrase. A piece may use those before it.
    words : callable
        The words of a text in normal form (or its characters, for a script without spaces).
    most_free : int
        How many words a free stretch may have.

    Examples
    --------
    >>> vocabulary = Vocabulary({"source": "the (passage|text)"}, words=str.split)
    >>> phrases = vocabulary.phrases("{source} does not say [who …]")
    >>> def matches(text):
    ...     speech = Speech(text.split(), committing=[["but"]])
    ...     return bool(phrases.match(speech, 1) & speech.end)
    >>> matches("the text does not say who owned it"), matches("the text does not say who but Bo")
    (True, False)
    """

    def __init__(self, pieces: Mapping[str, str], words: Callable[[str], Sequence[str]], most_free: int = 25) -> None:
        self._words = words
        self._most_free = most_free
        self._pieces: dict[str, _Node] = {}
        for name, phrase in pieces.items():
            self._pieces[name] = _Piece(self._read(phrase))

    def phrases(self, text: str) -> Phrases:
        """Return the phrases of a text, one a line.

        Raises
        ------
        KeyError
            For a piece that is not defined.
        ValueError
            For brackets that do not match.
        """
        return Phrases(self._read(line) for line in text.splitlines() if line.strip())

    def _read(self, phrase: str) -> _Node:
        signs = [*_SIGN.findall(phrase), ")"][::-1]
        node = self._choice(signs, ")")
        if signs:
            raise ValueError(f"a bracket too many: {phrase}")
        return node

    def _choice(self, signs: list[str], closing: str) -> _Node:
        """Read alternatives up to the closing bracket, and take that too."""
        alternatives: list[_Node] = []
        parts: list[_Node] = []
        while True:
            if not signs:
                raise ValueError(f"a bracket is not closed: {closing}")
            sign = signs.pop()
            if sign in {"|", closing}:
                alternatives.append(parts[0] if len(parts) == 1 else _Sequence(parts))
                parts = []
                if sign == closing:
                    break
            elif sign in "])":
                raise ValueError(f"a bracket closes what was not opened: {sign}")
            else:
                parts += self._part(sign, signs)
        optional = closing == "]"
        return alternatives[0] if len(alternatives) == 1 and not optional else _Choice(alternatives, optional=optional)

    def _part(self, sign: str, signs: list[str]) -> list[_Node]:
        if sign in "[(":
            return [self._choice(signs, "]" if sign == "[" else ")")]
        if sign == "…":
            return [_Free(self._most_free)]
        if sign.startswith("{"):
            return [self._pieces[sign[1:-1]]]
        return [_Words([word]) for word in self._words(sign)]
