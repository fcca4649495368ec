"""Items and answers prepared many at a time: what ``prepare_gold`` and ``prepare_answer`` make of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice

from promptrial.model import Item
from promptrial.scoring.base import AcceptedAnswers, Gold, PreparedAnswer, ScoringSettings, accepted_of
from promptrial.scoring.contract import Response
from promptrial.scoring.normalize import EvaluationRules
from promptrial.scoring.refusals import are_abstentions

__all__ = ["prepare_answers", "prepare_golds"]


def prepare_golds(items: Iterable[tuple[Item, EvaluationRules]], settings: ScoringSettings) -> list[Gold]:
    """Prepare items, each with its rules."""
    return [
        Gold(item, rules, accepted, settings)
        for rules, run in groupby(items, key=lambda each: each[1])
        for item, accepted in _accepted([item for item, _ in run], rules)
    ]


def _accepted(items: Sequence[Item], rules: EvaluationRules) -> Iterator[tuple[Item, AcceptedAnswers]]:
    """Yield items with their accepted answers; items without any share one."""
    words = iter(rules.words_of_each([answer for item in items for answer in item.answers]))
    none = accepted_of((), rules)
    for item in items:
        yield item, accepted_of(islice(words, len(item.answers)), rules) if item.answers else none


def prepare_answers(pairs: Sequence[tuple[Gold, Response]]) -> list[PreparedAnswer]:
    """Prepare responses, each to its item."""
    return [
        answer
        for (rules, settings), run in groupby(pairs, key=lambda pair: (pair[0].rules, pair[0].settings))
        for answer in _prepared(list(run), rules, settings)
    ]


def _prepared(
    pairs: Sequence[tuple[Gold, Response]], rules: EvaluationRules, settings: ScoringSettings
) -> Iterator[PreparedAnswer]:
    """Yield prepared responses to items of the same rules and settings."""
    texts = [response.text for _, response in pairs]
    abstained = are_abstentions(texts, settings.extra_refusals)
    for (gold, response), abstains, words in zip(pairs, abstained, rules.words_of_each(texts), strict=True):
        normalized = " ".join(words)
        if abstains and (gold.item.is_unanswerable or not words or normalized not in gold.accepted.normalized):
            yield PreparedAnswer(True, "", [], "", response)
        else:
            yield PreparedAnswer(False, normalized, rules.split(words), response.text, response)
