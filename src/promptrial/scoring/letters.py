"""Whether the right choices of a data set nearly all have the same letter: who always says it seems to know. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from promptrial.model import Item
from promptrial.model.templates import LETTERS

__all__ = ["LetterCheck"]

_LEAST: Final = 5
"""Of fewer questions, all may have it by chance."""
_LEAST_NEARLY: Final = 20
_NEARLY: Final = 0.95


class LetterCheck:
    """Counts the letters of the right choices of a data set."""

    def __init__(self) -> None:
        self._letters: Counter[str] = Counter()
        self._total = 0

    def notice(self, item: Item) -> None:
        """Look at an item; one without choices or without a right one does not count."""
        if item.choices and item.answers:
            self._total += 1
            if len(item.answers) == 1:  # of several right choices, none is the letter to say
                self._letters[LETTERS[item.choices.index(item.answers[0])]] += 1

    def warnings(self, dataset: str) -> Iterator[str]:
        """Yield a sentence if all right choices of at least 5, or 95% of at least 20, have one letter."""
        for letter, n in self._letters.most_common(1):
            least = _LEAST if n == self._total else _LEAST_NEARLY
            if self._total >= least and n >= _NEARLY * self._total:
                held = f"all {n:,}" if n == self._total else f"{n:,} of {self._total:,}"
                yield (
                    f"datasets.{dataset}: the right choice is {letter} in {held} questions with choices, so a model "
                    f"that always answers {letter} scores {n / self._total:.0%}; mix the choices in the file"
                )
