"""Choice: whether the answer names a right choice of a multiple-choice question."""

from __future__ import annotations

from dataclasses import dataclass

from promptrial.scoring.base import Gold, PreparedAnswer
from promptrial.scoring.choosing import chosen
from promptrial.scoring.contract import Declaration, Scorer

__all__ = ["Choice"]


@dataclass(frozen=True)
class Choice(Scorer):
    """Whether the answer names a right choice: by its letter, its number or its text.

    The rules, and their order, are in ``scoring.choosing``; an answer that names several different choices names
    none. Questions without choices are left out. An abstention scores as for exact match.

    Attributes
    ----------
    first : int
        The number of the first choice, where an answer names it by number: 1 or 0.

    Raises
    ------
    ValueError
        If ``first`` is neither.

    References
    ----------
    Hendrycks et al. 2021, "Measuring Massive Multitask Language Understanding": accuracy on the letter of the choice.
    They read the likeliest of four letters; to find it in a written answer, the rules are this package's own.
    """

    declared = Declaration(
        label="Correct choice",
        meaning="Does the answer name a correct choice, and no other, by letter, number or text?",
        scale="binary",
        direction="higher",
        needs=("gold", "choices"),
        role="accuracy",
        version=5,
    )

    first: int = 1

    def __post_init__(self) -> None:
        if self.first not in {0, 1}:
            raise ValueError(f"first is {self.first}; allowed: 0, 1")

    def score(self, gold: Gold, answer: PreparedAnswer) -> float:
        """1 if the one choice that the answer names is right; where the item has no answer, if it abstains.

        Elsewhere a choice may read as a refusal ("Cannot be determined"): who names it does not abstain.
        """
        item = gold.item
        if item.is_unanswerable:
            return float(answer.abstained)
        place = chosen(answer.response.text, item.choices, self.first)
        return float(place is not None and item.choices[place] in item.answers)
