"""Short answers: whether an answer keeps to so many words. A scorer, as an example."""

from __future__ import annotations

from dataclasses import dataclass

from promptrial.model import Item
from promptrial.scoring.base import Gold, PreparedAnswer
from promptrial.scoring.contract import Declaration, Scorer

__all__ = ["Short"]


@dataclass(frozen=True)
class Short(Scorer):
    """Whether an answer keeps to ``most_words``."""

    declared = Declaration(
        label="Short answers", meaning="Does the answer keep to so many words?", scale="binary", direction="higher"
    )

    most_words: int = 5

    def applies(self, item: Item) -> bool:
        """Items that have an answer; to decline is no short answer."""
        return not item.is_unanswerable

    def score(self, gold: Gold, answer: PreparedAnswer) -> float:  # noqa: ARG002 - whatever was accepted
        """1 for an answer of one word or more, and no more than ``most_words``, after normalisation; else 0."""
        return float(not answer.abstained and 0 < len(answer.tokens) <= self.most_words)
