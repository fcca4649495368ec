"""Unsupported claims: whether an open-book answer says something that its passage does not.

The denominator is every answered open-book request. An abstention makes no claim and so scores 0; leaving abstentions
out instead would compare the arms on different items, chosen by what the prompts did. Closed-book items have no
passage and no such rate.

A span that is verbatim in the passage is supported, in every script and whatever punctuation is inside its words.
For any other answer there are two strategies:

``exact``
    Supported if the answer's words are in the passage one after another.
``overlap``
    Supported if at least ``min_token_overlap`` of the answer's words occur in the passage. Each word of the answer
    counts as often as the answer has it; one mention in the passage supports them all.

Words are those of the item's official normalisation, or those of ``support`` (parted at punctuation too; characters
where the script has no spaces): whichever finds more. An answer whose every token is an article or punctuation makes no
claim either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from promptrial.scoring.base import Gold, PreparedAnswer
from promptrial.scoring.contract import Declaration, Scorer
from promptrial.scoring.support import Claim, claim_of, claims_of, has_share

__all__ = ["Unsupported", "contains"]


def contains(tokens: list[str], passage: str) -> bool:
    """Tell whether the tokens are in the passage one after another (true of no tokens).

    ``passage`` is normalised, with a space at either end.

    Examples
    --------
    >>> contains(["duke", "of"], " rollo became duke of normandy ")
    True
    >>> contains(["norman"], " rollo became duke of normandy ")
    False
    """
    return f" {' '.join(tokens)} " in passage if tokens else True


@dataclass(frozen=True)
class Unsupported(Scorer):
    """Whether an answer claims what its passage does not support.

    Attributes
    ----------
    strategy : {"overlap", "exact"}
        How a claim is looked for in the passage.
    min_token_overlap : float in [0, 1]
        For ``overlap``: the share of the answer's tokens that the passage must hold.

    Raises
    ------
    ValueError
        If the strategy is unknown or the share is not between 0 and 1.

    References
    ----------
    The definition is this package's own.
    """

    section: ClassVar[str] = "unsupported"
    declared = Declaration(
        label="Unsupported claims",
        meaning="Does the answer make claims that its passage does not support? Open-book items only.",
        scale="binary",
        direction="lower",
        needs=("passage",),
    )

    strategy: Literal["exact", "overlap"] = "overlap"
    min_token_overlap: float = 0.6

    def __post_init__(self) -> None:
        if self.strategy not in {"exact", "overlap"}:
            raise ValueError(f"strategy is {self.strategy!r}; allowed: exact, overlap")
        if not 0 <= self.min_token_overlap <= 1:
            raise ValueError(f"min_token_overlap is {self.min_token_overlap!r}; allowed: 0 to 1")

    def score(self, gold: Gold, answer: PreparedAnswer) -> float:
        """1 for a claim that the passage does not support, 0 for a supported one or none."""
        if not answer.tokens:
            return 0.0
        return float(
            not (self._is_supported_officially(gold, answer) or self._is_supported(gold, claim_of(answer.text)))
        )

    def score_many(self, answers: Sequence[tuple[Gold, PreparedAnswer]]) -> list[float]:
        """Do what ``score`` does; claims that are not found the faster way are prepared together."""
        left = [
            place
            for place, (gold, answer) in enumerate(answers)
            if answer.tokens and not self._is_supported_officially(gold, answer)
        ]
        scores = [0.0] * len(answers)
        for place, claim in zip(left, claims_of([answers[place][1].text for place in left]), strict=True):
            scores[place] = float(not self._is_supported(answers[place][0], claim))
        return scores

    def _is_supported_officially(self, gold: Gold, answer: PreparedAnswer) -> bool:
        """Look for the tokens of the official normalisation: the faster way, and mostly the last."""
        if self.strategy == "exact":
            return contains(answer.tokens, f" {' '.join(gold.rules.tokens(gold.item.context or ''))} ")
        return has_share(answer.tokens, gold.haystack, self.min_token_overlap)

    def _is_supported(self, gold: Gold, claim: Claim) -> bool:
        if gold.passage.holds_form(claim.form):
            return True
        if self.strategy == "exact":
            return gold.passage.in_order(claim.words)
        return gold.passage.has_share(claim.words, self.min_token_overlap)
