"""Scores of given answers, without a run."""

from __future__ import annotations

from typing import Any

from promptrial.config.typed import typed
from promptrial.model import Item
from promptrial.registry import load
from promptrial.scoring.base import ScoringSettings, prepare_gold
from promptrial.scoring.contract import Response, Scorer
from promptrial.scoring.panel import score_answer

__all__ = ["item_of", "score_of", "scorer_of"]


def scorer_of(kind: str, **settings: object) -> Scorer:
    """Return a scorer of a type of the registry, with settings as a configuration has them."""
    made: Scorer = typed(load("scorer", kind), settings)
    return made


def item_of(*answers: str, **fields: Any) -> Item:
    """Return an item with these accepted answers; unanswerable without any."""
    return Item(id="1", dataset="d", question="?", answers=answers, **({"is_unanswerable": not answers, **fields}))


def score_of(
    scorer: Scorer, item: Item, response: str | Response, rules: str = "custom", refusals: tuple[str, ...] = ()
) -> float:
    """Return the score of an answer to an item; NaN where the scorer does not apply."""
    given = response if isinstance(response, Response) else Response(response)
    (score,) = score_answer(prepare_gold(item, rules, ScoringSettings(refusals)), given, {"s": scorer})
    return score
