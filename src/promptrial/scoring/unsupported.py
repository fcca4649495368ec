"""Unsupported claims: whether an open-book answer says something that its passage does not.

The denominator is every answered open-book request. An abstention makes no claim and so scores 0; leaving abstentions
out instead would compare the arms on different items, chosen by what the prompts did. Closed-book items have no
passage and no such rate.

Two strategies, both on tokens under the item's official normalisation:

``exact``
    Supported if the answer's tokens stand in the passage one after another.
``overlap``
    Supported if at least ``min_token_overlap`` of the answer's tokens occur in the passage. Each token of the answer
    counts as often as the answer has it; one mention in the passage supports them all.

An answer whose every token is an article or punctuation makes no claim either.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from promptrial.model import Item
from promptrial.scoring.base import Gold, PreparedAnswer
from promptrial.scoring.normalize import EvaluationRules

__all__ = ["SCORER", "contains", "token_support"]


def contains(tokens: list[str], passage: str, rules: EvaluationRules) -> bool:
    """Tell whether the tokens stand in the normalised passage one after another (true of no tokens).

    Examples
    --------
    >>> from promptrial.scoring.normalize import SQUAD_V2
    >>> contains(["duke", "of", "normandy"], "Rollo became the Duke of Normandy.", SQUAD_V2)
    True
    >>> contains(["norman"], "Rollo became the Duke of Normandy.", SQUAD_V2)
    False
    """
    return f" {' '.join(tokens)} " in _padded(passage, rules) if tokens else True


def token_support(tokens: list[str], passage: str, rules: EvaluationRules) -> float:
    """Return the share of the tokens that occur in the normalised passage; 1.0 for no tokens.

    Examples
    --------
    >>> from promptrial.scoring.normalize import SQUAD_V2
    >>> token_support(["duke", "rollo", "of", "norway"], "Rollo became the Duke of Normandy.", SQUAD_V2)
    0.75
    """
    if not tokens:
        return 1.0
    haystack = _haystack(passage, rules)
    return sum([f" {token} " in haystack for token in tokens]) / len(tokens)


# Bounded, since a run has more passages than memory should hold; the answers to one item mostly come together.
@lru_cache(maxsize=1024)
def _padded(passage: str, rules: EvaluationRules) -> str:
    return f" {rules.normalize(passage)} "


@lru_cache(maxsize=1024)
def _haystack(passage: str, rules: EvaluationRules) -> str:
    return rules.haystack(passage)


class _Unsupported:
    name = "unsupported_rate"
    graded = False

    def applies(self, item: Item) -> bool:
        """Open-book items."""
        return item.context is not None

    def score(self, gold: Gold, answer: PreparedAnswer) -> float:
        """1 for a claim that the passage does not support, 0 for a supported one or none."""
        passage = gold.item.context
        if passage is None:
            raise ValueError(f"item {gold.item.id!r} has no passage to support an answer")
        if not answer.tokens:
            return 0.0
        if gold.settings.unsupported_strategy == "exact":
            return float(not contains(answer.tokens, passage, gold.rules))
        return float(token_support(answer.tokens, passage, gold.rules) < gold.settings.min_token_overlap)


SCORER: Final = _Unsupported()
