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

from typing import Final

from promptrial.model import Item
from promptrial.scoring.base import Gold, PreparedAnswer

__all__ = ["SCORER", "contains", "token_support"]


def contains(tokens: list[str], passage: str) -> bool:
    """Tell whether the tokens stand in the passage one after another (true of no tokens).

    ``passage`` is normalised, with a space at either end (``Gold.passage``).

    Examples
    --------
    >>> contains(["duke", "of"], " rollo became duke of normandy ")
    True
    >>> contains(["norman"], " rollo became duke of normandy ")
    False
    """
    return f" {' '.join(tokens)} " in passage if tokens else True


def token_support(tokens: list[str], haystack: str) -> float:
    """Return the share of the tokens that occur in the passage, from 0.0 to 1.0; 1.0 for no tokens.

    ``haystack`` is what ``EvaluationRules.haystack`` makes of the passage.

    Examples
    --------
    >>> from promptrial.scoring.normalize import SQUAD_V2
    >>> token_support(["duke", "rollo", "of", "norway"], SQUAD_V2.haystack("Rollo became the Duke of Normandy."))
    0.75
    """
    return sum([f" {token} " in haystack for token in tokens]) / len(tokens) if tokens else 1.0


class _Unsupported:
    name = "unsupported_rate"
    graded = False
    wanted: Final = "lower"
    range: Final = (0.0, 1.0)

    def applies(self, item: Item) -> bool:
        """Open-book items."""
        return item.context is not None

    def worst(self, item: Item) -> float:  # noqa: ARG002 - the same for every item
        """An unsupported claim."""
        return 1.0

    def score(self, gold: Gold, answer: PreparedAnswer) -> float:
        """1 for a claim that the passage does not support, 0 for a supported one or none."""
        if not answer.tokens:
            return 0.0
        if gold.settings.unsupported_strategy == "exact":
            return float(not contains(answer.tokens, gold.passage))
        return float(token_support(answer.tokens, gold.haystack) < gold.settings.min_token_overlap)


SCORER: Final = _Unsupported()
