"""Politeness: how many polite words an answer has. A scorer in a file of your own, as an example."""

from __future__ import annotations

from dataclasses import dataclass

from promptrial.scoring.base import Gold, PreparedAnswer
from promptrial.scoring.contract import Declaration, Scorer

__all__ = ["SCORER"]


@dataclass(frozen=True)
class Polite(Scorer):
    """Polite words in an answer, at most ``most`` of them. The fields are the settings."""

    words: tuple[str, ...] = ("please", "thank you", "sorry")
    most: float = 10.0

    @property
    def declared(self) -> Declaration:
        """What the scores mean; the range depends on a setting."""
        return Declaration(
            label="Politeness",
            meaning="How many polite words does the answer have?",
            scale="continuous",
            direction="higher",
            range=(0.0, self.most),
            unit="words",
        )

    def score(self, gold: Gold, answer: PreparedAnswer) -> float:  # noqa: ARG002 - whatever was accepted
        """Return the number of polite words, at most ``most``."""
        text = answer.response.text.lower()
        return min(self.most, float(sum(text.count(word) for word in self.words)))


SCORER = Polite
