"""Short answers: whether an answer keeps to so many words. A scorer, as an example."""

from __future__ import annotations

from typing import Final

from promptrial.model import Item
from promptrial.scoring.base import Gold, PreparedAnswer

__all__ = ["SCORER"]

_MOST_WORDS: Final = 5


class _Short:
    name = "short_rate"
    graded = False
    wanted: Final = "higher"
    range: Final = (0.0, 1.0)

    def applies(self, item: Item) -> bool:
        """Items that have an answer; to decline is no short answer."""
        return not item.is_unanswerable

    def worst(self, item: Item) -> float:  # noqa: ARG002 - the same for every item
        """A long answer, or none."""
        return 0.0

    def score(self, gold: Gold, answer: PreparedAnswer) -> float:  # noqa: ARG002 - whatever was accepted
        """1 for an answer of one to five words after normalisation, else 0."""
        return float(not answer.abstained and 0 < len(answer.tokens) <= _MOST_WORDS)


SCORER: Final = _Short()
