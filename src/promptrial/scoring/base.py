"""The values that scorers share, the protocol that they follow, and ``score_answer``, which runs them on one answer.

An item is prepared once (``prepare_gold``), an answer once (``prepare_answer``); every scorer reads what was prepared.

**The scored prediction.** SQuAD 2.0 has a system say "no answer" with the empty string. A chat model says it with the
refusal that its prompt mandates, so an abstention counts as that null prediction: right (exact match and F1 are 1) on
an unanswerable item, wrong (0) on an answerable one. An accepted answer that reads as a refusal ("Unknown") is an
answer where it is accepted. Any other response is scored as it stands. Errors are not answers: a completion without an
answer is missing and must not be given to ``score_answer``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, Protocol

import msgspec

from promptrial.errors import ConfigError, ScoreError
from promptrial.model import Item
from promptrial.registry import SCORERS, load
from promptrial.scoring.normalize import EvaluationRules, rules_for
from promptrial.scoring.refusals import is_abstention
from promptrial.scoring.support import Passage

__all__ = [
    "AcceptedAnswers",
    "Gold",
    "PreparedAnswer",
    "Scorer",
    "ScoringSettings",
    "accepted_answers",
    "load_scorers",
    "prepare_answer",
    "prepare_gold",
    "score_answer",
    "worst_scores",
]

_STRATEGIES: Final = ("exact", "overlap")


@dataclass(frozen=True, slots=True)
class ScoringSettings:
    """What the configuration can say about scoring.

    Attributes
    ----------
    unsupported_strategy : {"overlap", "exact"}
        How a claim is looked for in the passage; see ``promptrial.scoring.unsupported``.
    min_token_overlap : float in [0, 1]
        For ``overlap``: the share of the answer's tokens that the passage must hold.
    extra_refusals : tuple of str
        Texts that are abstentions besides those recognised anyway.

    Raises
    ------
    ConfigError
        If the strategy is unknown or the share is not between 0 and 1.
    """

    unsupported_strategy: Literal["exact", "overlap"] = "overlap"
    min_token_overlap: float = 0.6
    extra_refusals: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.unsupported_strategy not in _STRATEGIES:
            raise ConfigError(
                f"unsupported_strategy is {self.unsupported_strategy!r}; allowed: {', '.join(_STRATEGIES)}"
            )
        if not 0 <= self.min_token_overlap <= 1:
            raise ConfigError(f"min_token_overlap is {self.min_token_overlap!r}; allowed: 0 to 1")


class AcceptedAnswers(msgspec.Struct, frozen=True, gc=False):
    """The accepted answers of one item, normalised.

    ``normalized`` holds each distinct one, ``tokens`` the tokens of each, and ``vocabulary`` the tokens of them all.
    ``f1_of_empties`` is the token F1 of an answer that matches one without a token.
    """

    normalized: frozenset[str]
    tokens: tuple[list[str], ...]
    vocabulary: frozenset[str]
    f1_of_empties: float


class Gold(msgspec.Struct, frozen=True, dict=True):
    """An item, prepared for scoring any number of answers to it.

    What is made of the passage is made when first asked for, and is as long as the passage: the memory that
    prepared items take is bounded by how many of them the caller holds.
    """

    item: Item
    rules: EvaluationRules
    accepted: AcceptedAnswers
    settings: ScoringSettings

    @cached_property
    def haystack(self) -> str:
        """The passage as a text to look tokens up in; see ``EvaluationRules.haystack``."""
        return self.rules.haystack(self.item.context or "")

    @cached_property
    def passage(self) -> Passage:
        """The passage as claims are looked for in it; of a closed-book item, one of no words."""
        return Passage(self.item.context or "")


class PreparedAnswer(msgspec.Struct, frozen=True, gc=False):
    """One response: whether it abstains, its normalised text, its tokens and its own text (empty for an abstention)."""

    abstained: bool
    normalized: str
    tokens: list[str]
    text: str = ""


class Scorer(Protocol):
    """One measure of an answer, reached through ``registry.SCORERS``."""

    @property
    def name(self) -> str:
        """The key in the registry, which is the column in the score tables."""

    @property
    def graded(self) -> bool:
        """False for a 0/1 score, True for one that takes values between."""

    @property
    def wanted(self) -> Literal["higher", "lower"] | None:
        """Whether more or less of it is better; None if that depends on the item."""

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest score. A score that is not graded is one of the two, and these are 0 and 1."""

    def applies(self, item: Item) -> bool:
        """Tell whether the measure is defined for answers to this item."""

    def worst(self, item: Item) -> float:
        """Return the worst score for this item: what a missing answer counts as where it counts as a failure."""

    def score(self, gold: Gold, answer: PreparedAnswer) -> float:
        """Return the score, within ``range``, of an answer to an item that the measure applies to."""


def load_scorers() -> tuple[Scorer, ...]:
    """Return every scorer of the registry, in its order."""
    return tuple(load("scorer", name) for name in SCORERS)


def worst_scores(item: Item, scorers: Sequence[Scorer]) -> tuple[float, ...]:
    """Return, by each scorer, what a missing answer to the item counts as where it counts as a failure.

    NaN where the scorer does not apply to the item.
    """
    return tuple([scorer.worst(item) if scorer.applies(item) else math.nan for scorer in scorers])


def accepted_answers(answers: Sequence[str], rules: EvaluationRules) -> AcceptedAnswers:
    """Prepare accepted answers as the official evaluation reads them.

    No answers at all (an unanswerable question), or under SQuAD's rules none that has a token, stands for the one
    accepted answer ``""``.
    """
    tokens = {" ".join(words): rules.split(words) for words in map(rules.words, dict.fromkeys(answers))}
    if rules.drops_empty_golds:
        tokens.pop("", None)
    if not tokens:
        tokens = {"": []}
    vocabulary = frozenset().union(*tokens.values())
    return AcceptedAnswers(frozenset(tokens), tuple(tokens.values()), vocabulary, rules.f1_of_empties)


def prepare_gold(item: Item, rules: EvaluationRules | str, settings: ScoringSettings) -> Gold:
    """Prepare an item to be scored by rules, or by those of a dataset format.

    Raises
    ------
    ConfigError
        If the format is not in the registry.
    """
    if isinstance(rules, str):
        rules = rules_for(rules)
    return Gold(item, rules, accepted_answers(item.answers, rules), settings)


_ABSTENTION: Final = PreparedAnswer(abstained=True, normalized="", tokens=[])


def prepare_answer(gold: Gold, text: str) -> PreparedAnswer:
    """Prepare a response to an item; every abstention is the same null prediction.

    What equals an accepted answer is no abstention, whatever it reads like.
    """
    abstained = is_abstention(text, gold.settings.extra_refusals)
    if abstained and gold.item.is_unanswerable:
        return _ABSTENTION
    words = gold.rules.words(text)
    normalized = " ".join(words)
    if abstained and (not words or normalized not in gold.accepted.normalized):
        return _ABSTENTION
    return PreparedAnswer(abstained=False, normalized=normalized, tokens=gold.rules.split(words), text=text)


def score_answer(gold: Gold, text: str, scorers: Sequence[Scorer]) -> tuple[float, ...]:
    """Return the score of a response by each scorer; NaN where the scorer does not apply to the item.

    Raises
    ------
    ScoreError
        If a score is outside its scorer's declared range, naming item and scorer.

    Examples
    --------
    >>> item = Item(id="1", dataset="nq", question="Who led the Normans?", answers=("Rollo", "Duke Rollo"))
    >>> gold = prepare_gold(item, "nq_open", ScoringSettings())
    >>> score_answer(gold, "The viking Rollo", load_scorers())
    (0.0, 0.6666666666666666, 0.0, nan, nan)
    """
    answer = prepare_answer(gold, text)
    item = gold.item
    return tuple(
        [_checked(scorer, item, scorer.score(gold, answer)) if scorer.applies(item) else math.nan for scorer in scorers]
    )


def _checked(scorer: Scorer, item: Item, score: float) -> float:
    low, high = scorer.range
    if low <= score <= high and (scorer.graded or score in (low, high)):
        return score
    allowed = f"from {low:g} to {high:g}" if scorer.graded else f"{low:g} or {high:g}"
    raise ScoreError(
        f"scorer {scorer.name}: the score of item {item.id!r} of {item.dataset} is {score!r}; its range: {allowed}",
        hint="correct the scorer, or the range that it declares",
    )
