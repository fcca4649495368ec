"""Abstention: whether a response declines to answer. What counts as declining is in ``refusals``."""

from __future__ import annotations

from dataclasses import dataclass

from promptrial.model import Item
from promptrial.scoring.base import Gold, PreparedAnswer
from promptrial.scoring.contract import Declaration, Scorer

__all__ = ["Abstention"]


@dataclass(frozen=True)
class Abstention(Scorer):
    """Whether the model declines to answer. More is better where there is no answer, less elsewhere.

    References
    ----------
    The definition is this package's own.
    """

    declared = Declaration(
        label="Abstention",
        meaning="Does the model decline to answer? This is right if the question has no answer, and wrong otherwise.",
        scale="binary",
        direction=None,
        role="abstention",
    )

    def worst(self, item: Item) -> float:
        """An answer where the question has none, an abstention elsewhere, also where no gold answer is known."""
        return float(not item.is_unanswerable)

    def score(self, gold: Gold, answer: PreparedAnswer) -> float:  # noqa: ARG002 - whatever the item
        """1 for an abstention, 0 for an answer."""
        return float(answer.abstained)
