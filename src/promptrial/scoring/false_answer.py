"""False answers: whether a question that cannot be answered was answered anyway.

The denominator is the unanswerable items alone; on an answerable item the rate is not 0 but undefined.
"""

from __future__ import annotations

from typing import Final

from promptrial.model import Item
from promptrial.scoring.base import Gold, PreparedAnswer

__all__ = ["SCORER"]


class _FalseAnswer:
    name = "false_answer_rate"
    graded = False
    wanted: Final = "lower"
    range: Final = (0.0, 1.0)

    def applies(self, item: Item) -> bool:
        """Unanswerable items."""
        return item.is_unanswerable

    def worst(self, item: Item) -> float:  # noqa: ARG002 - the same for every item
        """A false answer."""
        return 1.0

    def score(self, gold: Gold, answer: PreparedAnswer) -> float:
        """0 for an abstention, and for a text that normalises to nothing, which exact match counts as right; else 1."""
        return float(not answer.abstained and answer.normalized not in gold.accepted.normalized)


SCORER: Final = _FalseAnswer()
