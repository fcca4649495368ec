"""Made-up words, drawn by Zipf's law: the word of rank r as often as 1/r, as in English.

A few dozen words flatter string search, hashing and compression; this many behave as those of real texts do.
"""

from __future__ import annotations

import random  # noqa: TID251 - seeded synthetic data
from itertools import accumulate
from typing import Final

__all__ = ["Texts"]

_STARTS: Final = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "st", "tr", "ch")
_ENDS: Final = ("a", "e", "i", "o", "u", "an", "er", "in", "on", "al")
_SYLLABLES: Final = [f"{start}{end}" for start in _STARTS for end in _ENDS]


class Texts:
    """Draws words from a vocabulary of so many."""

    def __init__(self, source: random.Random, vocabulary: int) -> None:
        self.source = source
        words: dict[str, None] = {}
        while len(words) < vocabulary:
            word = "".join(source.choices(_SYLLABLES, k=1 + len(words) % 4))
            while word in words:
                word += source.choice(_SYLLABLES)
            words[word] = None
        self.words = list(words)
        self.weights = list(accumulate(1 / rank for rank in range(1, vocabulary + 1)))

    def draw(self, n: int) -> str:
        """Return so many words."""
        return " ".join(self.source.choices(self.words, cum_weights=self.weights, k=n))
