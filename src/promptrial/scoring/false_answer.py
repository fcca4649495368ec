"""False answers: whether a question that cannot be answered was answered all the same.

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

    def score(self, gold: Gold, answer: PreparedAnswer) -> float:  # noqa: ARG002 - whatever the item
        """1 for anything but an abstention, 0 for an abstention."""
        return float(not answer.abstained)


SCORER: Final = _FalseAnswer()
