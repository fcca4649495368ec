"""ROUGE-L: how long a sequence of words an answer shares, in order, with the closest accepted one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Final, Literal

from promptrial.model import Item
from promptrial.scoring.base import Gold, PreparedAnswer
from promptrial.scoring.closest import closest
from promptrial.scoring.contract import Declaration, Scorer
from promptrial.scoring.normalize import EvaluationRules

__all__ = ["RougeL"]

_WORD: Final = re.compile("[a-z0-9]")
"""What the library's own tokenizer makes words of; it drops the rest."""


@dataclass(frozen=True)
class RougeL(Scorer):
    """F measure over the longest common subsequence of words with the closest accepted answer, from 0 to 1.

    Attributes
    ----------
    stemmer : bool
        Whether words of more than three letters are cut to their stem (Porter); for ``tokenizer: rouge_score`` alone.
    tokenizer : {"rouge_score", "words"}
        ``rouge_score``: runs of a-z and 0-9 in lower case, as the reference has it; it knows no other script.
        ``words``: the tokens that token F1 counts in this data set.

    Notes
    -----
    The best over the accepted answers. An abstention counts as for exact match. By ``rouge_score``, an item without an
    accepted answer that has a letter a-z or a digit has no score.

    References
    ----------
    Lin (2004), ROUGE: A Package for Automatic Evaluation of Summaries; ``rouge_score.rouge_scorer``, ``rougeL``.
    """

    libraries: ClassVar = {"rouge_score": "rouge-score"}
    declared = Declaration(
        label="ROUGE-L",
        meaning=(
            "How long is the longest sequence of words, in order, that the answer shares with the closest accepted one?"
        ),
        scale="continuous",
        direction="higher",
        needs=("gold",),
    )

    stemmer: bool = False
    tokenizer: Literal["rouge_score", "words"] = "rouge_score"

    def __post_init__(self) -> None:
        """Refuse what has no effect."""
        if self.stemmer and self.tokenizer == "words":
            raise ValueError("`stemmer` is for `tokenizer: rouge_score`")

    def applies(self, item: Item) -> bool:
        """Items with an accepted answer that has a word for the tokenizer, and unanswerable ones."""
        if not super().applies(item):
            return False
        if item.is_unanswerable or self.tokenizer == "words":
            return True
        return any(_WORD.search(answer.lower()) for answer in item.answers)

    def score(self, gold: Gold, answer: PreparedAnswer) -> float:
        """Return the F measure with the closest accepted answer."""
        rules = gold.rules if self.tokenizer == "words" else None
        return closest(gold, answer, lambda text, golds: self.f_measure(text, golds, rules))

    def f_measure(self, answer: str, golds: Sequence[str], rules: EvaluationRules | None = None) -> float:
        """Return the F measure of a text with the closest of others, from 0 to 1; ``rules`` may make the tokens."""
        best: float = _library(self.stemmer, rules).score_multi(list(golds), answer)["rougeL"].fmeasure
        return best


@dataclass(frozen=True)
class _Tokens:
    """A tokenizer as the library wants it."""

    tokenize: Callable[[str], list[str]]


@lru_cache(maxsize=8)
def _library(stemmer: bool, rules: EvaluationRules | None) -> Any:  # noqa: ANN401, FBT001 - it has no types
    from rouge_score.rouge_scorer import RougeScorer

    own = None if rules is None else _Tokens(lambda text: rules.split(rules.words(text)))
    return RougeScorer(["rougeL"], use_stemmer=stemmer, tokenizer=own)
