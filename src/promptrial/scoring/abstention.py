"""Abstention: whether a response declines to answer. What counts as declining is in ``refusals``."""

from __future__ import annotations

from typing import Final

from promptrial.model import Item
from promptrial.scoring.base import Gold, PreparedAnswer

__all__ = ["SCORER"]


class _Abstention:
    name = "abstain_rate"
    graded = False
    wanted: Final = None  # more where there is no answer, less elsewhere
    range: Final = (0.0, 1.0)

    def applies(self, item: Item) -> bool:  # noqa: ARG002 - any question can be declined
        """Every item."""
        return True

    def worst(self, item: Item) -> float:
        """An answer where the question has none, an abstention where it has one."""
        return float(not item.is_unanswerable)

    def score(self, gold: Gold, answer: PreparedAnswer) -> float:  # noqa: ARG002 - whatever the item
        """1 for an abstention, 0 for an answer."""
        return float(answer.abstained)


SCORER: Final = _Abstention()
